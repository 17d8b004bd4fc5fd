--- Names that a site gives in /etc/iproute2: typed and printed as `ip` does, and nowhere else.
local helper = require "spec.helper"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local ROUTES <const> = [[
10.9.0.0/16 dev v1 table blue proto ours
10.9.0.0/16 via 10.0.1.2 table 1000 proto 99
10.8.0.0/16 dev v1 scope near
fd09::/16 dev v1 table blue metric 5
]]

-- What the names are read by is made anew in a process of its own, where the files lie.
local TYPED <const> = [[
  local ecmp = require "ecmp"
  local nl = assert(ecmp.open { netns = %q })
  for words in (%q):gmatch "[^\n]+" do assert(nl.route:add(words)) end
  assert(nl.rule:add "from 10.0.0.0/8 lookup blue proto ours priority 50")
  assert(nl.route:list { table = 50, family = 4 }[1].table == 50)
  assert(not pcall(nl.route.list, nl.route, { table = "blue" }))
  print(nl.route:list { table = "all", family = 4 }:text { details = true })
  print(nl.route:list { table = "all", family = 6 })
  print(nl.rule:list { family = 4 })
]]

describe("names of /etc/iproute2 #netns", function()
  it("are typed and printed as ip does", function()
    local directory <const> = helper.directory()
    for _, name in ipairs { "/rt_tables", "/rt_protos", "/rt_scopes" } do
      assert(sys.create(directory .. name, assert(sys.read("/etc/iproute2" .. name))))
    end
    assert(sys.replace(directory .. "/rt_tables", assert(sys.read "/etc/iproute2/rt_tables")
      .. "50 blue # of the site\n"))
    assert(sys.replace(directory .. "/rt_scopes", assert(sys.read "/etc/iproute2/rt_scopes")
      .. "0x64\tnear\n"))
    assert(sys.mkdir(directory .. "/rt_protos.d"))
    assert(sys.create(directory .. "/rt_protos.d/site.conf", "77 ours\n"))
    assert(sys.bind(directory, "/etc/iproute2"))
    local space <close> = scratch.new(1)
    local run <const> = helper.lua(TYPED:format(space.path, ROUTES), { stderr = "capture" })
    local theirs <const> = table.concat({ space:show "-4 -d route show table all",
      space:show "-6 route show table all", space:show "rule show" }, "\n") .. "\n"
    local json <const> = sys.spawn { argv = { "sh", "-c", [[
      nsenter --net=$2 ip -j route show table all
      echo
      $1 show --netns $2 --json --table all
      $1 show --netns $2 --json --table blue
      echo "10.1.0.0/16 dev lo proto ours" | $1 apply --netns $2 --dry-run --proto ours -
    ]], "sh", helper.build .. "/bin/ecmp", space.path }, stderr = "capture", timeout = 20 }
    assert(sys.umount "/etc/iproute2")
    helper.remove(directory)
    assert.same({ "", 0 }, { json.stderr, json.status })
    for _, field in ipairs { '"protocol": ?"ours"', '"table": ?"blue"' } do
      local times <const> = select(2, json.stdout:gsub(field, ""))
      assert.is_true(times >= 2, field)
    end
    assert.equal("", run.stderr)
    assert.equal(theirs, run.stdout)
    assert(theirs:find("table blue proto ours", 1, true) and theirs:find("scope near", 1, true))
    assert(theirs:find("lookup blue proto ours", 1, true))
  end)
end)
