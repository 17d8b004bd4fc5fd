--- Runs programs and tells what they sent to the kernel, as text that is the same from run to run.
local netlink_text = require "spec.netlink_text"
local sys = require "ecmp.sys"

local M = {}

local library

-- Built where the run may write.
local function build()
  local path <const> = assert(sys.mkdtemp "/run/ecmp-trace.") .. "/netlink_trace.so"
  local built <const> = assert(sys.spawn { stderr = "capture", timeout = 60, argv = {
    os.getenv "CC" or "cc", "-shared", "-fPIC", "-O1", "-o", path, "spec/netlink_trace.c", "-ldl" } })
  assert(built.status == 0, built.stderr)
  return path
end

---What a program needs in its environment to be traced into a file, which is made empty.
---@param file string
---@return table<string, string>
function M.environment(file)
  library = library or build()
  sys.unlink(file)
  assert(sys.create(file, "", tonumber("666", 8)))
  return { TRACE_FILE = file, LD_PRELOAD = (os.getenv "LD_PRELOAD" or "") .. " " .. library }
end

---Begins a part of the trace of this very process, which is one that is traced; `read` gives the parts by
---their titles, and leaves out what has none.
---@param title? string
function M.title(title)
  M.note("title " .. (title or ""))
end

---Puts a line of one's own into the trace of this very process.
---@param line string
function M.note(line)
  local out <close> = assert(io.open(os.getenv "TRACE_FILE", "a"))
  out:write(line, "\n")
end

-- "1=lo/000000000000,2=..." as a table by index.
local function links_of(text)
  local links <const> = {}
  for index, name, address in text:gmatch "(%d+)=([^/,]+)/(%x*)" do
    links[tonumber(index)] = { name = name, address = address }
  end
  return links
end

local function descriptors_of(text)
  local descriptors <const> = {}
  for fd, inode in text:gmatch "(%d+)=(%d+)" do descriptors[tonumber(fd)] = inode end
  return descriptors
end

local function from_hex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

local lines <const> = {}

-- The first message of a socket makes the kernel's dumps large; it says nothing.
local NOOP <const> = "message 1 flags 0x5"

function lines.netlink(part, rest)
  local protocol <const>, links <const>, descriptors <const>, hex <const> =
    rest:match "^(%d+) (%S+) (%S+) (%x*)$"
  local found <const> = netlink_text.messages(from_hex(hex), { protocol = tonumber(protocol), links = links_of(links),
    descriptors = descriptors_of(descriptors), namespaces = part.namespaces, random = part.random })
  if #found == 1 and found[1] == NOOP then return nil end
  local together <const> = #found > 1 and ("send of %d\n"):format(#found) or ""
  return together .. table.concat(found, "\n"), #found
end

function lines.sysctl(part, rest)
  local path <const>, hex <const> = rest:match "^(%S+) (%x*)$"
  local named <const> = path:gsub("[^/]+", function(name) return netlink_text.name(part.random, name) end)
  return ("sysctl %s = %q"):format(named, from_hex(hex)), 1
end

-- Dumps and sysctls that follow each other are put in order: which comes first is a matter of chance,
-- where a program has them in a table, and changes nothing.
local function add_in_order(part, text, word)
  local at = #part.lines + 1
  while at > 1 and part.lines[at - 1]:find(word) and part.lines[at - 1] > text do at = at - 1 end
  table.insert(part.lines, at, text)
end

local UNORDERED <const> = { "^sysctl ", "^RTM_GET%u+ request root match" }

-- A dump that something interrupted is asked for again, and so is what has yet to happen.
local function add(part, process, text, count)
  if text == part.last and text:find "^RTM_GET" then return end
  part.last, part.requests = text, part.requests + count
  part.lookups = part.lookups + (text:find "^RTM_GETLINK request\n" and 1 or 0)
  if process ~= part.process then
    part.process = process
    part.processes[process] = part.processes[process] or part.processes.count + 1
    part.processes.count = math.max(part.processes.count, part.processes[process])
    if part.processes.count > 1 then
      table.insert(part.lines, ("process %d"):format(part.processes[process]))
    end
  end
  for _, word in ipairs(UNORDERED) do
    if text:find(word) then return add_in_order(part, text, word) end
  end
  table.insert(part.lines, text)
end

local function new_part(title, namespaces)
  return { title = title, lines = {}, requests = 0, lookups = 0, namespaces = namespaces, random = { count = 0 },
    processes = { count = 0 } }
end

local function read_line(part, line)
  local word <const>, rest <const> = line:match "^(%S+) ?(.*)$"
  if not lines[word] then return table.insert(part.lines, line) end
  local process <const>, what <const> = rest:match "^(%d+) (.*)$"
  local text <const>, count <const> = lines[word](part, what)
  if text then add(part, process, text, count) end
end

---Reads a trace.
---@param file string
---@param namespaces? table<string, string> names of namespaces by inode
---@param title? string of what comes before the first title
---@return { title: string, lines: string[], requests: integer, lookups: integer }[] parts # one for each title; `lookups`
---are the requests that ask for a link, as for the number of a name
function M.read(file, namespaces, title)
  local part = title and new_part(title, namespaces or {})
  local parts <const> = { part }
  for line in assert(sys.read(file)):gmatch "[^\n]+" do
    local named <const> = line:match "^title (.*)$"
    if named then
      part = named ~= "" and new_part(named, namespaces or {}) or nil
      parts[#parts + 1] = part
    elseif part then
      read_line(part, line)
    end
  end
  return parts
end

return M
