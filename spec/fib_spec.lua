--- The model of what a key holds, against the kernel: every way between short lists of entries.
--
-- spec/golden/fib.txt has one line a pair: the entries that the kernel held, each step and what it held
-- after it, and what went wrong behind a "!". ECMP_RECORD=fib asks the kernel for all of them again.
local oracle = require "spec.fib_oracle"
local scratch = require "spec.scratch"
local sys = require "ecmp.sys"

local GOLDEN <const> = "spec/golden/fib.txt"
local ROUNDS = require "spec.helper".rounds
local RECORD <const> = os.getenv "ECMP_RECORD" == "fib"

local function all_pairs()
  local found <const> = oracle.pairs(4)
  return table.move(oracle.pairs(6), 1, #oracle.pairs(6), #found + 1, found)
end

local function read_lines()
  local lines <const> = {}
  for line in io.lines(GOLDEN) do lines[#lines + 1] = line end
  return lines
end

local function record_all()
  local space <close> = scratch.new(2)
  oracle.prepare(space.nl)
  local lines <const> = {}
  for i, pair in ipairs(all_pairs()) do lines[i] = oracle.record(space.nl, pair) end
  assert(sys.replace(GOLDEN, table.concat(lines, "\n") .. "\n"))
end

if RECORD then
  describe("the kernel #netns", function()
    it("is asked for every pair", record_all)
  end)
end

describe("from any two entries of a key to any three, a transition", function()
  it("was tried for every pair, with nothing amiss", function()
    local lines <const>, expected <const> = read_lines(), all_pairs()
    assert.equal(#expected, #lines)
    for i, line in ipairs(lines) do
      assert.equal(expected[i], line:match "^[^:]+")
      assert.is_nil(line:find("!", 1, true), line)
    end
  end)

  it("does what it did then, and knows what the kernel held after each step", function()
    for _, line in ipairs(read_lines()) do assert.equal(line, oracle.predict(line)) end
  end)

  it("leaves no prefix without a route where there was one and is to be one", function()
    for _, line in ipairs(read_lines()) do
      local have <const>, want <const> = line:match "^%d (%u*)>(%u*):"
      local held <const> = line:match ": ([^;]+)"
      if have ~= "" and want ~= "" and held ~= "impossible" then
        assert.is_nil(line:find("= -", 1, true), line)
      end
    end
  end)
end)

describe("the kernel #netns", function()
  it("still does what was kept, and is as before once a transition is taken back", function()
    local space <close> = scratch.new(2)
    oracle.prepare(space.nl)
    local lines <const> = read_lines()
    math.randomseed(os.time())
    for _ = 1, math.min(400 * ROUNDS, #lines) do
      local line <const> = lines[math.random(#lines)]
      assert.equal(line, oracle.record(space.nl, line:match "^[^:]+"))
    end
  end)
end)
