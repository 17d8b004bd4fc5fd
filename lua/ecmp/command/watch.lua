---ecmp watch: dead gateways out of multipath routes, and back again.
--
-- What is watched comes from the records of attachments whose network has `health`, or, with
-- --netns and destinations, from the routes of a namespace.
local flow_health = require "ecmp.flow.health"
local json = require "ecmp.json"
local sandbox = require "ecmp.sandbox"
local state = require "ecmp.health.state"
local sys = require "ecmp.sys"
local watcher_of = require "ecmp.health.watcher"

local M = { name = "watch", summary = "take dead gateways out of multipath routes, and back" }

local FAILED <const> = 1

local function positive(text)
  local number <const> = math.tointeger(tonumber(text))
  if not number or number < 1 then return nil, ("'%s' is no positive number"):format(text) end
  return number
end

local function not_negative(text)
  local number <const> = math.tointeger(tonumber(text))
  if not number or number < 0 then return nil, ("'%s' is no number of seconds"):format(text) end
  return number
end

function M.setup(parser)
  parser:argument("dst", "destinations, default among them, whose routes are watched"):args("*")
  parser:option("--netns", "the namespace of these routes: a name, a path or a pid"):argname("N")
  parser:option("--probe", "how gateways are asked"):choices(flow_health.probes)
  parser:option("--interval", "milliseconds between probes; 100"):argname("MS"):convert(positive)
  parser:option("--multiplier", "how many are missed before a gateway is withdrawn; 3")
    :argname("N"):convert(positive)
  parser:option("--rise", "how many answers in a row bring it back; 5"):argname("N")
    :convert(positive)
  parser:option("--hold", "seconds for which it stays out at least; 10"):argname("S")
    :convert(not_negative)
  parser:option("--min", "with fewer gateways left everything is put back; 1"):argname("N")
    :convert(positive)
  parser:option("--target", "an address that is asked for through each gateway"):argname("ADDRESS")
  parser:option("--source", "with bfd: our address on the segment"):argname("ADDRESS"):count("*")
  parser:option("--table", "the number of the table of these routes; main"):argname("T")
    :convert(positive)
  parser:flag("--once", "ask, decide, change what is to be changed, and end")
  parser:flag("--dry-run", "say what would be done, and change nothing"):target("dry")
  parser:flag("--restore", "put all next hops back that an earlier watcher took out, and end")
  parser:flag("--status", "say what the running watcher knows, and end")
  parser:flag("--json", "print JSON")
  parser:epilog("Without DST: the attachments whose network has the key `health`. SIGTERM leaves "
    .. "routes as they are; --restore puts them back.")
end

-- What to watch --------------------------------------------------------------------------------

local MAIN <const> = 254

local function path_of(ref)
  if ref:find("/", 1, true) then return ref end
  if ref:find "^%d+$" then return ("/proc/%s/ns/net"):format(ref) end
  return "/run/netns/" .. ref
end

-- A destination of either family; `default` is one of both.
local function keys_of(destinations, number)
  local ip <const> = require "ecmp.ip"
  local keys <const> = {}
  local function add(family, dst)
    -- The metric is that of the route that is there: the kernel's default, unless one is given.
    keys[#keys + 1] = { family = family, dst = dst, table = number, metric = family == 6 and 1024
      or 0 }
  end
  for _, text in ipairs(destinations) do
    local dst <const>, metric <const> = text:match "^([^,]*),?(%d*)$"
    if dst == "default" then
      add(4, "0.0.0.0/0")
      add(6, "::/0")
    else
      local prefix <const>, message <const> = ip.parse(dst or text)
      if not prefix then return nil, ("%s: %s"):format(text, message) end
      add(prefix:family(), tostring(prefix:network()))
    end
    for i = #keys - (dst == "default" and 1 or 0), metric ~= "" and #keys or 0 do
      keys[i].metric = math.tointeger(tonumber(metric))
    end
  end
  return keys
end

local function health_of(args)
  local given <const> = {}
  for _, key in ipairs { "probe", "interval", "multiplier", "rise", "hold", "min", "target" } do
    given[key] = args[key]
  end
  given.probe = given.probe or "icmp"
  if #args.source > 0 then given.source = json.array(args.source) end
  local checked <const>, message <const> = flow_health.field(given, "")
  if not checked then return nil, "--" .. message:gsub("^%.", "") end
  local whole <const> = flow_health.with_defaults(checked)
  whole.source_netns = args.netns and path_of(args.netns)
  return whole
end

-- One namespace, as a list that never changes after it was told once.
local function namespace(args)
  local keys <const>, message <const> = keys_of(args.dst, args.table or MAIN)
  if not keys then return nil, message end
  local health <const>, why <const> = health_of(args)
  if not health then return nil, why end
  local netns <const> = args.netns and path_of(args.netns) or "/proc/self/ns/net"
  local name <const> = ("netns:%s:%s.json"):format(netns:gsub("/", "-"),
    table.concat(args.dst, " "):gsub("/", "-"))
  local told = false
  return function()
    if told then return nil end
    told = true
    return { { name = name, network = "", netns = netns, keys = keys, health = health,
      segment = netns, mark = "" } }
  end
