local standin = require "ecmp.fib.standin"

local RANGE <const> = 1 << 31

-- The upper bounds of the hops as the kernel computes them, of a number of 31 bits.
local function bounds(entries)
  local total, sum = 0, 0
  for _, entry in ipairs(entries) do total = total + entry.weight end
  local list <const> = {}
  for i, entry in ipairs(entries) do
    sum = sum + entry.weight
    list[i] = { hop = entry.hop, last = (sum * RANGE + total // 2) // total - 1 }
  end
  return list
end

local function owner(list, number)
  for _, bound in ipairs(list) do
    if number <= bound.last then return bound.hop end
  end
end

local function flows(count)
  local list <const> = {}
  for i = 1, count do list[i] = (i * 2654435761 + 12345) % RANGE end
  return list
end

local function owners(places, list)
  local taken <const>, all <const> = bounds(standin.entries(places)), {}
  for i, number in ipairs(list) do all[i] = owner(taken, number) end
  return all
end

local function shares(places)
  local sums <const>, total = {}, 0
  for _, entry in ipairs(standin.entries(places)) do
    sums[entry.hop] = (sums[entry.hop] or 0) + entry.weight
    total = total + entry.weight
  end
  return sums, total
end

describe("stand-ins", function()
  it("leave equal hops where they are, and divide the place of the dead one", function()
    local places <const> = standin.suspend(standin.places { 1, 1, 1, 1 }, 2)
    assert.same({ { hop = 1, weight = 4 }, { hop = 4, weight = 1 }, { hop = 3, weight = 4 },
      { hop = 4, weight = 3 } }, standin.entries(places))
    assert.is_true(standin.is_out(places, 2))
    assert.is_false(standin.is_out(places, 1))
  end)

  it("make one entry of the one hop that is left", function()
    assert.same({ { hop = 2, weight = 1 } },
      standin.entries(standin.suspend(standin.places { 3, 5 }, 1)))
  end)

  it("are none where no other hop is left", function()
    local places <const> = standin.suspend(standin.places { 1, 1 }, 1)
    assert.is_nil(standin.suspend(places, 2))
    assert.is_nil(standin.suspend(standin.places { 7 }, 1))
  end)

  it("make several entries of a weight beyond 256", function()
    local places <const> = standin.suspend(standin.places { 200, 3, 100 }, 2)
    local entries <const> = standin.entries(places)
    assert.equal(#entries, standin.count(places))
    for _, entry in ipairs(entries) do
      assert.is_true(entry.weight >= 1 and entry.weight <= 256)
    end
    local sums <const> = shares(places)
    assert.equal(2 * sums[3], sums[1])
  end)

  for _, weights in ipairs {
    { 1, 1 }, { 1, 1, 1 }, { 1, 2, 1, 3 }, { 5, 1, 7, 2, 3 }, { 256, 1, 255 }, { 1, 2, 3, 4, 5, 6 },
    { 3, 3, 1, 1, 2, 2, 7 }, { 1, 1, 1, 1, 1, 1, 1, 1 }, { 8, 7, 6, 5, 4, 3, 2, 1 },
  } do
    local name <const> = table.concat(weights, " ")

    it("move no flow of another hop, and return every flow, with weights " .. name, function()
      local list <const> = flows(2000)
      local whole <const> = standin.places(weights)
      local before <const> = owners(whole, list)
      for dead = 1, #weights do
        local places <const> = standin.suspend(whole, dead)
        local moved = 0
        for i, hop in ipairs(owners(places, list)) do
          assert.is_true(hop ~= dead)
          if before[i] ~= dead and before[i] ~= hop then moved = moved + 1 end
        end
        assert.equal(0, moved)
        assert.same(standin.entries(whole), standin.entries(standin.resume(places, dead)))
      end
    end)

    it("give each of the others its share of the place, with weights " .. name, function()
      for dead = 1, #weights do
        local sums <const> = shares(standin.suspend(standin.places(weights), dead))
        local first
        for hop, sum in pairs(sums) do
          first = first or hop
          assert.equal(sums[first] * weights[hop], sum * weights[first])
        end
      end
    end)

    it("move no flow of a survivor when a second hop goes, or one returns, with weights " .. name,
      function()
      local list <const> = flows(1000)
      for first = 1, #weights do
        for second = 1, #weights > 2 and #weights or 0 do
          if first ~= second then
            local one <const> = standin.suspend(standin.places(weights), first)
            local both <const> = standin.suspend(one, second)
            local with_one <const>, with_both <const> = owners(one, list), owners(both, list)
            local original <const> = owners(standin.places(weights), list)
            local back <const> = owners(standin.resume(both, first), list)
            for i = 1, #list do
              if with_one[i] ~= second then assert.equal(with_one[i], with_both[i]) end
              -- The first hop takes the flows that were its own, and nobody else's.
              assert.equal(original[i] == first and first or with_both[i], back[i])
            end
            assert.same(standin.entries(standin.places(weights)),
              standin.entries(standin.resume(standin.resume(both, first), second)))
          end
        end
      end
    end)
  end

  it("are done without where they would not fit: the others' places grow, and shrink again", function()
    for _, weights in ipairs { { 1, 2, 3 }, { 256, 255, 253, 251 }, { 5, 1, 1 } } do
      local whole <const> = standin.places(weights)
      for hop = 1, #weights do
        local places <const> = standin.remove(whole, hop)
        assert.is_true(standin.is_out(places, hop))
        assert.equal(#weights - 1, standin.count(places))
        local sums <const> = shares(places)
        assert.is_nil(sums[hop])
        local again <const> = standin.resume(places, hop)
        assert.same(standin.entries(whole), standin.entries(again))
      end
    end
    assert.is_nil(standin.remove(standin.remove(standin.places { 1, 1 }, 1), 2))
  end)

  it("change nothing that was given to them", function()
    local places <const> = standin.places { 1, 2, 3 }
    local one <const> = standin.suspend(places, 1)
    standin.suspend(one, 2)
    standin.resume(one, 1)
    assert.same(standin.places { 1, 2, 3 }, places)
    assert.same(standin.suspend(standin.places { 1, 2, 3 }, 1), one)
  end)
end)
