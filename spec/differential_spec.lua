-- Drop-in replacements, as users see them: the reference plugins and ours, by the same names or by
-- their own under `separate`, end alike on random configurations (spec/differential.lua).
--
-- ECMP_SEED begins elsewhere.
-- Most of the time goes into waiting for the kernel to take links and namespaces away, so several
-- processes share the work, each in a sandbox of its own.
local helper = require "spec.helper"
local json = require "ecmp.json"
local pod_of = require "spec.pod"
local random_config = require "spec.random_config"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local FEW <const> = 24
local ROUNDS <const> = FEW * helper.rounds
local SEED <const> = tonumber(os.getenv "ECMP_SEED") or 1
local PROCESSES <const> = 4

local function command(share, out, rounds, kind)
  local text <const> = ("%srequire('spec.differential').share(%q, %d, %d, %d, %s)"):format(
    helper.paths(), out, SEED + share - 1, SEED + rounds - 1, PROCESSES, kind and ("%q"):format(kind))
  return ("sh build-aux/sandbox.sh lua5.4 -e '%s' &"):format(text:gsub("'", "'\\''"))
end

--- What came of all numbers, by number.
local function run(directory, rounds, kind)
  local lines <const>, outcomes <const> = {}, {}
  for i = 1, PROCESSES do lines[i] = command(i, directory .. "/" .. i, rounds, kind) end
  lines[#lines + 1] = "wait"
  local done <const> = assert(sys.spawn { argv = { "sh", "-c", table.concat(lines, "\n") },
    timeout = 60 + 5 * rounds, stderr = "capture" })
  for i = 1, PROCESSES do
    local text <const> = assert(sys.read(directory .. "/" .. i), done.stderr)
    for _, outcome in ipairs(assert(json.decode(text))) do outcomes[outcome.number] = outcome end
  end
  return outcomes
end

-- Links that not every kernel has, as one asks for them.
local KINDS <const> = {
  ipvlan = { name = "x0", type = "ipvlan", link = "v1" },
  vlan = { name = "x0", type = "bridge", vlan_filtering = 1 },
}

local function kernel_has(kind)
  local space <close> = scratch.new(1)
  return space.nl.link:add(KINDS[kind]) ~= nil
end

local function differential(rounds, kind)
  local present <const> = sys.stat(pod_of.reference .. "/bridge") ~= nil
  local able, directory, outcomes = true, nil, nil

  setup(function()
    directory = helper.directory()
    if kind then able = kernel_has(kind) end
    if present and able then outcomes = run(directory, rounds, kind) end
  end)
  teardown(function() helper.remove(directory) end)

  local function test(name, body)
    it(name, function()
      if not present then return pending "containernetworking-plugins is not installed" end
      if not able then return pending("this kernel has no " .. kind) end
      body()
    end)
  end

  for number = SEED, SEED + rounds - 1 do
    local conf <const> = random_config.draw(number, kind).conf
    test(("random configuration %d (%s, %s) has the same outcome"):format(number, kind or conf.type,
      conf.ipam.type), function()
        assert.equal("", outcomes[number].difference or "")
      end)
  end

  test("and enough of the configurations make sense" .. (kind and ", " .. kind or ""), function()
    local succeeded = 0
    for _, outcome in pairs(outcomes) do
      if outcome.succeeded then succeeded = succeeded + 1 end
    end
    assert.is_true(succeeded >= rounds // 3, ("%d of %d"):format(succeeded, rounds))
  end)
end

describe("by the reference plugins' names #netns", function()
  describe("on any kernel", function() differential(ROUNDS) end)
  for _, kind in ipairs { "ipvlan", "vlan" } do
    -- as many at length, or those that this kernel lacks would be skipped by the hundred
    describe("with " .. kind, function() differential(FEW // 2, kind) end)
  end
end)
