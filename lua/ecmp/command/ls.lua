---ecmp ls: the attachments of this node, by records and reservations.
local attachments = require "ecmp.command.attachments"
local json = require "ecmp.json"

local M = { name = "ls", summary = "list the attachments of this node" }

function M.setup(parser)
  parser:flag("--json", "print JSON")
  parser:epilog("By the records of our plugins and the reservations of host-local. The namespace "
    .. "of an attachment is alive, gone, or not known, where a reservation alone is left of it.")
end

local HEAD <const> = { "NETWORK", "CONTAINER", "INTERFACE", "NAMESPACE", "ADDRESSES", "POD" }

-- Container ids are long, and their beginning is what people look for.
local SHOWN <const> = 13

local function row_of(one)
  local alive <const> = one.alive == nil and "?" or one.alive and "alive" or "gone"
  return { one.network, one.container:sub(1, SHOWN), one.interface, alive,
    #one.addresses > 0 and table.concat(one.addresses, ",") or "-", one.pod or "-" }
end

---Text in columns, two spaces apart.
---@param rows string[][]
---@return string[] lines
function M.columns(rows)
  local widths <const>, lines <const> = {}, {}
  for _, row in ipairs(rows) do
    for i, text in ipairs(row) do widths[i] = math.max(widths[i] or 0, #text) end
  end
  for i, row in ipairs(rows) do
    local parts <const> = {}
    for k, text in ipairs(row) do
      parts[k] = k < #row and text .. (" "):rep(widths[k] - #text) or text
    end
    lines[i] = table.concat(parts, "  ")
  end
  return lines
end

---@param args table as `setup` asked for
---@return integer status
function M.run(args)
  local list <const> = attachments.all()
  if args.json then
    print(json.encode(list, { indent = 2 }))
    return 0
  end
  local rows <const> = { HEAD }
  for _, one in ipairs(list) do rows[#rows + 1] = row_of(one) end
  for _, line in ipairs(M.columns(rows)) do print(line) end
  return 0
end

return M
