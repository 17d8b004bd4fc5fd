--- What `ecmp watch` decides: pure, with the time as an argument.
local bfd = require "ecmp.health.bfd"
local detector = require "ecmp.health.detector"
local gateway = require "ecmp.health.gateway"

describe("a detector", function()
  local config <const> = { interval = 100, multiplier = 3 }

  it("misses a gateway after so many unanswered probes and so many intervals", function()
    local d <const> = detector.new(config)
    assert.is_false(detector.is_missed(d, 0))
    for i = 0, 3 do
      detector.sent(d, i * 0.09)
      detector.answered(d, i * 0.09 + 0.001)
    end
    assert.equal(4, d.streak)
    for _, at in ipairs { 0.36, 0.45, 0.54 } do detector.sent(d, at) end
    assert.is_false(detector.is_missed(d, 0.56))
    assert.is_true(detector.is_missed(d, 0.58))
    assert.near(0.571, detector.due(d), 1e-9)
    detector.answered(d, 0.59)
    assert.is_false(detector.is_missed(d, 0.6))
  end)

  it("does not take its own silence for the gateway's", function()
    local d <const> = detector.new(config)
    detector.sent(d, 0)
    detector.answered(d, 0.001)
    detector.sent(d, 5)
    assert.is_false(detector.is_missed(d, 5.001))
    assert.is_nil(detector.due(d))
    detector.sent(d, 10)
    detector.sent(d, 10.001)
    -- The last one is given time to be answered.
    assert.is_false(detector.is_missed(d, 10.002))
    assert.is_true(detector.is_missed(d, 10.03))
  end)

  it("counts answers in a row", function()
    local d <const> = detector.new(config)
    for i = 0, 2 do
      detector.sent(d, i)
      detector.answered(d, i)
    end
    detector.sent(d, 3)
    detector.sent(d, 4)
    detector.answered(d, 4)
    assert.equal(1, d.streak)
  end)
end)

