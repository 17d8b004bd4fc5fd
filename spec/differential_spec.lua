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
local sys = require "ecmp.sys"

local ROUNDS <const> = 24 * helper.rounds
local SEED <const> = tonumber(os.getenv "ECMP_SEED") or 1
local PROCESSES <const> = 4

local function command(share, out)
  local text <const> = ("%srequire('spec.differential').share(%q, %d, %d, %d)"):format(
    helper.paths(), out, SEED + share - 1, SEED + ROUNDS - 1, PROCESSES)
  return ("sh build-aux/sandbox.sh lua5.4 -e '%s' &"):format(text:gsub("'", "'\\''"))
end

--- What came of all numbers, by number.
local function run(directory)
  local lines <const>, outcomes <const> = {}, {}
  for i = 1, PROCESSES do lines[i] = command(i, directory .. "/" .. i) end
  lines[#lines + 1] = "wait"
  local done <const> = assert(sys.spawn { argv = { "sh", "-c", table.concat(lines, "\n") },
    timeout = 60 + 5 * ROUNDS, stderr = "capture" })
  for i = 1, PROCESSES do
    local text <const> = assert(sys.read(directory .. "/" .. i), done.stderr)
    for _, outcome in ipairs(assert(json.decode(text))) do outcomes[outcome.number] = outcome end
  end
  return outcomes
end

describe("by the reference plugins' names #netns", function()
  local present <const> = sys.stat(pod_of.reference .. "/bridge") ~= nil
  local test <const> = present and it or pending
  local directory, outcomes

  setup(function()
    directory = helper.directory()
    if present then outcomes = run(directory) end
  end)
  teardown(function() helper.remove(directory) end)

  for number = SEED, SEED + ROUNDS - 1 do
    local conf <const> = random_config.draw(number).conf
    test(("random configuration %d (%s, %s) has the same outcome"):format(number, conf.type,
      conf.ipam.type), function()
        assert.equal("", outcomes[number].difference or "")
      end)
  end

  test("and enough of the configurations make sense", function()
    local succeeded = 0
    for _, outcome in pairs(outcomes) do
      if outcome.succeeded then succeeded = succeeded + 1 end
    end
    assert.is_true(succeeded >= ROUNDS // 3, ("%d of %d"):format(succeeded, ROUNDS))
  end)
end)
