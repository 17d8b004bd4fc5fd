--- Plays the cases of spec/peer_suites/: the commands of each by `ip` and by us, in a namespace each, and what
--- is shown in the end.
local rtnl <const> = require "ecmp.rtnl"
local scratch <const> = require "spec.scratch"
local sys <const> = require "ecmp.sys"

local M = {}

local function lines_of(text)
  local list <const> = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line:match "^%s*(.-)%s*$" end
  return list
end

--- The lines of a text, as one without the blanks around them.
function M.plain(text)
  return table.concat(lines_of(text), "\n")
end

-- "-6 route add ..." is `{ family = 6, kind = "route", verb = "add", rest = "...", text = all but the code }`.
local function command_of(line)
  local text <const>, code <const> = line:match "^(.-)%s*=>%s*(%u+)$"
  local family <const>, kind <const>, verb <const>, words <const> =
    (text or line):match "^%-?([46]?)%s*(%l+)%s+([%l_]+)%s*(.*)$"
  -- a filter by address is positional here
  local rest <const> = kind == "addr" and words:gsub("%f[%w]to ", "") or words
  return { family = math.tointeger(tonumber(family)), kind = kind, verb = verb, rest = rest, code = code,
           text = text or line }
end

-- Words as fields, with the family that `ip` is told before them.
local function value_of(command)
  if command.rest == "" then return { family = command.family } end
  local is_flow <const> = command.kind == "route" and command.verb == "get"
  local value <const>, message <const> = rtnl.parse(is_flow and "flow" or command.kind, command.rest)
  if not value then return nil, message end
  value.family = value.family or command.family
  return value
end

local Ours <const>, Theirs <const> = { who = "ours" }, { who = "ip" }
M.ours, M.theirs = Ours, Theirs

function Ours.run(space, line)
  local command <const> = command_of(line)
  local value <const>, why <const> = value_of(command)
  if not value then return nil, why, "EINVAL", command end
  local object <const> = space.nl[command.kind]
  local ok <const>, message <const>, code <const> = object[command.verb](object, value)
  return ok, message, code, command
end

function Ours.show(space, line)
  local command <const> = command_of(line)
  local value <const> = assert(value_of(command))
  if command.verb == "get" then return assert(space.nl[command.kind]:get(value)):text { table = true } end
  return tostring(assert(space.nl[command.kind]:list(value)))
end

function Theirs.run(space, line)
  local command <const> = command_of(line)
  local argv <const> = { "ip" }
  for word in command.text:gmatch "%S+" do argv[#argv + 1] = word end
  local done <const> = assert(sys.spawn { argv = argv, netns = space.path, timeout = 20, stderr = "capture" })
  return done.status == 0, done.stderr, nil, command
end

function Theirs.show(space, line)
  return space:ip(line)
end

-- Of a link what is asked for: states come in their own time, most hardware addresses by chance.
local function link_shown(line)
  local name <const>, flags <const>, mtu <const> = line:match "^%d+: ([^:@]+)[^<]*<([^>]*)> mtu (%d+)"
  local words <const> = { name, (flags .. ","):find("UP,", 1, true) and "up" or "down", "mtu", mtu }
  for _, pattern in ipairs { "master %S+", "alias %S+", "link/ether 02:00:%S+" } do
    words[#words + 1] = line:match(" (" .. pattern .. ")")
  end
  return table.concat(words, " ")
end

-- A listing, an object a line, without what a moment decides.
function M.shown(text)
  local list <const> = {}
  for line in text:gsub("\r", ""):gsub("\n%s+", " "):gmatch "[^\n]+" do
    if line:find "^%d+: [^:]+: <" and not line:find " inet" then
      list[#list + 1] = link_shown(line)
    else
      list[#list + 1] = line:gsub("^%d+: [^:]+: <.-( inet)", "%1"):gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
        :gsub(" cache ?.*", ""):gsub(" linkdown", ""):gsub("(%l+) %d+sec", "%1 some"):gsub(" uid 0", "")
        :gsub(" used %S+", ""):gsub(" probes %d+", "")
    end
  end
  return table.concat(list, "\n")
end

-- A namespace after the last case is one for the next where nothing is left in it.
local CLEAN <const> = [[
route flush table all proto boot
route flush table all proto static
neigh flush all nud permanent
nexthop flush
]]
local STATE <const> = "link show\naddr show\nroute show table all\nrule show\nnexthop show\n"
  .. "neigh show nud permanent\nneigh show proxy\n"

-- What `ip` says to many commands of one family.
local function batch(space, family, lines)
  return assert(sys.spawn { argv = { "ip", "-o", "-force", family, "-batch", "-" }, stdin = lines,
    netns = space.path, timeout = 20, stderr = "capture" }).stdout
end

-- What settles by itself is left out: states of links, and what IPv6 makes of their addresses.
local function state_of(space)
  local list <const> = {}
  for line in (batch(space, "-4", STATE) .. batch(space, "-6", STATE)):gmatch "[^\n]+" do
    if not line:find "fe80:" and not line:find "ff00::/8" then
      list[#list + 1] = line:gsub("<.->", ""):gsub("state %u+", ""):gsub(" linkdown", "")
    end
  end
  return table.concat(list, "\n")
end

local kept <const> = {}

local function space_for(who)
  local last <const> = kept[who]
  kept[who] = nil
  if last then
    for _, family in ipairs { "-4", "-6" } do batch(last.space, family, CLEAN) end
    if state_of(last.space) == last.state then return last end
    last.space:close()
  end
  local space <const> = scratch.new(2)
  return { space = space, state = state_of(space) }
end

-- One case by one of the two; what is shown in the end.
function M.play(case, by)
  local who <const> = by.who
  local place <const> = space_for(who)
  local good <const>, result <const> = pcall(function()
    for _, line in ipairs(lines_of(case[3])) do
      local ok <const>, message <const>, code <const>, command <const> = by.run(place.space, line)
      if command.code then
        assert(not ok, line .. ": this was not refused by " .. who)
        assert(not code or code == command.code, message)
      else
        assert(ok, ("%s, by %s: %s"):format(line, who, message))
      end
    end
    return M.shown(by.show(place.space, case[4]))
  end)
  kept[who] = place
  assert(good, result)
  return result
end

--- Lets the namespaces go.
function M.close()
  for who, place in pairs(kept) do
    place.space:close()
    kept[who] = nil
  end
end

local ENCAPS <const> = {
  mpls = "192.0.2.0/24 encap mpls 100 via 10.0.1.2",
  seg6 = "2001:db8::/64 encap seg6 mode encap segs fc00::1 dev v1",
  seg6local = "2001:db8::/64 encap seg6local action End dev v1",
}

--- Whether the kernel has "link KIND", or "encap TYPE".
function M.kernel_has(needs)
  local space <close> = scratch.new(1)
  local what <const>, which <const> = needs:match "^(%l+) (%w+)$"
  if what == "link" then return space:knows(which) end
  return (pcall(space.ip, space, "route add " .. ENCAPS[which]))
end

return M

