--- Steps that take several requests, where one of them is refused.
local ecmp = require "ecmp"
local execution = require "ecmp.nl.execution"
local transition = require "ecmp.fib.transition"

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

  it("says when its first could not be taken back", function()
    local nl <const> = { batch = function(_, requests)
      if requests[1][1] == "first" then return { true } end
      return { { message = requests[1][1] .. ": no", code = "EPERM" } }
    end }
    assert.same({ nil, "second: no; taking back what was done failed too: back: no", "EPERM" },
      { execution.steps(nl, { step }) })
  end)
end)

describe("taking a batch back", function()
  it("says of what there is no way back from, and takes the rest back", function()
    local sent = {}
    local nl <const> = { batch = function(_, requests)
      local results <const> = {}
      for i = 1, #requests do
        sent[#sent + 1], results[i] = requests[i][1], true
      end
      return results
    end }
    local function routes(gateway)
      return { { dst = "10.1.0.0/24", via = gateway, dev = "eth0" },
        { dst = "10.2.0.0/24", via = gateway, dev = "eth0" } }
    end
    local tx <const> = assert(ecmp.plan(routes "10.0.0.1", routes "10.0.0.2"):begin(nl))
    sent = {}
    local real <const> = transition.between
    function transition.between(have, ...)
      if have[1].dst == "10.2.0.0/24" then return nil, "no way back", "EINVAL" end
      return real(have, ...)
    end
    local ok <const>, message <const> = tx:rollback()
    transition.between = real
    assert.is_nil(ok)
    assert.matches("^no way back", message)
    assert.is_true(#sent > 0)
  end)
end)
