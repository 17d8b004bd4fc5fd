---When a gateway is withdrawn and when it comes back: pure, with the time as an argument.
--
-- One that never answered is not withdrawn: it may not answer such probes at all. One that returns
-- stays out for `hold` seconds, and longer each time it is withdrawn again: from the third time on
-- at least a minute, doubled up to ten, so that a gateway that comes and goes costs two edits a
-- minute and no more.
local M = {}

local MEMORY <const> = 600       -- seconds for which a withdrawal is held against it
local LEAST_HOLD <const> = 60    -- from the second withdrawal on
local LONGEST_HOLD <const> = 600

---@param config table `{ hold, rise }`
---@return table gateway
function M.new(config)
  return { hold = config.hold, rise = config.rise, ever = false, out = false, times = {} }
end

local function forget(g, now)
  local kept <const> = {}
  for _, time in ipairs(g.times) do
    if now - time < MEMORY then kept[#kept + 1] = time end
  end
  g.times = kept
end

---For how long a withdrawn gateway is out at least.
---@param g table
---@return number seconds
function M.hold(g)
  local count <const> = #g.times
  if count < 2 then return g.hold end
  return math.max(g.hold, math.min(LEAST_HOLD * 2 ^ (count - 2), LONGEST_HOLD))
end

---What the vantage points say now.
---@param g table is changed
---@param now number seconds
---@param seen table `{ answered: boolean (any has an answer since it began), missed: boolean (all
---miss it), streak: integer (the longest row of answers) }`
---@return "withdraw"|"return"|nil decision
function M.decide(g, now, seen)
  if seen.answered then g.ever = true end
  if not g.out then
    if not (g.ever and seen.missed) then return nil end
    forget(g, now)
    g.out, g.since = true, now
    g.times[#g.times + 1] = now
    return "withdraw"
  end
  if seen.missed or seen.streak < g.rise or now - g.since < M.hold(g) then return nil end
  g.out, g.since = false, now
  return "return"
end

---Takes a decision back because a site's script returned "keep".
---@param g table
function M.keep(g)
  g.out = false
  table.remove(g.times)
end

---Which hops of a route are to be out: those whose gateways are, unless fewer than `min` were left.
---@param vias string[] gateways of its hops, in order
---@param is_out fun(via: string): boolean
---@param min integer
---@return integer[] numbers of the hops
function M.hops_out(vias, is_out, min)
  local out <const> = {}
  for i, via in ipairs(vias) do
    if is_out(via) then out[#out + 1] = i end
  end
  if #vias - #out < math.max(min, 1) then return {} end
  return out
end

return M
