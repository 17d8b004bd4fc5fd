---ecmp show: the routes of a namespace, as `ip route` prints them.
local ecmp = require "ecmp"
local iproute2 = require "ecmp.nl.json"
local json = require "ecmp.json"
local lists = require "ecmp.nl.text"
local rtnl = require "ecmp.rtnl"
local site = require "ecmp.nl.names"
local terminal = require "ecmp.repl.terminal"

local M = { name = "show", summary = "show routes with their next hops, as ip route prints them" }

local function known_table(text)
  if text == "all" then return text end
  local word <const> = math.tointeger(tonumber(text)) or site("rt_tables")[text] or text
  local fits <const>, message <const> = pcall(rtnl.view, "route",
    { dst = "10.0.0.0/8", table = word })
  if fits then return word end
  return nil, (message:gsub("^.-(table: )", "%1"))
end

function M.setup(parser)
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--table", "routes of another table than main; all for all"):argname("T")
    :convert(known_table)
  parser:option("--family", "one family only"):choices({ "4", "6" })
  parser:flag("--json", "print JSON in the words of ip -j route")
  parser:epilog("What it prints of the main table, or of all, ecmp apply takes and finds "
    .. "nothing to do.")
end

-- All routes in one list, so that tables are named as soon as there are several.
---@return table? list, string? message
function M.routes(nl, args)
  return nl.route:list {
    table = args.table, family = args.family,
  }
end

local function several_tables(list)
  for i = 2, #list do
    if list[i].table ~= list[1].table then return true end
  end
  return false
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local list
  list, message = M.routes(nl, args)
  if not list then return nil, message end
  if args.json then
    print(json.encode(iproute2.list(list, { table = several_tables(list) or nil })))
  elseif #list > 0 then
    print(terminal.routes(lists.text(list), terminal.colour()))
  end
  return 0
end

return M
