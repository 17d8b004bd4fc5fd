---The log of a plugin's verbs, `logFile` and `logLevel`: one JSON object a line, in a file or in
---systemd's journal.
--
-- What is logged is what a verb was asked for, what it decided and how it ended; nothing of the
-- configuration, of `CNI_ARGS` or of `runtimeConfig`, where secrets may be. A log that cannot be
-- written is a line on stderr, and the verb ends as it would have.
local json = require "ecmp.json"
local log = require "ecmp.log"
local schema = require "ecmp.cni.schema"
local sys = require "ecmp.sys"

local M = {}

---The levels from quiet to talkative, as Multus has them.
M.levels = { "panic", "error", "verbose", "debug" }

---Where systemd's journal takes lines.
M.journal = "/run/systemd/journal/socket"

local JOURNAL <const>, PRESET <const> = "journal", "verbose"

local RANK <const> = {}
for i, level in ipairs(M.levels) do RANK[level] = i end

-- syslog's numbers: critical, error, informational, debug.
local PRIORITY <const> = { panic = 2, error = 3, verbose = 6, debug = 7 }

local MODE <const> = tonumber("640", 8)

-- A line is for one look: of more routes and longer texts the rest is counted.
local MOST <const>, LONGEST <const> = 64, 4000

-- Asked again and again by runtimes, to the same answer.
local ROUTINE <const> = { CHECK = true, STATUS = true }

---The check of `logFile`.
M.file_field = schema.as({ type = "string", pattern = "^(/.+|journal)$" }, function(value, path)
  local text <const>, message <const> = schema.string(value, path)
  if message then return nil, message end
  if text == JOURNAL or text:find("^/.") and not text:find("\0", 1, true) then return text end
  return nil, ("%s: '%s' is neither a path that begins with a slash nor \"journal\"")
    :format(path, text)
end)

---The check of `logLevel`.
M.level_field = schema.word(M.levels)

local fields <const> = schema.record {
  { "logFile", M.file_field }, { "logLevel", M.level_field },
}

local Log <const> = { __name = "ecmp.cni.log" }
Log.__index = Log

---Begins the log of a verb.
---@param conf table the plugin's configuration
---@param started number of `sys.monotonic`, when the verb began
---@return table? log nil where none is asked for
---@return string? message what is wrong with the keys
function M.open(conf, started)
  local own <const>, message <const> = fields(conf, "")
  if not own or not own.logFile then return nil, message end
  return setmetatable({
    file = own.logFile, level = own.logLevel or PRESET, started = started,
  }, Log)
end

---Whether lines of a level are written.
---@param level string
---@return boolean
function Log:takes(level)
  return RANK[level] <= RANK[self.level]
end

-- The first of a list, and how many more there were.
local function head(list)
  local first <const> = table.move(list, 1, math.min(#list, MOST), 1, json.array())
  return #list > 0 and first or nil, #list > MOST and #list - MOST or nil
end

local function short(text)
  if text == nil or #text <= LONGEST then return text end
  return text:sub(1, LONGEST) .. "..."
end

local function level_of(call, err)
  if err then return err.fault and "panic" or "error" end
  return ROUTINE[call.command] and "debug" or "verbose"
end

local function now()
  local time <const> = sys.realtime()
  return ("%s.%03dZ"):format(os.date("!%Y-%m-%dT%H:%M:%S", math.floor(time)),
    math.floor(time % 1 * 1000))
end

-- In the order in which one reads.
local function line_of(pairs_in_order)
  local parts <const> = {}
  for i = 1, #pairs_in_order, 2 do
    local value <const> = pairs_in_order[i + 1]
    if value ~= json.null and value ~= "" then
      parts[#parts + 1] = json.encode(pairs_in_order[i]) .. ":" .. json.encode(value)
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

---Takes what an ADD has decided; a fault in telling it is no reason for the ADD to fail.
---@param read fun(): table returns `{ routes, addresses, sysctls, notes? }`
function Log:decided(read)
  if not self:takes "verbose" then return end
  local ok <const>, decided <const> = pcall(read)
  if ok then self.decisions = decided else log.warn("logFile: " .. tostring(decided)) end
end

local function text_of(self, level, call, err, warned)
  local none <const>, decided <const> = json.null, self.decisions or {}
  local routes <const>, more <const> = head(decided.routes or {})
  local warnings <const> = head(warned)
  local is_debug <const> = self.level == "debug"
  return line_of {
    "time", now(), "level", level, "command", call.command, "plugin", call.plugin or none,
    "network", json.get(call.conf, "name") or none, "container", call.containerid or none,
    "interface", call.ifname or none,
    "milliseconds", math.floor((sys.monotonic() - self.started) * 1000 + 0.5),
    "routes", routes or none, "moreRoutes", more or none,
    "notes", head(decided.notes or {}) or none, "addresses", is_debug and decided.addresses or none,
    "sysctls", is_debug and decided.sysctls or none,
    "warnings", warnings or none, "code", err and err.code or none,
    "message", err and short(err.msg) or none, "details", err and short(err.details) or none,
  }
end

-- The journal's own protocol: a field a line; one with newlines behind its length.
local function journal_text(list)
  local parts <const> = {}
  for i = 1, #list, 2 do
    local value <const> = tostring(list[i + 1])
    parts[#parts + 1] = value:find("\n", 1, true) and list[i] .. "\n" .. string.pack("<s8", value)
      or list[i] .. "=" .. value
  end
  return table.concat(parts, "\n") .. "\n"
end

local function write(file, level, call, line)
  if file ~= JOURNAL then return sys.append(file, line .. "\n", MODE) end
  return sys.unix_send(M.journal, journal_text {
    "MESSAGE", line, "PRIORITY", PRIORITY[level], "SYSLOG_IDENTIFIER", "ecmp",
    "CNI_COMMAND", call.command, "CNI_NETWORK", json.get(call.conf, "name"),
    "CNI_CONTAINERID", call.containerid or "", "CNI_IFNAME", call.ifname or "",
  })
end

---Writes the line of a verb that has ended.
---@param call table
---@param err? table the error object that it ended with
---@param warnings string[] what it warned of
function Log:finish(call, err, warnings)
  local level <const> = level_of(call, err)
  if not self:takes(level) then return end
  local made <const>, ok, message = pcall(function()
    return write(self.file, level, call, text_of(self, level, call, err, warnings))
  end)
  if not made then ok, message = nil, ok end
  if not ok then log.warn("logFile: " .. tostring(message)) end
end

return M
