--- Interleaved rounds, medians, ratios. Whatever else the machine does falls on all contenders
--- alike, so that a ratio of medians of one run means something where nanoseconds do not.
--
-- On a machine that others use at the same time the wall clock counts their turns too; there
-- ECMP_CLOCK=cpu (`make bench CLOCK=cpu`) counts the processor time of each contender instead.
local sys = require "ecmp.sys"

local M = { missed = {}, met = 0, cpu = os.getenv "ECMP_CLOCK" == "cpu" }

---Seconds from some moment on, by the clock that was chosen.
M.now = M.cpu and os.clock or sys.monotonic

---@param list number[]
---@return number
function M.median(list)
  local sorted <const> = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle <const> = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

---Nanoseconds that a function takes, and what it returns.
---@param fn function
---@return number ns
---@return any ...
function M.time(fn, ...)
  local start <const> = M.now()
  local result <const> = table.pack(fn(...))
  return (M.now() - start) * 1e9, table.unpack(result, 1, result.n)
end

---Runs every contender once in each round, each round in another order.
---@param contenders table[] `{ name, run = function() -> number or table of numbers by key }`
---@param rounds integer
---@return table<string, table<string, number>> medians by name and key
function M.rounds(contenders, rounds)
  local samples <const> = {}
  for round = 1, rounds do
    for i = 1, #contenders do
      local one <const> = contenders[(i + round - 2) % #contenders + 1]
      local values = one.run(round)
      values = type(values) == "table" and values or { value = values }
      local of <const> = samples[one.name] or {}
      samples[one.name] = of
      for key, value in pairs(values) do
        of[key] = of[key] or {}
        table.insert(of[key], value)
      end
    end
  end
  for _, of in pairs(samples) do
    for key, list in pairs(of) do of[key] = M.median(list) end
  end
  return samples
end

local function figure(value)
  if value == nil then return "-" end
  if value >= 10000 then return (("%.0f"):format(value):reverse():gsub("(%d%d%d)",
    "%1,"):reverse():gsub("^,", "")) end
  return value >= 100 and ("%.0f"):format(value) or value >= 10 and ("%.1f"):format(value)
    or ("%.2f"):format(value)
end

M.figure = figure

-- A target: "<= 0.90" of what another row took, or ">= 3" times what ours took.
local function judge(row, values)
  local target <const> = row.target
  if not target then return "" end
  local mine <const>, other <const> = values[row.name], values[target.of]
  if not mine or not other then return "" end
  local ratio = mine / other
  local met <const> = target.most and ratio <= target.most or target.least and ratio >= target.least
  local text <const> = ("%s %s x %s"):format(target.most and "<=" or ">=", target.most
    or target.least, target.of)
  if met then M.met = M.met + 1 else M.missed[#M.missed + 1] = ("%s: %s, is %.2f"):format(row.label,
    text, ratio) end
  return ("%s: %.2f %s"):format(text, ratio, met and "met" or "MISSED")
end

---Prints one table: a row for each contender, its value, its ratio to the first row, the target.
---@param title string
---@param unit string heading of the values
---@param rows table[] `{ name, target = { of, most|least }?, note? }`
---@param values table<string, number>
function M.print(title, unit, rows, values)
  local base <const> = values[rows[1].name]
  print(("\n%s"):format(title))
  print(("  %-44s %12s %8s  %s"):format("", unit, "ratio", "target"))
  for _, row in ipairs(rows) do
    local value <const> = values[row.name]
    row.label = ("%s, %s"):format(title, row.name)
    local line <const> = ("  %-44s %12s %8s  %s"):format(row.name, figure(value),
      value and base and ("%.2f"):format(value / base) or "-", value and judge(row, values)
        or row.note or "skipped")
    print((line:gsub("%s+$", "")))
  end
  io.stdout:flush()
end

---Prints a target that is not a ratio of two rows, and whether it is met.
function M.check(text, met)
  if met then M.met = M.met + 1 else M.missed[#M.missed + 1] = text end
  print(("  %s: %s"):format(text, met and "met" or "MISSED"))
end

---Says how many targets were met, and which were not.
function M.summary()
  print(("\n%d targets met, %d missed"):format(M.met, #M.missed))
  for _, line in ipairs(M.missed) do print("  missed: " .. line) end
end

---Prints a line that is no table.
function M.say(text, ...)
  print(text:format(...))
  io.stdout:flush()
end

return M
