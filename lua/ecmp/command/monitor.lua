---ecmp monitor: what happens to routes, next hops, links and addresses, as it happens.
local ecmp = require "ecmp"
local iproute2 = require "ecmp.nl.json"
local json = require "ecmp.json"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"

local M = { name = "monitor", summary = "print route, next hop, link and address events" }

local objects <const> = { "route", "nexthop", "link", "addr", "neigh", "rule" }
local default <const> = { "route", "nexthop", "link", "addr" }
local signs <const> = { add = "+", del = "-", change = "~" }

local function positive(text)
  local number <const> = math.tointeger(tonumber(text))
  if not number or number < 1 then return nil, ("'%s' is no positive number"):format(text) end
  return number
end

function M.setup(parser)
  parser:argument("object", "what to watch: " .. table.concat(objects,
    ", ")):args("*"):choices(objects)
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--count", "end after so many events"):argname("K"):convert(positive)
  parser:flag("-t --timestamp", "when each event was read: a line before it, as ip -t prints; with "
    .. "--json a key")
    :target("timestamp")
  parser:flag("--json", "print one JSON object a line, in the words of ip -j")
  parser:epilog("Without OBJECT: route, nexthop, link and addr. It ends at an interrupt.")
end

-- A line in the words of iproute2: + what came, - what went, ~ what changed.
local function text_of(event, state)
  local colour <const> = state.colour
  if event.verb == "overrun" then
    return colour("note", "! some events were lost; what changed meanwhile follows")
  end
  local line <const> = ("%s %s %s"):format(signs[event.verb], event.object,
    event.value:text { line = true, table = event.object == "route"
      and event.value.table ~= "main" })
  return colour(event.verb, (line:gsub("\\?%s+", " ")))
end

-- The local time by a format of strftime, and microseconds: as ip -t and ip -ts have it.
local function moment(layout, micro)
  local now <const> = sys.realtime()
  return os.date(layout, now // 1 | 0) .. micro:format((now % 1 * 1000000) // 1 | 0)
end

local function json_of(event, state)
  local value <const> = event.value and iproute2.object(event.value, { table = true }) or {}
  value.object, value.event = event.object, event.verb
  if event.verb == "del" then value.deleted = true end
  if state.timestamp then value.timestamp = moment("%Y-%m-%dT%H:%M:%S", ".%06d") end
  if event.append then value.append = true end
  return json.encode(value)
end

-- Prints what there is; false when there is no one left to read it, or it was enough.
local function print_events(events, state)
  local event, message, code = events:next(0)
  while event do
    local line <const> = state.format(event, state)
    local head <const> = state.timestamp and not state.is_json
      and moment("Timestamp: %a %b %e %H:%M:%S %Y", " %d usec\n") or ""
    if not io.write(head, line, "\n") then return false end
    state.count = state.count + 1
    if state.count == state.most then return false end
    event, message, code = events:next(0)
  end
  state.again = code == "EINTR" -- changes kept from reading what else there is
  if code ~= "EAGAIN" and not state.again then return nil, message end
  return io.flush() and true
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local signals <close> = assert(sys.signals { "INT", "TERM", "HUP" })
  local events <close> = nl:monitor(#args.object > 0 and args.object or default)
  local state <const> = { format = args.json and json_of or text_of, colour = terminal.colour(),
                          count = 0, most = args.count, timestamp = args.timestamp,
                          is_json = args.json }
  local more
  repeat
    local ready <const> = assert(sys.poll({ signals, events }, state.again and 0.1 or nil))
    -- a signal that is not read would be delivered when its handle is closed
    if ready[1] == signals and signals:read() then break end
    more, message = print_events(events, state)
  until not more
  io.flush()
  return more ~= nil and 0 or nil, message
end

return M
