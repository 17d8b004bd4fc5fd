--- Errors of several operations: the first, and how many more.
local errors = require "ecmp.errors"

describe("the collector of errors", function()
  local function result(...)
    local collector <const> = errors.new()
    for _, outcome in ipairs { ... } do collector:note(table.unpack(outcome, 1, 3)) end
    return { collector:result() }
  end

  it("has nothing to say where all went well", function()
    assert.same({ true }, result())
    assert.same({ true }, result({ true }, { 7 }))
  end)

  it("hands on the only refusal as it came", function()
    assert.same({ nil, "no such route", "ESRCH" }, result({ true }, { nil, "no such route", "ESRCH" }))
  end)

  it("says the first of several, and how many there are", function()
    assert.same({ nil, "one; and 2 more", "EBUSY" },
      result({ nil, "one", "EBUSY" }, { true }, { nil, "two", "EPERM" }, { nil, "three" }))
  end)
end)
