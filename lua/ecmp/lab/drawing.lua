---The lab as a picture: text for a terminal, SVG for a page.

local M = {}

local reasons <const> = {
  link = "pod's link is down", carrier = "no carrier", packets = "packets lost",
  deaf = "deaf", uplink = "no uplink",
  dead = "failed",
}

-- Cuts that break the wire to the pod; an uplink breaks the one behind the gateway.
local function breaks_near(kind) return kind and kind ~= "uplink" end
local function breaks_far(kind) return kind == "uplink" or kind == "dead" end

local function joined(lab, by_family)
  local words <const> = {}
  for _, family in ipairs(lab.families) do words[#words + 1] = by_family[family] end
  return table.concat(words, ", ")
end

-- Columns count characters, not bytes.
local function pad(text, width)
  return text .. (" "):rep(width - utf8.len(text))
end

local function corner(i, count, one, first, last, middle)
  return count == 1 and one or i == 1 and first or i == count and last or middle
end

---The lab in characters.
---@param lab ecmp.Lab
---@return string
function M.text(lab)
  local rows <const>, count <const> = {}, #lab.gateways
  local wide, widest = 0, 0
  for i, gateway in ipairs(lab.gateways) do
    local cut <const> = lab.cuts[gateway.name]
    local row <const> = { gateway.dev .. (breaks_near(cut) and " ──╳── " or " ───── "),
                          ("%s  %s"):format(gateway.name, joined(lab, gateway.via)),
                          cut and "  " .. reasons[cut] or "", breaks_far(cut) and "──╳─" or "────" }
    wide, widest = math.max(wide, utf8.len(row[1])), math.max(widest, utf8.len(row[2]))
    rows[i] = row
  end
  local lines <const> = { ("pod  %s"):format(joined(lab, lab.source)) }
  for i, row in ipairs(rows) do
    lines[i + 1] = (" %s %s[%s] %s%s%s"):format(i == count and "└─" or "├─", pad(row[1], wide),
      pad(row[2], widest), row[4], corner(i, count, "─", "┐", "┘", "┤"), row[3])
  end
  local indent <const> = wide + widest + 11
  lines[#lines + 1] = (" "):rep(indent) .. ("server  %s"):format(joined(lab, lab.prefix))
  return table.concat(lines, "\n")
end

-- SVG --------------------------------------------------------------------------------------------

local ROW <const>, TOP <const> = 90, 40
local POD_X <const>, GATEWAY_X <const>, SERVER_X <const> = 20, 300, 620
local WIDTH <const>, HEIGHT <const>, HALF <const> = 200, 60, 30 -- of a box

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;" }))
end

local function box(x, y, title, lines, class)
  local out <const> = {
    ('<rect class="%s" x="%d" y="%d" width="%d" height="%d" rx="6"/>'):format(class, x, y, WIDTH,
      HEIGHT),
    ('<text class="title" x="%d" y="%d">%s</text>'):format(x + 10, y + 20, escape(title)),
  }
  for i, line in ipairs(lines) do
    out[#out + 1] = ('<text x="%d" y="%d">%s</text>'):format(x + 10, y + 22 + 14 * i, escape(line))
  end
  return table.concat(out, "\n")
end

local function wire(x1, y1, x2, y2, broken, label)
  local out <const> = { ('<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>'):format(
    broken and "wire cut" or "wire", x1, y1, x2, y2) }
  if label then
    out[2] = ('<text class="dev" x="%d" y="%d">%s</text>'):format(x1 + (x2 - x1) * 2 // 3 - 10,
      y1 + (y2 - y1) * 2 // 3 - 6, escape(label))
  end
  return table.concat(out, "\n")
end

local STYLE <const> = [[<style>
text { font: 11px monospace; fill: #222 } .title { font-weight: bold }
.dev { fill: #555; paint-order: stroke; stroke: #fff; stroke-width: 4 }
rect { fill: #f4f6f8; stroke: #456 } .gateway.cut { fill: #fdecea; stroke: #b33 }
.wire { stroke: #456; stroke-width: 2 } .wire.cut { stroke: #b33; stroke-dasharray: 5 4 }
</style>]]

local function addresses(lab, by_family, extra)
  local lines <const> = {}
  for _, family in ipairs(lab.families) do lines[#lines + 1] = by_family[family] end
  lines[#lines + 1] = extra
  return lines
end

---The lab as an SVG document.
---@param lab ecmp.Lab
---@return string
function M.svg(lab)
  local count <const> = #lab.gateways
  local height <const> = TOP * 2 + ROW * (count - 1) + HEIGHT
  local middle <const> = height // 2
  local out <const> = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">')
      :format(SERVER_X + WIDTH + 20, height),
    "<title>pod, gateways, server</title>", STYLE,
  }
  for i, gateway in ipairs(lab.gateways) do
    local y <const> = TOP + ROW * (i - 1)
    local cut <const> = lab.cuts[gateway.name]
    out[#out + 1] =
      wire(POD_X + WIDTH, middle, GATEWAY_X, y + HALF, breaks_near(cut), gateway.dev)
    out[#out + 1] = wire(GATEWAY_X + WIDTH, y + HALF, SERVER_X, middle, breaks_far(cut))
    local title <const> = gateway.name .. (cut and ": " .. reasons[cut] or "")
    out[#out + 1] = box(GATEWAY_X, y, title, addresses(lab, gateway.via),
      cut and "gateway cut" or "gateway")
  end
  out[#out + 1] = box(POD_X, middle - HALF, "pod", addresses(lab, lab.source), "pod")
  out[#out + 1] =
    box(SERVER_X, middle - HALF, "server", addresses(lab, lab.prefix), "server")
  out[#out + 1] = "</svg>"
  return table.concat(out, "\n") .. "\n"
end

return M
