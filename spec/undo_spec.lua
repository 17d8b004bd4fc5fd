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

  it("goes on after a step that fails or throws, and says the first and how many", function()
    local undo <const> = undo_stack.new()
    undo:push("one", step "one")
    undo:push("two", function() return nil, "no such thing", "ENOENT" end)
    undo:push("three", function() error("boom", 0) end)
    assert.same({ nil, "boom; and 1 more", "ENOENT" }, { undo:rollback() })
    assert.same({ "one" }, done)
    assert.same({ true }, { undo:rollback() })
  end)

  it("reports what cannot be taken back in place of raising", function()
    local told <const> = {}
    do
      local undo <close> = undo_stack.new(function(what, message) told[#told + 1] = what .. message end)
      undo:push("one", function() return nil, ": no" end)
    end
    assert.same({ "one: no" }, told)
    assert.error_matches(function()
      local undo <close> = undo_stack.new()
      undo:push("one", function() return nil, "no" end)
      error("late", 0)
    end, "^late; undo: no$")
    assert.error_matches(function()
      local undo <close> = undo_stack.new()
      undo:push("one", function() return nil, "no" end)
    end, "^undo: no$")
  end)

  it("calls again what was refused for now, once older steps are back, and ends", function()
    local undo <const> = undo_stack.new()
    local tries = 0
    undo:push("what leads there", step "lead")
    undo:push("behind", function()
      tries = tries + 1
      if not done[1] then return nil, "not reached", "ENETUNREACH" end
      return step "behind"()
    end)
    undo:push("never", function() return nil, "never", "EHOSTUNREACH" end)
    assert.same({ nil, "never", "EHOSTUNREACH" }, { undo:rollback() })
    assert.same({ "lead", "behind" }, done)
    assert.equal(2, tries)
  end)

  it("takes back what nobody ended when it is collected", function()
    undo_stack.new():push("one", step "one")
    collectgarbage()
    collectgarbage()
    assert.same({ "one" }, done)
  end)

  it("tells its owner that it ends, once", function()
    for _, way in ipairs { "commit", "rollback" } do
      local undo <const>, ended = undo_stack.new(), 0
      function undo.at_end() ended = ended + 1 end
      assert.is_true(undo[way](undo))
      assert.is_true(undo:commit())
      assert.equal(1, ended)
      assert.is_true(undo.done)
    end
  end)

  it("hands what stands to its owner at commit, and nothing where it was taken back", function()
    for way, count in pairs { commit = 2, rollback = 0 } do
      local undo <const> = undo_stack.new()
      local entries
      function undo.at_end(steps) entries = steps end
      undo:push("one", step "one")
      undo:push("two", step "two")
      undo[way](undo)
      assert.equal(count, #entries)
    end
    assert.same({ "two", "one" }, done)
  end)

  it("takes back what has been kept, after all", function()
    local kept
    local undo <const> = undo_stack.new()
    function undo.at_end(steps) kept = steps end
    undo:push("one", step "one")
    undo:commit()
    undo_stack.of(kept):rollback()
    assert.same({ "one" }, done)
  end)

  it("takes nothing for a failure but nil with a message", function()
    local undo <const> = undo_stack.new()
    undo:push("one", function() return nil end)
    undo:push("two", function() return true, "said" end)
    undo:push("three", function() return false end)
    assert.same({ true }, { undo:rollback() })
  end)

  it("calls nothing again that is refused for good", function()
    for code, tries in pairs { ENETUNREACH = 2, EHOSTUNREACH = 2, EINVAL = 2, ENOENT = 1 } do
      assert.equal(tries == 2, undo_stack.is_later(code))
      local undo <const>, count = undo_stack.new(), 0
      local is_back = false
      undo:push("older", function() is_back = true return true end)
      undo:push("one", function()
        count = count + 1
        if is_back and tries == 2 then return true end
        return nil, "refused", code
      end)
      assert.equal(tries == 2 or nil, (undo:rollback()))
      assert.equal(tries, count, code)
    end
    assert.is_false(undo_stack.is_later(nil))
  end)

  it("tries again at another call what was refused for now, and nothing else", function()
    local refusals <const> = { older = 2, newer = 2 }
    local undo <const> = undo_stack.new()
    local function refused_twice(name)
      return function()
        if refusals[name] == 0 then return step(name)() end
        refusals[name] = refusals[name] - 1
        return nil, name, "EHOSTUNREACH"
      end
    end
    undo:push("older", refused_twice "older", step "kept")
    undo:push("never", function() return nil, "never", "EPERM" end)
    undo:push("newer", refused_twice "newer")
    assert.same({ nil, "newer; and 2 more", "EHOSTUNREACH" }, { undo:rollback() })
    assert.is_true(undo:close())
    assert.same({ "newer", "older" }, done)
    assert.is_true(undo:rollback())
    assert.is_true(undo:commit())
    assert.same({ "newer", "older" }, done)
  end)

  it("calls what comes last once, after steps that are called again or kept", function()
    local expected <const> = { rollback = { "older", "again", "last" },
      commit = { "kept", "last" } }
    for way, calls in pairs(expected) do
      done = {}
      local undo <const> = undo_stack.new()
      undo:at_last(step "last")
      undo:push("older", step "older", step "kept")
      undo:push("again", function()
        if not done[1] then return nil, "not reached", "EHOSTUNREACH" end
        return step "again"()
      end)
      assert.is_true(undo[way](undo))
      assert.is_true(undo:rollback())
      assert.is_true(undo:commit())
      assert.same(calls, done)
    end
  end)

  it("forgets at commit what was refused for now", function()
    local undo <const> = undo_stack.new()
    undo:push("one", function() return nil, "no", "EINVAL" end, step "kept")
    assert.is_nil((undo:rollback()))
    assert.is_true(undo:commit())
    assert.is_true(undo:rollback())
    assert.same({}, done)
  end)

  it("calls a stack on another again once older steps are back, and tells what stays refused",
    function()
      for _, is_reached in ipairs { true, false } do
        local outer <const>, inner <const> = undo_stack.new(), undo_stack.new()
        local is_back = false
        outer:push("what leads there", function()
          is_back = is_reached
          return true
        end)
        inner:push("route", function()
          if not is_back then return nil, "not reached", "ENETUNREACH" end
          return step "route"()
        end)
        outer:push("routes", function() return inner:close() end)
        local ok <const>, message <const> = outer:rollback()
        assert.equal(is_reached or nil, ok)
        assert.equal(not is_reached and "not reached" or nil, message)
      end
      assert.same({ "route" }, done)
    end)

  it("lets an error that is no text pass as it is, and warns of what is left", function()
    local log <const> = require "ecmp.log"
    local problem <const>, real <const>, told = {}, log.warn, nil
    log.warn = function(text) told = text end
    local _, caught <const> = pcall(function()
      local undo <close> = undo_stack.new()
      undo:push("one", function() return nil, "no" end)
      error(problem)
    end)
    log.warn = real
    assert.equal(problem, caught)
    assert.equal("undo of a scope: no", told)
  end)

  it("warns with what it was and why", function()
    local log <const> = require "ecmp.log"
    local real <const>, told = log.warn, nil
    log.warn = function(text) told = text end
    undo_stack.warn("link eth0", "busy")
    log.warn = real
    assert.equal("undo link eth0: busy", told)
  end)
end)
