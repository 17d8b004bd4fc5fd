---What `help` prints.

local shown = require("ecmp.errors").shown

local M = {}

M.overview = [[
Everything typed here is Lua; a bare expression prints its value. The place is in the prompt: in
`scratch` nothing reaches the host, and all is gone when you leave (Ctrl-D, or exit()).

  nl.route:list()                    routes; also nl.link, nl.addr, nl.nexthop, nl.rule, nl.neigh
  nl.route:add { dst = "default", via = "10.0.0.1" }
  nl.route:add "default via 10.0.0.1"                           as typed after `ip route add`
  nl.route:get { dst = "192.0.2.1", proto = "udp", sport = 5, dport = 443 }    one flow's way
  spread "192.0.2.1"                 the ways of a thousand

  lab = ecmp.lab { gateways = 3 }    a pod, routers and a server, with real wires
  use(lab.pod)   use()               nl is the pod's now; and that of this place again
  ip route show   sh "ping gw1"      commands, in the namespace that nl is of
  nl.route:add { dst = "default", nexthops = lab:hops(4) }
  lab:send { flows = 1000 }          real packets, counted at the gateways
  lab:fail "gw2"   lab:cut("gw2", "packets")   lab:heal()   lab:draw()

  before = snapshot()   diff(before)                  what has changed since
  plan "default via 10.0.0.1"   apply(plan(...))      the changes to a list of routes; make them
  undo()   redo()   journal                           the statements that changed something
  source "file.lua"                                   run a script, statement by statement

help "route", help "lab", help "plan", ... say more; so do ? and ? route.]]

M.topics = {
  route = [[
nl.route: list { dst, dev, via, table, proto, type, metric, family }, each,
  get { dst, src, sport, dport, proto, mark, iif }, spread { dst, flows, src, proto, dport },
  add, replace, append, prepend, change, del, flush, add_nexthop(dst, hop), del_nexthop(dst, hop),
  set_nexthop(dst, hop)
A route: dst via dev metric table proto scope src type onlink mtu advmss nhid encap
  nexthops = { { via, dev, weight, onlink, encap }, ... }]],
  link = [[
nl.link: list, get { dev = }, add { name =, type = "veth", peer = { name = } },
  set { dev =, up =, mtu =, master =, netns = }, del { dev = }]],
  addr = [[
nl.addr: list { dev = }, add { dev =, address = "10.0.0.1/24", nodad = true }, replace, del]],
  nexthop = [[
nl.nexthop: list, add { id = 1, via =, dev = }, replace, del { id = },
  add { id = 10, group = { { id = 1 }, { id = 2, weight = 3 } } },
  add { id = 11, type = "resilient", buckets = 64, group = ... }; a route uses it by nhid = 10]],
  rule = [[
nl.rule: list, add { from =, fwmark =, table =, priority = }, del]],
  neigh = [[
nl.neigh: list { dev = }, add { dst =, dev =, lladdr =, state = }, replace, del { dst =, dev = }]],
  sysctl = [[
nl.sysctl:get "net.ipv4.fib_multipath_hash_policy"
nl.sysctl:set("net.ipv4.fib_multipath_hash_policy", 1)]],
  lab = [[
ecmp.lab { gateways = 3, families = { 4, 6 }, shared = false }
lab.pod, lab.server, lab:gateway "gw1".nl     handles
lab:hops(4), lab:hops(6)                      its gateways as next hops
lab:send { flows, family, dst, dport }        real UDP; lab:predict: the kernel's word on the same
lab:fail("gw2"), lab:heal("gw2"), lab:heal()
lab:cut("gw2", "link" | "carrier" | "packets" | "deaf" | "uplink")
lab:draw(), lab:draw "svg", lab:run("gw1", { "ip", "route" }), lab:path "pod", lab:close()]],
  plan = [[
plan(wanted): the changes that make the routes of proto boot and static, in the tables named, into
  `wanted`: a list of routes, text as `ip route` prints it, a snapshot, or the name of a file.
plan(current, wanted): the changes between two lists.
apply(x): carries out a plan, or plan(x). undo() takes it back.]],
  undo = [[
undo(n), redo(n): take back, or do again, the last n statements (1) that changed something by nl,
with what the kernel took away because of it (routes with an address, say).
What changed in other ways (os.execute, a lab's other handles) is not in the journal. A deleted
link cannot be taken back.]],
  sh = [[
sh "ip route | head": a command of the shell, in the namespace that nl is of; so is os.execute.
A line that begins with `ip ` is one, too. What commands change is not in the journal.]],
  snapshot = [[
snapshot(): all routes, next hops, links, addresses and rules now.
diff(a, b), diff(a): what b, or now, has otherwise.]],
}
M.topics.redo, M.topics.journal = M.topics.undo, M.topics.undo
M.topics.diff, M.topics.apply = M.topics.snapshot, M.topics.plan

---@param topic? string
---@return string
function M.text(topic)
  if topic == nil then return M.overview end
  local known <const> = M.topics[tostring(topic)]
  if known then return known end
  local names <const> = {}
  for name in pairs(M.topics) do names[#names + 1] = name end
  table.sort(names)
  return ("help: there is nothing on '%s'; there is on: %s")
    :format(shown(topic), table.concat(names, ", "))
end

return M
