---Reads a file in the format of resolv.conf into a CNI `dns` object.
local sys = require "ecmp.sys"

local M = {}

local LIMIT <const> = 1024 * 1024

-- Keywords whose values add up, and where they go; of `domain` the last one counts.
local lists <const> = { nameserver = "nameservers", search = "search", options = "options" }

---Reads the text of such a file, as the reference does: comments, lines of one word and unknown
---keywords are passed over, a nameserver is one word.
---@param text string
---@return table dns `nameservers`, `domain`, `search`, `options`, where given
function M.parse(text)
  local dns <const> = {}
  for line in text:gmatch("[^\n]+") do
    local words <const> = {}
    for word in line:gmatch("%S+") do words[#words + 1] = word end
    local keyword <const> = table.remove(words, 1)
    local key <const> = lists[keyword]
    if keyword == "domain" and words[1] then dns.domain = words[1] end
    if key and words[1] then
      local count <const> = keyword == "nameserver" and 1 or #words
      dns[key] = dns[key] or {}
      table.move(words, 1, count, #dns[key] + 1, dns[key])
    end
  end
  return dns
end

---@param path string
---@return table? dns, string? message, string? code
function M.read(path)
  local text <const>, message <const>, code <const> = sys.read(path, LIMIT)
  if not text then return nil, message, code end
  return M.parse(text)
end

return M
