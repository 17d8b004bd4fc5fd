-- Commands of which a call to the kernel fails, or was the last: nothing is half done, or the next one does the
-- rest. With `make faults` that is each call; otherwise a few, drawn.
local cli = require "spec.cli"
local ecmp = require "ecmp"
local faults = require "spec.faults"
local helper = require "spec.helper"
local install = require "ecmp.command.install"
local state = require "ecmp.health.state"
local sys = require "ecmp.sys"

local traced <const> = faults.available and it or pending
local PROGRAM <const> = sys.realpath(helper.build .. "/bin/ecmp")

-- What somebody who called the command reads.
local function assert_told(outcome)
  if outcome.signal or outcome.status == 0 then return end
  assert.matches("^ecmp: .*\n$", outcome.stderr)
end

describe("ecmp apply of which a call fails #netns", function()
  local shell, old, wanted
  local BEFORE <const> = { "10.9.0.0/16 via 10.0.1.1 dev eth1 proto static",
    "10.10.0.0/16 nexthop via 10.0.1.1 dev eth1 weight 1 nexthop via 10.0.2.1 dev eth2 weight 1",
    "2001:db8:77::/48 via 2001:db8:1::1 dev eth1 metric 1024 pref medium" }
  local AFTER <const> = { "10.9.0.0/16 via 10.0.2.1 dev eth2 proto static", "10.20.0.0/16 via 10.0.1.1 dev eth1",
    "2001:db8:77::/48 via 2001:db8:2::1 dev eth2 metric 1024 pref medium",
    "2001:db8:78::/48 via 2001:db8:2::1 dev eth2 metric 1024 pref medium" }

  before_each(function()
    shell = cli.new()
    old, wanted = shell:file("old", table.concat(BEFORE, "\n") .. "\n"), shell:file("new", table.concat(AFTER, "\n") .. "\n")
  end)
  after_each(function() shell:close() end)

  local function run(file)
    return assert(sys.spawn { argv = { PROGRAM, "apply", "--force", file }, netns = shell.path, stderr = "capture",
      timeout = 60 })
  end

  local function must(file)
    local outcome <const> = run(file)
    assert.equal(0, outcome.status, outcome.stderr)
  end

  local function made()
    local lines <const> = {}
    for line in shell:ip_routes():gsub("\n\t", " "):gmatch "[^\n]+" do
      if not line:find "proto kernel" then lines[#lines + 1] = line end
    end
    return table.concat(lines, "\n")
  end

  -- Whether a watchdog has something to do.
  local function is_watched()
    for _, name in ipairs(sys.list "/run/ecmp" or {}) do
      local pid <const> = name:find "%.watchdog$" and tonumber(sys.read("/run/ecmp/" .. name))
      if pid and not helper.has_ended(math.tointeger(pid)) then return true end
    end
    return false
  end

  local function take_back()
    return assert(sys.spawn { argv = { PROGRAM, "apply", "--undo" }, netns = shell.path, stderr = "capture",
      timeout = 60 })
  end

  for _, kill in ipairs { false, true } do
    traced("leaves the old routes or the new ones where it " .. (kill and "is killed" or "fails"), function()
      local texts <const> = {}
      for _, file in ipairs { old, wanted } do
        must(file)
        texts[#texts + 1] = made()
      end
      faults.sweep({ argv = { PROGRAM, "apply", wanted }, netns = shell.path }, kill, {
        before = function() must(old) end,
        after = function(outcome)
          assert_told(outcome)
          helper.eventually(function() return not is_watched() end)
          -- killed before there was a watchdog, and before anything was changed
          if kill then take_back() end
          local found <const> = made()
          assert.is_true(found == texts[2] or outcome.status ~= 0 and found == texts[1], found)
          must(wanted)
          assert.equal(texts[2], made())
        end,
        mend = function()
          take_back()
          run(old)
        end })
    end)
  end
end)

describe("ecmp install of which a call fails", function()
  local dir, target
  before_each(function()
    dir = helper.directory()
    target = dir .. "/cni"
  end)
  after_each(function() helper.remove(dir) end)

  for _, kill in ipairs { false, true } do
    traced("leaves no half file where it " .. (kill and "is killed" or "fails"), function()
      local bytes <const> = assert(sys.read(PROGRAM))
      local argv <const> = { PROGRAM, "install", "--replace", "bridge", target }
      faults.sweep({ argv = argv }, kill, {
        before = function()
          helper.remove(target)
          assert(sys.mkdir(target))
          assert(sys.create(target .. "/bridge", "old", 493))
        end,
        after = function(outcome)
          assert_told(outcome)
          local program <const>, bridge <const> = sys.read(target .. "/ecmp"), sys.read(target .. "/bridge")
          assert.is_true(program == nil or program == bytes)
          assert.is_true(bridge == "old" or bridge == bytes)
          if bridge == bytes then assert.equal("old", sys.read(target .. "/bridge.orig")) end
          local again <const> = assert(sys.spawn { argv = argv, stderr = "capture", timeout = 60 })
          assert.equal(0, again.status, again.stderr)
          for _, name in ipairs(sys.list(target)) do assert.is_nil(name:find "^%.ecmp%-", name) end
          for _, name in ipairs(install.links()) do assert.equal("ecmp", sys.readlink(target .. "/" .. name)) end
          assert.equal("old", sys.read(target .. "/bridge.orig"))
        end })
    end)
  end
end)

describe("ecmp watch of which a call fails #netns", function()
  local lab
  before_each(function()
    lab = assert(ecmp.lab { gateways = 3, shared = true })
    for _, family in ipairs { 4, 6 } do
      assert(lab.pod.sysctl:set(("net.ipv%d.fib_multipath_hash_policy"):format(family), 1))
      assert(lab.pod.route:add { dst = "default", nexthops = lab:hops(family) })
    end
  end)
  after_each(function() lab:close() end)

  local function routes(family)
    return tostring(lab.pod.route:list { dst = "default", family = family })
  end

  local function argv_of(word)
    return { PROGRAM, "watch", "--netns", lab:path "pod", "--interval", "20", "--hold", "0", "default", word }
  end

  -- Waits until the running watcher says so of the first gateway, in both families.
  local function await(wanted)
    helper.eventually(function()
      local found <const> = state.status()
      local count = 0
      for _, one in ipairs(found and found.gateways or {}) do
        local is_first <const> = one.gateway == lab:gateway("gw1").via[4] or one.gateway == lab:gateway("gw1").via[6]
        if is_first and one.state == wanted then count = count + 1 end
      end
      return count == 2
    end)
  end

  -- A watcher takes the first gateway out, and ends; then it answers again.
  local function take_out()
    for _, name in ipairs(state.names()) do state.remove(name) end
    do
      local pid <const> = assert(sys.spawn { argv = argv_of(), detach = true }).pid
      local ended <close> = setmetatable({}, { __close = function() -- luacheck: ignore 211
        sys.kill(pid, "TERM")
        helper.eventually(function() return helper.has_ended(pid) end)
      end })
      await "up"
      assert(lab:cut("gw1", "deaf"))
      await "out"
    end
    assert(lab:heal "gw1")
  end

  for _, kill in ipairs { false, true } do
    for _, word in ipairs { "--restore", "--once" } do
      traced(("brings all gateways back in the end where %s %s"):format(word, kill and "is killed" or "fails"), function()
        local was <const>, out <const> = { [4] = routes(4), [6] = routes(6) }, {}
        faults.sweep({ argv = argv_of(word) }, kill, {
          before = function()
            take_out()
            for _, family in ipairs { 4, 6 } do
              out[family] = routes(family)
              assert.are_not.equal(was[family], out[family])
            end
          end,
          after = function(outcome)
            assert_told(outcome)
            for _, family in ipairs { 4, 6 } do
              local found <const> = routes(family)
              assert.is_true(found == was[family] or found == out[family], found)
            end
            local again <const> = assert(sys.spawn { argv = argv_of "--restore", stderr = "capture", timeout = 60 })
            assert.equal(0, again.status, again.stderr)
            for _, family in ipairs { 4, 6 } do assert.equal(was[family], routes(family)) end
            assert.same({}, state.names())
          end,
          mend = function() sys.spawn { argv = argv_of "--restore", timeout = 60 } end })
      end)
    end
  end
end)