describe("a gateway", function()
  local config <const> = { hold = 10, rise = 5 }
  local up <const> = { answered = true, missed = false, streak = 9 }
  local down <const> = { answered = true, missed = true, streak = 0 }

  it("is withdrawn when all miss it, and returns when it has answered and its time is up",
    function()
    local g <const> = gateway.new(config)
    assert.is_nil(gateway.decide(g, 0, up))
    assert.equal("withdraw", gateway.decide(g, 1, down))
    assert.is_nil(gateway.decide(g, 2, down))
    assert.is_nil(gateway.decide(g, 5, up))
    assert.is_nil(gateway.decide(g, 11, { answered = true, missed = false, streak = 4 }))
    assert.equal("return", gateway.decide(g, 11, up))
    assert.is_nil(gateway.decide(g, 12, up))
  end)

  it("is not withdrawn where it never answered", function()
    local g <const> = gateway.new(config)
    assert.is_nil(gateway.decide(g, 0, { answered = false, missed = true, streak = 0 }))
    assert.is_false(g.out)
  end)

  it("stays out longer each time", function()
    local g <const> = gateway.new(config)
    local edits <const> = {}
    for tick = 0, 6000 do -- ten minutes, up and down each half second
      local now <const> = tick / 10
      local seen <const> = tick // 5 % 2 == 0 and up or down
      if gateway.decide(g, now, seen) then edits[#edits + 1] = now end
    end
    for i = 4, #edits do
      local count = 0
      for _, time in ipairs(edits) do
        if time >= edits[i] and time < edits[i] + 60 then count = count + 1 end
      end
      assert.is_true(count <= 2, ("%d edits in the minute from %g"):format(count, edits[i]))
    end
    assert.is_true(#edits >= 5 and #edits <= 14, tostring(#edits))
  end)

  it("is forgiven after a while", function()
    local g <const> = gateway.new(config)
    gateway.decide(g, 0, up)
    for i = 0, 2 do
      gateway.decide(g, i * 1000 + 1, down)
      assert.equal(10, gateway.hold(g))
      assert.equal("return", gateway.decide(g, i * 1000 + 12, up))
    end
  end)

  it("leaves a route alone where too few hops would be left", function()
    local function out(names)
      return function(name) return names[name] == true end
    end
    local vias <const> = { "a", "b", "c" }
    assert.same({ 2 }, gateway.hops_out(vias, out { b = true }, 1))
    assert.same({ 1, 2 }, gateway.hops_out(vias, out { a = true, b = true }, 1))
    assert.same({}, gateway.hops_out(vias, out { a = true, b = true }, 2))
    assert.same({}, gateway.hops_out(vias, out { a = true, b = true, c = true }, 1))
    assert.same({}, gateway.hops_out(vias, out {}, 1))
  end)
end)

describe("a session of BFD", function()
  local config <const> = { interval = 100, multiplier = 3 }

  --- Two sessions that hear each other for a while, a packet every `step` seconds.
  local function talk(a, b, from, to, step)
    local now = from
    while now < to do
      for _, pair in ipairs { { a, b }, { b, a } } do
        local answer = bfd.receive(pair[2], bfd.packet(pair[1]), now)
        while answer do
          local back <const> = bfd.receive(pair[1], answer, now)
          if back then bfd.receive(pair[2], back, now) end
          answer = nil
        end
      end
      now = now + step
    end
    return now
  end

  it("comes up, agrees on the pace, and goes down in silence", function()
    local a <const>, b <const> = bfd.new(config, 1), bfd.new({ interval = 200, multiplier = 5 }, 2)
    assert.is_true(bfd.pause(a, 1) >= 1 and bfd.pause(a, 0) >= 0.75)
    local now <const> = talk(a, b, 0, 4, 1)
    assert.same({ 3, 3 }, { a.state, b.state })
    assert.same({ false, false }, { a.polling, b.polling })
    assert.near(0.2, bfd.pause(a, 1), 1e-9)   -- what the other can take
    assert.near(1.0, bfd.detection_time(a), 1e-9) -- the peer's multiplier times the slower pace
    assert.near(0.6, bfd.detection_time(b), 1e-9)
    assert.same({ answered = true, missed = false, streak = math.huge }, bfd.seen(a))
    assert.is_false(bfd.check(a, now - 1 + 0.99))
    assert.is_true(bfd.check(a, now - 1 + 1.0))
    assert.is_true(bfd.seen(a).missed)
    assert.equal(1, a.diagnostic)
    assert.is_true(bfd.pause(a, 1) >= 1)
  end)

  it("withdraws nothing that never was up, nor at a peer's own wish", function()
    local a <const>, b <const> = bfd.new(config, 1), bfd.new(config, 2)
    assert.is_false(bfd.seen(a).missed)
    talk(a, b, 0, 4, 1)
    b.state = 0
    bfd.receive(a, bfd.packet(b), 5)
    assert.equal(1, a.state)
    assert.is_false(bfd.seen(a).missed)
    -- A peer that is down for another reason is one that failed.
    b.state = 1
    bfd.receive(a, bfd.packet(b), 5)
    assert.is_true(bfd.seen(a).missed)
  end)

  it("answers a poll at once, and takes no packet of another session", function()
    local a <const>, b <const> = bfd.new(config, 1), bfd.new(config, 2)
    talk(a, b, 0, 4, 1)
    local poll <const> = bfd.packet(b)
    poll.poll = true
    assert.is_true(bfd.receive(a, poll, 5).final)
    local stranger <const> = bfd.packet(b)
    stranger.yours, stranger.state = 99, 1
    assert.is_nil(bfd.receive(a, stranger, 5))
    assert.equal(3, a.state)
  end)

  it("is down when its peer says so", function()
    local a <const>, b <const> = bfd.new(config, 1), bfd.new(config, 2)
    talk(a, b, 0, 4, 1)
    b.state, b.yours = 1, 1
    bfd.receive(a, bfd.packet(b), 5)
    assert.same({ 1, 3 }, { a.state, a.diagnostic })
    assert.is_true(bfd.seen(a).missed)
  end)
end)
