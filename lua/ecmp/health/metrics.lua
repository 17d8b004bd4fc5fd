---What `ecmp watch` knows as metrics: pure, for who prints them in the text form of Prometheus.
local M = {}

local UP <const> = { up = 1, out = 0 }

---The metrics of a watcher's status (`ecmp.health.state.status`).
---@param status table?
---@return table[] metrics `{ name, type, help, samples = { { labels = table, value = number } } }`;
---gateways that never answered are left out
function M.of(status)
  local hops <const> = {}
  for _, g in ipairs(status and status.gateways or {}) do
    if UP[g.state] then
      hops[#hops + 1] = { labels = { network = g.network, gateway = g.gateway },
        value = UP[g.state] }
    end
  end
  return {
    { name = "ecmp_hop_up", type = "gauge", samples = hops,
      help = "Whether a gateway answers (1) or is out of the routes (0)." },
    { name = "ecmp_health_edits_total", type = "counter",
      help = "Routes that the watcher has changed since it began.",
      samples = status and { { labels = {}, value = status.edits } } or {} },
  }
end

return M
