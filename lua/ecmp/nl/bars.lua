---Shares as bars: one line for each next hop, its gateway, device, percentage and bar.

local M = {}

local WIDTH <const> = 40
local FULL <const>, EIGHTHS <const> = "█", { "▏", "▎", "▍", "▌", "▋", "▊", "▉" }

---A bar of a share, at most `width` columns wide.
---@param share number 0..1
---@param width? integer
---@return string
function M.bar(share, width)
  local eighths <const> = math.floor(share * (width or WIDTH) * 8 + 0.5)
  return FULL:rep(eighths // 8) .. (EIGHTHS[eighths % 8] or "")
end

-- A weight, and the share that it asks for.
local function weight_of(hop)
  if not hop.weight then return "" end
  local asked <const> = hop.asked and (" = %.1f%%"):format(hop.asked * 100) or ""
  return ("weight %d%s"):format(hop.weight, asked)
end

local function columns_of(hop)
  return {
    hop.name or "", hop.via or "", hop.dev or "", weight_of(hop),
    ("%d"):format(hop.flows or hop.packets), ("%5.1f%%"):format(hop.share * 100),
  }
end

-- Numbers are lined up at their right ends.
local RIGHT <const> = { [5] = true, [6] = true }

local function pad(text, width, right)
  local fill <const> = (" "):rep(width - #text)
  return right and fill .. text or text .. fill
end

---Lines up hops; columns in which nothing stands are left out.
---@param hops { name: string?, via: string?, dev: string?, weight: integer?, asked: number?,
--- flows: integer?, packets: integer?, share: number }[] flows or packets
---@param options? { width: integer, colour: fun(word: string, text: string): string }
---@return string
function M.text(hops, options)
  local rows <const>, widths <const> = {}, {}
  for i, hop in ipairs(hops) do
    rows[i] = columns_of(hop)
    for c, text in ipairs(rows[i]) do widths[c] = math.max(widths[c] or 0, #text) end
  end
  local colour <const> = options and options.colour or function(_, text) return text end
  local lines <const> = {}
  for i, row in ipairs(rows) do
    local words <const> = {}
    for c, text in ipairs(row) do
      if widths[c] > 0 then words[#words + 1] = pad(text, widths[c], RIGHT[c]) end
    end
    local bar <const> = M.bar(hops[i].share, options and options.width)
    words[#words + 1] = bar ~= "" and colour("bar", bar) or bar
    lines[i] = table.concat(words, "  "):gsub("%s+$", "")
  end
  return table.concat(lines, "\n")
end

local list_mt <const> = { __name = "ecmp.Shares",
  __tostring = function(list) return M.text(list) end }

---Makes a list of hops print as bars.
---@param hops table[]
---@return table[] hops the same
function M.list(hops)
  return setmetatable(hops, list_mt)
end

return M
