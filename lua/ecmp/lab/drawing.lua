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

-- What the pod's routes ask for -------------------------------------------------------------------

local function gateway_of(lab, hop, family)
  for _, gateway in ipairs(lab.gateways) do
    if hop.via and hop.via == gateway.via[family] then return gateway end
  end
  for _, gateway in ipairs(lab.shared and {} or lab.gateways) do
    if hop.dev == gateway.dev then return gateway end
  end
end

local function hops_of(route)
  return route.nexthops or { { via = route.via, dev = route.dev, linkdown = route.linkdown } }
end

-- The route to the server, else the first that a gateway is a hop of.
local function find_route(lab, family)
  local route <const> = lab.pod.route:get { dst = lab.address[family], fibmatch = true }
  if route then return route end
  for _, other in ipairs(lab.pod.route:list { family = family } or {}) do
    for _, hop in ipairs(hops_of(other)) do
      if hop.via and gateway_of(lab, hop, family) then return other end
    end
  end
end

-- A route of a family: its destination, and the share of each gateway, by name, as its weights
-- have it; "dead" where the kernel passes a hop over.
local function route_of(lab, family)
  local route <const> = find_route(lab, family)
  if not route then return nil end
  local hops <const>, shares <const> = hops_of(route), {}
  local sum = 0
  for _, hop in ipairs(hops) do sum = sum + (hop.weight or 1) end
  for _, hop in ipairs(hops) do
    local gateway <const> = gateway_of(lab, hop, family)
    if gateway then
      local share <const> = shares[gateway.name] or { weight = 0 }
      share.weight = share.weight + (hop.weight or 1)
      share.dead = hop.dead or hop.linkdown
      shares[gateway.name] = share
    end
  end
  for name, share in pairs(shares) do
    shares[name] = share.dead and "dead" or ("%.3g %%"):format(share.weight / sum * 100)
  end
  return { dst = route.dst, shares = shares }
end

local function routes_of(lab)
  local routes <const> = {}
  for _, family in ipairs(lab.families) do routes[family] = route_of(lab, family) end
  return routes
end

-- A line for each family, or one for both where they agree.
local function shares_of(lab, routes, gateway)
  local lines <const>, agreed = {}, true
  local first
  for _, family in ipairs(lab.families) do
    local share <const> = routes[family] and routes[family].shares[gateway.name]
    first = first or share
    agreed = agreed and share ~= nil and share == first
    if share then lines[#lines + 1] = ("IPv%d %s"):format(family, share) end
  end
  return agreed and { first } or lines
end

-- SVG --------------------------------------------------------------------------------------------

local ROW <const>, TOP <const> = 90, 40
local POD_X <const>, GATEWAY_X <const>, SERVER_X <const> = 20, 420, 720
local WIDTH <const>, HEIGHT <const>, HALF <const> = 200, 60, 30 -- of a box

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;" }))
end

local function box(x, y, title, lines, class)
  local out <const> = {
    ('<rect class="box %s" x="%d" y="%d" width="%d" height="%d" rx="6"/>'):format(class, x, y,
      WIDTH, HEIGHT),
    ('<text class="title" x="%d" y="%d">%s</text>'):format(x + 10, y + 20, escape(title)),
  }
  for i, line in ipairs(lines) do
    out[#out + 1] = ('<text x="%d" y="%d">%s</text>'):format(x + 10, y + 22 + 14 * i, escape(line))
  end
  return table.concat(out, "\n")
end

local function label(class, x, y, text)
  return ('<text class="%s" x="%d" y="%d">%s</text>'):format(class, x, y, escape(text))
end

-- A line; above its middle its device, below it the shares.
local function wire(x1, y1, x2, y2, broken, dev, shares)
  local out <const> = { ('<line class="%s" x1="%d" y1="%d" x2="%d" y2="%d"/>'):format(
    broken and "wire cut" or "wire", x1, y1, x2, y2) }
  local x <const>, y <const> = x1 + (x2 - x1) // 2, y1 + (y2 - y1) // 2
  if dev then out[2] = label("dev", x, y - 6, dev) end
  for i, share in ipairs(shares or {}) do
    out[#out + 1] = label("share", x, y + 13 * i - 4, share)
  end
  return table.concat(out, "\n")
end

-- The picture brings its own ground, so that it can be read on any page.
local STYLE <const> = [[<style>
text { font: 11px monospace; fill: #222 } .title, .share { font-weight: bold }
.dev, .share { fill: #444; paint-order: stroke; stroke: #fff; stroke-width: 4 }
.ground { fill: #fff } .box { fill: #f4f6f8; stroke: #456 }
.gateway.cut { fill: #fdecea; stroke: #b33 }
.wire { stroke: #456; stroke-width: 2 } .wire.cut { stroke: #b33; stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
text { fill: #e6e6e6 } .dev, .share { fill: #ccc; stroke: #16191d }
.ground { fill: #16191d } .box { fill: #252b33; stroke: #8aa }
.gateway.cut { fill: #3d2220; stroke: #e66 }
.wire { stroke: #8aa } .wire.cut { stroke: #e66 }
}
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
  local middle <const>, routes <const> = height // 2, routes_of(lab)
  local out <const> = {
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img">')
      :format(SERVER_X + WIDTH + 20, height),
    "<title>pod, gateways, server, and the shares that the pod's routes ask for</title>", STYLE,
    '<rect class="ground" width="100%" height="100%"/>',
  }
  for i, gateway in ipairs(lab.gateways) do
    local y <const> = TOP + ROW * (i - 1)
    local cut <const> = lab.cuts[gateway.name]
    out[#out + 1] =
      wire(POD_X + WIDTH, middle, GATEWAY_X, y + HALF, breaks_near(cut), gateway.dev,
        shares_of(lab, routes, gateway))
    out[#out + 1] = wire(GATEWAY_X + WIDTH, y + HALF, SERVER_X, middle, breaks_far(cut))
    local title <const> = gateway.name .. (cut and ": " .. reasons[cut] or "")
    out[#out + 1] = box(GATEWAY_X, y, title, addresses(lab, gateway.via),
      cut and "gateway cut" or "gateway")
  end
  out[#out + 1] = box(POD_X, middle - HALF, "pod", addresses(lab, lab.source), "pod")
  local below = middle + HALF + 16
  for _, family in ipairs(lab.families) do
    if routes[family] then
      out[#out + 1] = label("route", POD_X + 10, below, ("IPv%d: %s"):format(family,
        routes[family].dst))
      below = below + 14
    end
  end
  out[#out + 1] =
    box(SERVER_X, middle - HALF, "server", addresses(lab, lab.prefix), "server")
  out[#out + 1] = "</svg>"
  return table.concat(out, "\n") .. "\n"
end

return M
