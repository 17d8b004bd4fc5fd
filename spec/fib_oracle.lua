--- Every way from a list of up to two entries of one key to a list of up to three, of six shapes a
--- family: what the transition does, and what the kernel holds after each step.
local route_of = require "ecmp.fib.route"
local transition = require "ecmp.fib.transition"

local M = {}

-- The gateways by which an entry is told, one digit each.
local GATEWAYS <const> = {
  [4] = { "10.0.1.2%v1", "10.0.1.3%v1", "10.0.2.3%v2", "10.0.2.4%v2" },
  [6] = { "fd00:0:0:1::2%v1", "fd00:0:0:1::3%v1", "fd00:0:0:2::3%v2", "fd00:0:0:2::4%v2" },
}
local DST <const> = { [4] = "10.60.0.0/16", [6] = "fd60::/32" }
local ADDRESS <const> = { [4] = "10.60.0.1", [6] = "fd60::1" }
local OBJECT <const> = { [4] = 74, [6] = 76 }

local DIGIT <const> = { [4] = {}, [6] = {} }
for family, list in pairs(GATEWAYS) do
  for i, name in ipairs(list) do DIGIT[family][name] = tostring(i) end
end

local function hop(family, digit)
  local via <const>, dev <const> = GATEWAYS[family][digit]:match "^(.+)%%(.+)$"
  return { via = via, dev = dev, weight = digit == 3 and 2 or nil }
end

-- Of two hops the first is in IPv4 that of the other shapes, which the kernel takes for one another.
local SHAPES <const> = {
  G = function(family) return { nexthops = { hop(family, 1) } } end,
  D = function() return { dev = "v1" } end,
  H = function(family) return { nexthops = { hop(family, family == 4 and 1 or 2), hop(family, 3) } } end,
  B = function() return { type = "blackhole" } end,
  N = function(family) return { nhid = OBJECT[family] } end,
  P = function(family) return { nexthops = { hop(family, 1) }, proto = "static", mtu = 1400 } end,
}
local LETTERS <const> = { "G", "D", "H", "B", "N", "P" }

