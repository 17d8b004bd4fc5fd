---ecmp spread: which share of flows takes which next hop, by the kernel's own answer.
local bars = require "ecmp.nl.bars"
local ecmp = require "ecmp"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local packets = require "ecmp.nl.packets"
local sys = require "ecmp.sys"
local terminal = require "ecmp.repl.terminal"

local M = { name = "spread", summary = "show which share of flows takes which next hop" }

local NARROWEST <const>, BESIDE_BAR <const> = 10, 50

local function positive(text)
  local number <const> = math.tointeger(tonumber(text))
  if not number or number < 1 then return nil, ("'%s' is no positive number"):format(text) end
  return number
end

local function port(text)
  local number <const> = positive(text)
  if not number or number > 65535 then return nil, ("'%s' is no port"):format(text) end
  return number
end

local function address(text)
  local value <const>, message <const> = ip.parse(text)
  if not value then return nil, message end
  return text
end

function M.setup(parser)
  parser:argument("dst", "an address, or a prefix whose addresses are varied"):convert(address)
  parser:option("--netns", "a namespace: a name, a path or a pid"):argname("N")
  parser:option("--flows", "how many flows"):argname("K"):default("1000"):convert(positive)
  parser:option("--src", "the flows' source address"):argname("ADDRESS"):convert(address)
  parser:option("--proto", "their protocol"):choices({ "udp", "tcp" }):default("udp")
  parser:option("--dport", "their destination port"):argname("PORT"):convert(port):default("443")
  parser:option("--iif", "the device they come in by, for forwarded flows"):argname("DEV")
  parser:option("--mark", "their firewall mark"):argname("MARK"):convert(tonumber)
  parser:flag("--measured", "packets that next hops took, where the route uses a group of "
    .. "next-hop objects and the kernel counts (Linux 6.9), in place of what flows would take")
  parser:flag("--json", "print JSON")
  parser:epilog("Behind a weight stands the share that it asks for. Flows differ in their source "
    .. "ports, and in their destinations where DST is a prefix. Whether ports count is "
    .. "net.ipv4.fib_multipath_hash_policy (1: yes), and the same for ipv6.")
end

local function width()
  local columns <const> = sys.isatty(1) and sys.winsize(1) or 80
  return math.max(NARROWEST, math.min(columns - BESIDE_BAR, 60))
end

local function percent_of(share) return share and math.floor(share * 1000 + 0.5) / 10 end

-- ip's words for a hop, and ours for its share.
local function objects(hops)
  local list <const> = json.array {}
  for i, hop in ipairs(hops) do
    list[i] = { gateway = hop.via, dev = hop.dev, weight = hop.weight, error = hop.name,
                flows = hop.flows, packets = hop.packets, percent = percent_of(hop.share),
                asked = percent_of(hop.asked) }
  end
  return list
end

local function asked(nl, args)
  local tell <const>, clear <const> = terminal.progress "asking for flow"
  local hops <const>, message <const> = nl.route:spread {
    dst = args.dst, flows = args.flows, src = args.src, proto = args.proto, dport = args.dport,
    iif = args.iif, mark = args.mark, progress = tell,
  }
  clear()
  return hops, message
end

local function measured(nl, args)
  return packets.shares(nl, {
    dst = tostring(ip.parse(args.dst):address()), src = args.src, proto = args.proto,
    dport = args.dport, iif = args.iif, mark = args.mark,
  })
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local nl <close>, message = ecmp.open { netns = args.netns }
  if not nl then return nil, message end
  local hops
  hops, message = (args.measured and measured or asked)(nl, args)
  if not hops then return nil, message end
  if args.json then
    print(json.encode(objects(hops)))
  else
    print(bars.text(hops, { width = width(), colour = terminal.colour() }))
  end
  return 0
end

return M
