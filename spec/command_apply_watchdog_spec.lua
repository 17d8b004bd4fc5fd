--- What the watchdog does where an apply left something, is stuck, or its files are gone.
local helper = require "spec.helper"
local plan = require "ecmp.plan"
local checkpoint = require "ecmp.command.apply.checkpoint"
local scratch = require "spec.scratch"

describe("a watchdog that finds what an apply left #netns", function()
  local space, nl, directory, base, journal

  before_each(function()
    space = scratch.new(1)
    nl = space.nl
    directory = helper.directory()
    base = directory .. "/apply"
    assert(nl.route:add "10.60.0.0/16 via 10.0.1.2")
    local routes <const> = nl.route:list { family = 4 }
    local changes <const> = assert(plan(nl.route:list { dst = "10.60.0.0/16" }, {}))
    journal = assert(checkpoint.write(base, changes, routes))
    assert(changes:apply(nl))
    assert(checkpoint.note(base, "left"))
    checkpoint.tell(base, "SIGTERM: not taken back (no memory)")
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
    assert.matches("taken back by the watchdog, after: .* SIGTERM: not taken back %(no memory%)$",
      checkpoint.last(base))
  end)

  it("says why not, and what was said before", function()
    space:ip "addr flush dev v1"
    assert.equal(1, guard().status)
    local last <const> = checkpoint.last(base)
    assert.matches("watchdog: not taken back %(.*ENETUNREACH.*10%.60%.0%.0/16", last)
    assert.matches("; before that: .* SIGTERM: not taken back %(no memory%)$", last)
    assert.equal("left", (checkpoint.state(base)))
  end)

  it("does nothing where what was decided has been carried out", function()
    assert(checkpoint.finish(base, "keep", journal))
    assert.equal(0, guard().status)
    assert.equal(0, #nl.route:list { dst = "10.60.0.0/16" })
  end)

  it("tells its files from those of a later change", function()
    local later <const> = assert(checkpoint.write(base, assert(plan({}, {})), {}))
    assert.equal("undo", (checkpoint.decide(base, "keep", journal)))
    assert(checkpoint.finish(base, "undo", journal))
    assert.is_true(checkpoint.is_there(base, later))
    assert.is_nil(checkpoint.decision(base, later))
    assert.equal("keep", (checkpoint.decide(base, "keep", later)))
    assert.equal("keep", (checkpoint.decide(base, "undo", later)))
    assert.equal("keep", checkpoint.decision(base, later))
  end)
end)
