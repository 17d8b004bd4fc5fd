--- Errors of several operations: the first, and how many more.
local errors = require "ecmp.errors"

describe("a value in a message", function()
  it("is its text, or what kind it is where that were an address in memory", function()
    assert.same({ "a: 0x1", "7", "true", "nil", "a table", "a function" },
      { errors.shown "a: 0x1", errors.shown(7), errors.shown(true), errors.shown(nil),
        errors.shown {}, errors.shown(print) })
    assert.equal("a table", errors.shown(setmetatable({}, { __name = "ecmp.undo" })))
    assert.equal("words", errors.shown(setmetatable({}, { __tostring = function() return "words" end })))
  end)
end)

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
