--- What the guardian says of an undo that somebody tried before it.
local helper <const> = require "spec.helper"
local plan <const> = require "ecmp.plan"
local rollback <const> = require "ecmp.command.apply.checkpoint"
local scratch <const> = require "spec.scratch"

describe("a guardian that finds what an apply left #netns", function()
  local space, nl, directory, base

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
    directory = helper.directory()
    base = directory .. "/apply"
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2")
    local routes <const> = nl.route:list { family = 4 }
    local changes <const> = assert(plan(nl.route:list { dst = "10.60.0.0/16" }, {}))
    assert(rollback.write(base, changes, routes))
    assert(changes:apply(nl))
    assert(rollback.note(base, "left"))
    rollback.tell(base, "SIGTERM: not taken back (no memory)")
  end)

  after_each(function()
    space:close()
    helper.remove(directory)
  end)

  local function guard()
    return helper.lua(("os.exit(require('ecmp.command.apply.watchdog').main(%q))"):format(base),
      { netns = space.path, timeout = 20, stderr = "capture" })
  end

  it("takes it back, and keeps what was said", function()
    assert.equal(0, guard().status)
    assert.equal(1, #nl.route:list { dst = "10.60.0.0/16" })
    assert.matches("taken back by the guardian, after: .* SIGTERM: not taken back %(no memory%)$",
      rollback.last(base))
  end)

  it("says why not, and what was said before", function()
    space:ip "addr flush dev v1"
    assert.equal(1, guard().status)
    local last <const> = rollback.last(base)
    assert.matches("guardian: not taken back %(.*ENETUNREACH.*10%.60%.0%.0/16", last)
    assert.matches("; before that: .* SIGTERM: not taken back %(no memory%)$", last)
    assert.equal("left", (rollback.state(base)))
  end)
end)
