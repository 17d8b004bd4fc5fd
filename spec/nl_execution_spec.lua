--- Steps that take several requests, where one of them is refused.
local execution = require "ecmp.nl.execution"

-- A handle whose n-th batch has its last request refused.
local function refusing(n)
  local sent <const> = {}
  return { batch = function(_, requests)
    local results <const> = {}
    for i, request in ipairs(requests) do results[i], sent[#sent + 1] = true, request[1] end
    n = n - 1
    if n == 0 then results[#requests] = { message = "no", code = "EPERM" } end
    return results
  end }, sent
end

local step <const> = { verb = "replace", before = {}, after = {},
  sends = { { { "first" } }, { { "second" } } }, back = { "back" } }

describe("a step of several requests", function()
  it("is whole where none is refused", function()
    local nl <const>, sent <const> = refusing(0)
    assert.is_true(execution.steps(nl, { step }))
    assert.same({ "first", "second" }, sent)
  end)

  it("takes its first back where the second is refused, and nothing where the first is", function()
    local nl, sent = refusing(2)
    assert.same({ nil, "no", "EPERM" }, { execution.steps(nl, { step }) })
    assert.same({ "first", "second", "back" }, sent)
    nl, sent = refusing(1)
    assert.same({ nil, "no", "EPERM" }, { execution.steps(nl, { step }) })
    assert.same({ "first" }, sent)
  end)
end)
