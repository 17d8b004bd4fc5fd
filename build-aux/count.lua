--- Adds up what build-aux/test.sh wrote in the directories named: names the specs that were
--- skipped, and last prints "N passed, N failed", with ", N skipped" behind it when there are any.
--- Fails when one failed, or none ran.
--
--     count.lua DIRECTORY...
--     count.lua --lacking DIRECTORY     names files with specs that the kernel had no part for
--
-- A spec that ran in several directories, which are those of several kernels, counts once: as
-- failed where it failed in one, as passed where it passed in one, else as skipped.

-- All lines of all files in a directory.
local function lines_below(directory)
  local quoted <const> = directory:gsub("'", "'\\''")
  local files <close> = assert(io.popen(("cat '%s'/*.counts"):format(quoted)))
  local lines <const> = {}
  for line in files:lines() do lines[#lines + 1] = line end
  return ipairs(lines)
end

if arg[1] == "--lacking" then
  local file, named = nil, nil
  for _, line in lines_below(arg[2]) do
    file = line:match "^%d+ %d+ %d+ (.*)$" or file
    if line:find "^skipped\t[^\t]*\tthis kernel" and file ~= named then
      print(file)
      named = file
    end
  end
  os.exit()
end

-- By name of spec, in one directory: how often it passed, failed and was skipped, and why.
local function read(directory)
  local found <const> = {}
  for _, line in lines_below(directory) do
    local outcome <const>, name <const>, reason <const> = line:match "^(%a+)\t([^\t]*)\t?(.*)$"
    if outcome then
      local spec <const> = found[name] or { passed = 0, failed = 0, skipped = 0 }
      found[name] = spec
      spec[outcome] = spec[outcome] + 1
      if outcome == "skipped" then spec.reason = reason end
    end
  end
  return found
end

-- A name may stand for several specs, as many as there were of it on one kernel.
local function merge(all, found)
  for name, spec in pairs(found) do
    local known <const> = all[name] or { passed = 0, failed = 0, skipped = 0 }
    local count <const> = math.max(known.passed + known.failed + known.skipped,
      spec.passed + spec.failed + spec.skipped)
    local failed <const> = math.max(known.failed, spec.failed)
    local passed <const> = math.min(count - failed, math.max(known.passed, spec.passed))
    all[name] = { failed = failed, passed = passed, skipped = count - failed - passed,
                  reason = spec.reason or known.reason }
  end
end

local all <const>, skipped <const> = {}, {}
local total <const> = { passed = 0, failed = 0, skipped = 0 }
for _, directory in ipairs(arg) do merge(all, read(directory)) end
for name, spec in pairs(all) do
  for outcome in pairs(total) do total[outcome] = total[outcome] + spec[outcome] end
  for _ = 1, spec.skipped do skipped[#skipped + 1] = ("%s: %s"):format(name, spec.reason) end
end

if not next(all) then
  print "Not one spec ran."
  total.failed = 1
end
if skipped[1] then
  table.sort(skipped)
  print("\nSkipped:\n" .. table.concat(skipped, "\n"))
end
print(("%d passed, %d failed%s"):format(total.passed, total.failed,
  total.skipped > 0 and (", %d skipped"):format(total.skipped) or ""))
os.exit(total.failed == 0)