end

-- Telling --------------------------------------------------------------------------------------

local texts <const> = {
  withdraw = "gateway %(gateway) is out",
  ["return"] = "gateway %(gateway) is back",
  kept = "gateway %(gateway) is missed, and kept by the script",
  edited = "%(routes) IPv%(family) routes changed in %(milliseconds) ms",
  repaired = "%(attachment): %(objects) next-hop objects and routes put back",
  error = "%(attachment)%(segment) %(gateway)%(route): %(message)",
}

local function text_of(event)
  return (texts[event.event]:gsub("%%(%b())", function(name)
    return tostring(event[name:sub(2, -2)] or "")
  end):gsub("^%s+", ""):gsub("%s+", " "))
end

local function teller(args)
  return function(event)
    if args.json then
      event.time = sys.realtime()
      io.write(json.encode(event), "\n")
      io.flush()
    else
      io.stderr:write("ecmp: watch: ", text_of(event), "\n")
    end
  end
end

local function print_status(args)
  local status <const>, lives <const> = state.status()
  if args.json then
    local whole <const> = status or { gateways = json.array() }
    whole.running = lives
    print(json.encode(whole, { indent = 2 }))
    return lives and 0 or FAILED
  end
  if not lives then
    io.stderr:write("ecmp: watch: no watcher runs; nobody knows how the gateways are\n")
    return FAILED
  end
  for _, g in ipairs(status and status.gateways or {}) do
    print(("%-8s %s%s  %s, %d pods  %s"):format(g.state, g.gateway,
      g.dev and " dev " .. g.dev or "", g.bfd and "bfd " .. g.bfd or g.probe, g.pods,
      (g.segment:gsub(" {.*", ""))))
  end
  return 0
end

-- Scripts --------------------------------------------------------------------------------------

local function decide(config, event)
  local script <close>, message = sandbox.load(config.script)
  if not script then return nil, message end
  local answer
  answer, message = script:on_change(event, { health = config })
  return answer, message
end

-- Running --------------------------------------------------------------------------------------

-- Long enough for a verdict about each gateway.
local function rounds_of(watcher)
  local longest = 0
  for _, segment in pairs(watcher.segments) do
    local config <const> = segment.config
    local seconds = (config.multiplier + config.rise + 1) * config.interval / 1000
    if config.probe == "bfd" then seconds = seconds + 5 end
    longest = math.max(longest, seconds)
  end
  return longest
end

local function loop(watcher, signals, seconds)
  local deadline = math.huge
  watcher:step()
  if seconds then deadline = sys.monotonic() + rounds_of(watcher) end
  while sys.monotonic() < deadline do
    local handles <const> = watcher:handles()
    handles[#handles + 1] = signals
    local wait <const> = math.max(math.min(watcher:due(), deadline) - sys.monotonic(), 0)
    local ready <const>, message <const> = sys.poll(handles, wait)
    if not ready then return nil, message end
    if ready[#ready] == signals and signals:read() then return true end
    watcher:step()
  end
  return true
end

local function source_of(args)
  if args.netns or #args.dst > 0 then
    if #args.dst == 0 then return nil, "--netns: destinations must be given" end
    return namespace(args)
  end
  return flow_health.watched()
end

-- What is left of attachments that are gone.
local function sweep(list)
  local there <const> = {}
  for _, description in ipairs(list) do there[description.name] = true end
  for _, name in ipairs(state.names()) do
    if not there[name] and not name:find "^netns:" then state.remove(name) end
  end
end

-- What a round of probes leaves is collected before it doubles what the watcher takes.
local PAUSE <const> = 120 -- percent

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  collectgarbage("incremental", PAUSE)
  if args.status then return print_status(args) end
  local source <const>, message <const> = source_of(args)
  if not source then return nil, message end
  local ok <const>, why <const> = state.prepare()
  if not ok then return nil, why end
  local lock <close> = not args.dry and state.lock() or nil
  if not lock and not args.dry then return nil, "another watcher runs (its lock is held)" end
  local first <const> = source() or {}
  if not args.dry and not args.netns and #args.dst == 0 then sweep(first) end
  local told = false
  local function list()
    if told then return source() end
    told = true
    return first
  end
  local signals <close> = assert(sys.signals { "INT", "TERM", "HUP" })
  local watcher <close> = watcher_of.new { list = list, log = teller(args), dry = args.dry,
    decide = decide }
  if args.restore then
    watcher:scan(sys.monotonic())
    watcher:restore()
    return watcher.failed == 0 and 0 or FAILED
  end
  local ran <const>, wrong <const> = loop(watcher, signals, args.once)
  if not ran then return nil, wrong end
  if args.once and args.json then print(json.encode(watcher:status(), { indent = 2 })) end
  return watcher.failed == 0 and 0 or FAILED
end

return M
