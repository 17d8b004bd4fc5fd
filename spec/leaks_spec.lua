-- What is done over and over, and ends otherwise than by success, loses no byte of Lua's or of C's, and no
-- descriptor. ROUNDS=200, as in `make soak`, are 10,000 rounds of each.
local helper = require "spec.helper"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local COUNT <const> = 50 * helper.rounds

-- What one round does, with `nl`, a handle, and `other`, a second one that makes changes.
local KINDS <const> = {
  ["monitors that overrun, time out and are refused a list"] = [[
    local monitor <close> = nl:monitor({ "route", "link" }, { timeout = 0, buffer = 2048 })
    for i = 1, 20 do other.route:add { dst = ("10.70.%d.0/24"):format(i), via = "10.0.1.2" } end
    for i = 1, 20 do other.route:del { dst = ("10.70.%d.0/24"):format(i) } end
    local list = nl.route.list
    nl.route.list = function() return nil, "refused", "EIO" end
    for _ = 1, 3 do pcall(monitor.next, monitor) end
    nl.route.list = nil
    pcall(function() for _ in monitor do error "left" end end)
    assert(not pcall(nl.monitor, nl, { "route" }, { timeout = "x" }))]],
  ["transactions that are begun and rolled back"] = [[
    local change = nl:begin()
    assert(change.route:add { dst = "10.70.0.0/16", via = "10.0.1.2" })
    assert(not change.route:add { dst = "10.71.0.0/16", via = "192.0.2.1" })
    assert(change.addr:add "10.0.77.1/24 dev v1")
    assert(change:rollback())
    do local left <close> = nl:begin() left.route:add { dst = "10.70.0.0/16", via = "10.0.1.2" } end
    nl:begin():commit()]],
  ["lists that are left in the middle"] = [[
    for _ in nl.route:each { table = "all" } do break end
    pcall(function() for _ in nl.link:each() do error "left" end end)
    for _ in nl.addr:each() do break end]],
  ["batches with refusals"] = [[
    local changes = {}
    for i = 1, 20 do
      changes[i] = { "route add", { dst = ("10.70.%d.0/24"):format(i), via = i % 3 == 0 and "192.0.2.1" or "10.0.1.2" } }
    end
    changes[21] = { "route del", { dst = "10.99.0.0/16" } }
    nl:batch(changes)
    for i = 1, 20 do changes[i][1] = "route del" end
    nl:batch(changes)
    assert(not pcall(nl.batch, nl, { { "route add", { dst = "x" } } }))]],
}

local SCRIPT <const> = [[
local ecmp, sys = require "ecmp", require "ecmp.sys"
local heap = %s
local nl, other = assert(ecmp.open()), assert(ecmp.open())
local function round()
  %s
end
local function measure(count)
  for i = 1, count do
    round()
    if i %% 50 == 0 then collectgarbage() end
  end
  for _ = 1, 3 do collectgarbage() end
  return heap(), collectgarbage "count" * 1024 // 1, #assert(sys.list "/proc/self/fd")
end
local before = { measure(%d) }
local after = { measure(%d) }
for i, name in ipairs { "bytes in all", "bytes of Lua", "descriptors" } do
  print(("%%s: %%d"):format(name, after[i] - before[i]))
end
]]

describe("rounds #netns", function()
  local dir, space

  setup(function() dir = helper.directory() end)
  teardown(function() helper.remove(dir) end)
  before_each(function() space = scratch.new(2) end)
  after_each(function() space:close() end)

  -- The sanitizers have a heap of their own, and find by themselves what is lost in it.
  local function heap()
    if helper.build ~= "build" then return "function() return 0 end" end
    local path <const> = dir .. "/heap.so"
    if not sys.stat(path) then
      local built <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = { os.getenv "CC" or "cc",
        "-I/usr/include/lua5.4", "-shared", "-fPIC", "-O1", "-o", path, "spec/heap.c" } })
      assert(built.status == 0, built.stderr)
    end
    return ("assert(package.loadlib(%q, 'luaopen_heap'))()"):format(path)
  end

  for kind, text in pairs(KINDS) do
    it(("of %s lose nothing"):format(kind), function()
      local env <const> = sys.environ()
      env[#env + 1] = "GLIBC_TUNABLES=glibc.malloc.tcache_count=0" -- what it keeps counts as used
      local done <const> = helper.lua(SCRIPT:format(heap(), text, math.max(200, COUNT // 5), COUNT),
        { netns = space.path, stderr = "capture", env = env, timeout = 3600 })
      assert.equal(0, done.status, done.stderr)
      local bytes <const>, own <const>, descriptors <const> =
        done.stdout:match "^bytes in all: (%-?%d+)\nbytes of Lua: (%-?%d+)\ndescriptors: (%-?%d+)\n$"
      assert.equal("0", descriptors)
      -- tables of names and the like grow to the size that they need; less than half a byte a round
      local most <const> = math.max(4096, COUNT // 2)
      assert.is_true(tonumber(bytes) <= most and tonumber(own) <= most, done.stdout)
    end)
  end
end)
