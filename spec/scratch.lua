--- A network namespace for one spec, with a few links in it, and iproute2 as a second opinion.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

local Scratch <const> = {}
Scratch.__index = Scratch

local M = {}

-- Pairs v1-p1, v2-p2, ... with 10.0.N.1/24, fd00:0:0:N::1/64 and fe80::N:1/64 on the v side: what
-- routes need for a gateway. `ip -batch` makes all of it in one process.
local function pair(n)
  return ([[
link add v%d type veth peer name p%d
link set v%d address 02:00:00:00:00:0%d up
link set p%d address 02:00:00:00:01:0%d up
addr add 10.0.%d.1/24 brd + dev v%d
addr add fd00:0:0:%d::1/64 dev v%d nodad
]]):format(n, n, n, n, n, n, n, n, n, n)
end

--- Makes a namespace with `pairs` veth pairs (none by default) and a handle on it.
---@param pairs? integer
---@return table scratch  { nl =, path =, ip(), close() }
function M.new(pairs)
  local space <const> = assert(netns.create())
  local self <const> = setmetatable({ space = space, path = netns.path(space) }, Scratch)
  local lines <const> = { "link set lo up" }
  for n = 1, pairs or 0 do lines[#lines + 1] = pair(n) end
  self:batch(table.concat(lines, "\n"))
  self.nl = assert(ecmp.open { netns = self.path })
  helper.eventually(function() -- the kernel puts IPv6 addresses to use in its own time
    return #self.nl.route:list { table = "local", type = "local", family = 6 } > (pairs or 0)
  end)
  return self
end

function Scratch:close()
  if self.nl then self.nl:close() end
  if self.space then self.space:close() end
  self.nl, self.space = nil, nil
end

Scratch.__close = Scratch.close

--- Runs iproute2 in the namespace; `text` is what is typed after `ip`. Fails unless it succeeds.
---@param text string
---@return string stdout
function Scratch:ip(text)
  local argv <const> = { "ip" }
  for word in text:gmatch "%S+" do argv[#argv + 1] = word end
  local done <const> = assert(sys.spawn { argv = argv, netns = self.path, timeout = 20,
    stderr = "capture" })
  assert(done.status == 0, ("ip %s: %s"):format(text, done.stderr))
  return done.stdout
end

--- Runs many iproute2 commands in one process.
---@param lines string
---@param options? string  before -batch: "-force"
function Scratch:batch(lines, options)
  local argv <const> = { "ip" }
  for word in (options or ""):gmatch "%S+" do argv[#argv + 1] = word end
  argv[#argv + 1], argv[#argv + 2] = "-batch", "-"
  local done <const> = assert(sys.spawn { argv = argv, netns = self.path, stdin = lines .. "\n",
    timeout = 20,
                                          stderr = "capture" })
  assert(done.status == 0 or options == "-force", done.stderr)
end

--- What iproute2 shows, without the blanks it leaves at the ends of lines.
---@param text string
---@return string
function Scratch:show(text)
  return (self:ip(text):gsub("[ \t]+\n", "\n"):gsub("%s+$", ""))
end

--- Whether this kernel knows a kind of link.
---@param kind string
---@return boolean
function Scratch:knows(kind)
  local name <const> = "probe0"
  local extra <const> = { vxlan = { id = 7, dstport = 4789 }, vlan = { link = "v1", id = 7 },
    macvlan = { link = "v1" },
                          ipvlan = { link = "v1" }, vrf = { table = 77 } }
  local link <const> = { name = name, type = kind }
  for key, value in pairs(extra[kind] or {}) do link[key] = value end
  local ok <const>, _, code = self.nl.link:add(link)
  if ok then self.nl.link:del { dev = name } end
  return ok ~= nil or code ~= "EOPNOTSUPP" and code ~= "ENOTSUP"
end

--- Compares two readings of what settles by itself, such as the states of links: fails unless they come to
--- agree.
---@param readings fun(): string, string
function M.settled(readings)
  local one, other
  local function agree()
    one, other = readings()
    return one == other
  end
  if pcall(helper.eventually, agree) then return end
  error(("these two stay apart:\n%s\n\n%s"):format(one, other), 2)
end

return M
