local undo_stack = require "ecmp.undo"

describe("an undo stack", function()
  local done
  local function step(name)
    return function()
      done[#done + 1] = name
      return true
    end
  end

  before_each(function() done = {} end)

  it("takes everything back, newest first, when its scope ends", function()
    do
      local undo <close> = undo_stack.new()
      undo:push("one", step "one")
      undo:push("two", step "two")
    end
    assert.same({ "two", "one" }, done)
  end)

  it("takes everything back when an error ends the scope", function()
    pcall(function()
      local undo <close> = undo_stack.new()
      undo:push("one", step "one")
      error "late"
    end)
    assert.same({ "one" }, done)
  end)

  it("takes nothing back after commit, and tells each step that it stays", function()
    do
      local undo <close> = undo_stack.new()
      undo:push("one", step "one", step "kept")
      undo:commit()
    end
    assert.same({ "kept" }, done)
  end)

  it("goes on after a step that fails or throws", function()
    local stderr <const>, log = io.stderr, {}
    rawset(io, "stderr", { write = function(_, text) log[#log + 1] = text end })
    local undo <const> = undo_stack.new()
    undo:push("one", step "one")
    undo:push("two", function() return nil, "no such thing" end)
    undo:push("three", function() error "boom" end)
    local clean <const> = undo:rollback()
    rawset(io, "stderr", stderr)
    assert.is_false(clean)
    assert.same({ "one" }, done)
    assert.matches("undo three: .*boom", log[1])
    assert.equal("ecmp: undo two: no such thing\n", log[2])
  end)
end)