-- All lists of letters of up to `most`.
local function lists(most)
  local all, last = { "" }, { "" }
  for _ = 1, most do
    local longer <const> = {}
    for _, list in ipairs(last) do
      for _, letter in ipairs(LETTERS) do longer[#longer + 1] = list .. letter end
    end
    table.move(longer, 1, #longer, #all + 1, all)
    last = longer
  end
  return all
end

--- The pairs of a family, `have>want`.
function M.pairs(family)
  local found <const> = {}
  for _, have in ipairs(lists(2)) do
    for _, want in ipairs(lists(3)) do found[#found + 1] = ("%d %s>%s"):format(family, have, want) end
  end
  return found
end

--- Routes of the shapes that letters name.
function M.routes(letters, family)
  local list <const> = {}
  for letter in letters:gmatch "." do
    local made <const> = SHAPES[letter](family)
    made.dst, made.family, made.proto = DST[family], family, made.proto or "boot"
    list[#list + 1] = assert(route_of.canonical(made))
  end
  return list
end

-- An entry as text: digits of gateways, d, b or n; p behind another protocol, m behind the mark.
local function entry_text(route)
  local mark <const> = route.proto == "static" and "p"
    or route.proto ~= "boot" and "m" or ""
  if route.nhid then return "n" .. mark end
  if route.type ~= "unicast" then return "b" .. mark end
  local digits <const> = {}
  for i, one in ipairs(route.nexthops) do
    digits[i] = one.via and DIGIT[route.family][one.via .. "%" .. one.dev] or "d"
  end
  return table.concat(digits) .. mark
end

local function state_text(list)
  local texts <const> = {}
  for i, route in ipairs(list) do texts[i] = entry_text(route) end
  return #texts > 0 and table.concat(texts, ",") or "-"
end

-- What the kernel held when a line was recorded.
local function read_state(text, family)
  local list <const> = {}
  for entry in text:gmatch "[^,]+" do
    local made <const> = { dst = DST[family], family = family, table = "main", type = "unicast",
      proto = entry:find "p" and "static" or "boot", mtu = entry:find "p" and 1400 or nil,
      metric = family == 6 and 1024 or nil }
    if entry:find "n" then
      made.nhid = OBJECT[family]
    elseif entry:find "b" then
      made.type = "blackhole"
    elseif entry:find "d" then
      made.dev = "v1"
    else
      made.nexthops = {}
      for digit in entry:gmatch "%d" do table.insert(made.nexthops, hop(family, tonumber(digit))) end
    end
    if entry ~= "-" then list[#list + 1] = assert(route_of.held(made)) end
  end
  return list
end

local function step_text(step)
  return step.verb .. " " .. entry_text(step.route or step.old)
end

local function refused_text(message, code)
  return ("refused %s %s"):format(message:match "^(%l+): the routes" or "twice", code)
end

--- What the model says of a recorded line: the line itself, where it is right.
function M.predict(line)
  local family, have, want, held = line:match "^(%d) (%u*)>(%u*): ([^;]+)"
  family = tonumber(family)
  if held == "impossible" then return line end
  local steps <const>, message <const>, code <const> =
    transition.between(read_state(held, family), M.routes(want, family))
  local parts <const> = { ("%d %s>%s: %s"):format(family, have, want, held) }
  if not steps then parts[2] = refused_text(message, code) end
  for _, step in ipairs(steps or {}) do
    parts[#parts + 1] = ("%s = %s"):format(step_text(step), state_text(step.after))
  end
  return table.concat(parts, "; ")
end

-- The kernel ---------------------------------------------------------------------------------------

--- Makes the devices' gateways answer to objects.
function M.prepare(nl)
  assert(nl.nexthop:add { id = OBJECT[4], via = "10.0.2.4", dev = "v2" })
  assert(nl.nexthop:add { id = OBJECT[6], via = "fd00:0:0:2::4", dev = "v2" })
end

function M.held(nl, family)
  local list <const> = {}
  for i, view in ipairs(assert(nl.route:list { dst = DST[family] })) do
    list[i] = assert(route_of.held(view))
  end
  return list
end

--- Whether the prefix has a route. A blackhole answers, too.
function M.answers(nl, family)
  local found <const>, _, code = nl.socket:request("flow", "get", { dst = ADDRESS[family] })
  return found ~= nil or code == "EINVAL"
end

--- Empties the key.
function M.clear(nl, family)
  repeat
    local gone <const> = nl:batch { { "route del", { dst = DST[family], family = family } } }[1]
  until gone ~= true
end

-- Sends what a step asks for, one request after the other, and asks after each.
local function carry_out(nl, family, step)
  local gap = false
  local needed <const> = step.before[1] and step.after[1]
  for _, send in ipairs((transition.requests(step))) do
    for _, request in ipairs(send) do
      local result <const> = nl:batch { request }[1]
      if result ~= true then return result.message end
      gap = gap or needed and not M.answers(nl, family)
    end
  end
  return gap and "no answer" or nil
end

--- Carries a pair out in the kernel: the line to be kept.
function M.record(nl, pair)
  local family, have, want = pair:match "^(%d) (%u*)>(%u*)$"
  family = tonumber(family)
  M.clear(nl, family)
  for _, route in ipairs(M.routes(have, family)) do
    local made <const> = nl:batch { { "route append", route_of.request(route) } }[1]
    if made ~= true then return pair .. ": impossible" end
  end
  local held <const> = M.held(nl, family)
  local parts <const> = { ("%s: %s"):format(pair, state_text(held)) }
  local steps <const>, message <const>, code <const> =
    transition.between(held, M.routes(want, family))
  if not steps then parts[2] = refused_text(message, code) end
  for _, step in ipairs(steps or {}) do
    local wrong <const> = carry_out(nl, family, step)
    parts[#parts + 1] = ("%s = %s%s"):format(step_text(step), state_text(M.held(nl, family)),
      wrong and " !" .. wrong or "")
  end
  if steps and transition.between(M.held(nl, family), M.routes(want, family))[1] then
    parts[#parts + 1] = "!not what is wanted"
  end
  for _, step in ipairs(steps and steps[1] and transition.inverse(steps[1], steps[#steps]) or {}) do
    local wrong <const> = carry_out(nl, family, step)
    if wrong then parts[#parts + 1] = "!undo: " .. wrong end
  end
  if transition.between(M.held(nl, family), held, transition.EXACTLY)[1] then
    parts[#parts + 1] = ("!undone: %s"):format(state_text(M.held(nl, family)))
  end
  return table.concat(parts, "; ")
end

return M
