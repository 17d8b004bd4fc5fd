--- What the watcher knows as metrics.
local metrics = require "ecmp.health.metrics"

describe("metrics of the watcher", function()
  it("tell which gateways answer, and leave out those that never did", function()
    local list <const> = metrics.of { edits = 7, gateways = {
      { network = "n", gateway = "10.0.0.1", state = "up" },
      { network = "n", gateway = "10.0.0.2", state = "out" },
      { network = "n", gateway = "10.0.0.3", state = "unknown" } } }
    assert.same({ "ecmp_hop_up", "ecmp_health_edits_total" }, { list[1].name, list[2].name })
    assert.same({ { labels = { network = "n", gateway = "10.0.0.1" }, value = 1 },
      { labels = { network = "n", gateway = "10.0.0.2" }, value = 0 } }, list[1].samples)
    assert.same({ { labels = {}, value = 7 } }, list[2].samples)
  end)

  it("are none where no watcher ever ran", function()
    for _, metric in ipairs(metrics.of(nil)) do assert.same({}, metric.samples) end
  end)
end)
