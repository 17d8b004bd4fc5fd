---The packet filter's rules of a namespace as lines: nftables', and those of iptables.
local iptables = require "ecmp.netfilter.iptables"
local sys = require "ecmp.sys"

local M = {}

local TIMEOUT <const> = 30 -- seconds

-- The built-in tables and chains of iptables, and those of ebtables that macspoofchk uses: whoever
-- needs them first makes them, and they stay.
local BUILT_IN <const> = { PREROUTING = true, INPUT = true, FORWARD = true, OUTPUT = true,
  POSTROUTING = true }
local TABLES <const> = {}
for _, family in ipairs { "ip", "ip6", "bridge" } do
  for _, name in ipairs { "filter", "nat", "mangle", "raw", "security" } do
    TABLES[("table %s %s"):format(family, name)] = true
  end
end

local function stays(blocks, line)
  local chain <const> = (blocks[2] or ""):match "^chain (%S+)$"
  if not TABLES[blocks[1]] or blocks[2] and not BUILT_IN[chain] then return false end
  return line == nil or line:find "^type %S+ hook .* policy accept;$" ~= nil
end

-- `nft list ruleset`: each line behind the table and the chain that it stands in.
local function of_nft(text)
  local lines <const>, blocks <const> = {}, {}
  for line in text:gmatch "[^\n]+" do
    line = line:gsub("^%s+", "")
    local opens <const> = line:match "^(.*) {$"
    local front <const> = table.concat(blocks, " ")
    if opens then
      blocks[#blocks + 1] = opens
      lines[#lines + 1] = { text = "nft " .. table.concat(blocks, " "), stays = stays(blocks) }
    elseif line == "}" then
      blocks[#blocks] = nil
    elseif not line:find "^#" then
      lines[#lines + 1] = { text = ("nft %s: %s"):format(front, line), stays = stays(blocks, line) }
    end
  end
  return lines
end

-- What `iptables-save` and its like write: rules, and chains with their policy but no counters.
local function of_save(text, program)
  local lines <const>, name = {}, nil
  for line in text:gmatch "[^\n]+" do
    name = line:match "^%*(%S+)" or name
    local chain <const>, policy <const> = line:match "^:(%S+) (%S+)"
    if chain then
      lines[#lines + 1] = {
        text = ("%s: table %s chain %s policy %s"):format(program, name, chain, policy),
        stays = BUILT_IN[chain] and policy == "ACCEPT",
      }
    elseif line:find "^%-" then
      lines[#lines + 1] = { text = ("%s: table %s: %s"):format(program, name, line) }
    end
  end
  return lines
end

local NFT <const> = { program = "nft", argv = { "-s", "list", "ruleset" }, read = of_nft }

-- nft shows what iptables-nft has set, but nothing of iptables-legacy.
local function readers()
  local wanted <const>, found <const> = {}, {}
  if iptables.find "nft" then
    wanted[1], wanted[2] = NFT, { program = "iptables-legacy-save" }
    wanted[3] = { program = "ip6tables-legacy-save" }
  else
    wanted[1], wanted[2] = { program = "iptables-save" }, { program = "ip6tables-save" }
  end
  for _, reader in ipairs(wanted) do
    reader.file = iptables.find(reader.program)
    if reader.file then found[#found + 1] = reader end
  end
  return found
end

---Reads the rules of a namespace.
---@param path string of the namespace
---@return { text: string, stays?: boolean }[]? lines `stays` marks built-in tables and chains
---@return string? message why rules cannot be read
function M.read(path)
  local lines <const>, programs <const> = {}, readers()
  if #programs == 0 then return nil, "neither nft nor iptables-save is there" end
  for _, reader in ipairs(programs) do
    local outcome <const>, message <const> = sys.spawn {
      argv = { reader.file, table.unpack(reader.argv or {}) }, netns = path, timeout = TIMEOUT,
      stderr = "capture",
    }
    if not outcome then return nil, ("%s: %s"):format(reader.program, message) end
    if outcome.status ~= 0 then
      local words <const> = outcome.stderr:gsub("%s+$", ""):gsub("%s*\n%s*", "; ")
      return nil, ("%s: %s"):format(reader.program, outcome.timedout and "ran out of time" or words)
    end
    for _, line in ipairs((reader.read or of_save)(outcome.stdout, reader.program)) do
      lines[#lines + 1] = line
    end
  end
  return lines
end

return M
