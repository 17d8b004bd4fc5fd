---The files of an installation: the executable `ecmp`, a link to it for each plugin type of ours,
---and a copy of it for each reference plugin that it took the place of.
--
-- Those are copies because `cp` writes through a link: a package's bridge copied over a link would
-- be in the place of every plugin. Which they are is noted in the directory, and the file that was
-- there stays as NAME.orig. Every name changes from the old file to the new one in one step.
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"

local M = {}

---The executable's name, which links lead to.
M.PROGRAM = "ecmp"
---Whoever changes an installation holds this file's lock.
M.LOCK = ".ecmp.lock"

-- The names of reference plugins that ours took the place of, one a line.
local REPLACED <const> = ".ecmp.replaced"
local MODE <const>, NOTE_MODE <const> = tonumber("755", 8), tonumber("644", 8)
-- What every version of the executable has in it: where Lua says that its modules come from.
local MARK <const> = "(embedded)"

---The types of ours that an installation has a link for, by name.
---@return string[]
function M.links()
  local links <const> = {}
  for _, row in ipairs(programs.types()) do
    local name <const> = "ecmp-" .. row.type
    local program <const> = programs.plugin(name)
    local is_own <const> = program and program.module == "ecmp.plugin." .. row.type
    if is_own and row.type ~= M.PROGRAM then links[#links + 1] = name end
  end
  return links
end

---The names of reference plugins that ours took the place of.
---@param dir string
---@return string[]
function M.replaced(dir)
  local names <const> = {}
  for name in (sys.read(dir .. "/" .. REPLACED) or ""):gmatch "[^\n]+" do
    local program <const> = programs.plugin(name)
    if program and program.dropin then names[#names + 1] = name end
  end
  return names
end

---Notes more names of reference plugins, before they are replaced.
---@param dir string
---@param names string[]
---@return string[]? all, string? message
function M.note_replaced(dir, names)
  local all <const>, known <const> = M.replaced(dir), {}
  local before <const> = #all
  for _, name in ipairs(all) do known[name] = true end
  for _, name in ipairs(names) do
    if not known[name] then all[#all + 1] = name end
    known[name] = true
  end
  if #all == before then return all end
  table.sort(all)
  local ok <const>, message <const> =
    sys.replace(dir .. "/" .. REPLACED, table.concat(all, "\n") .. "\n", NOTE_MODE)
  if not ok then return nil, message end
  return all
end

---Forgets that anything was installed.
---@param dir string
function M.forget(dir)
  sys.unlink(dir .. "/" .. REPLACED)
  sys.unlink(dir .. "/" .. M.LOCK)
end

---What a name of an installation is: "ours"; "link", ours too, where a copy should be; "missing";
---or "other".
---@param dir string
---@param name string
---@param is_copy? boolean whether it should be a copy
---@return string
function M.state(dir, name, is_copy)
  local path <const> = dir .. "/" .. name
  local found <const>, _, code <const> = sys.lstat(path)
  if not found then return code == "ENOENT" and "missing" or "other" end
  local to <const> = found.type == "link" and sys.readlink(path)
  if to and is_copy then return to == M.PROGRAM and "link" or "other" end
  if to == M.PROGRAM and name ~= M.PROGRAM then return "ours" end
  local stat <const> = sys.stat(path)
  local text <const> = stat and stat.type == "file" and sys.read(path)
  return text and text:find(MARK, 1, true) and "ours" or "other"
end

-- Removes what an installation that was killed left behind; ours is the only one that runs.
function M.sweep(dir)
  for _, name in ipairs(sys.list(dir) or {}) do
    if name:find("^%.ecmp%-%x+$") then sys.unlink(dir .. "/" .. name) end
  end
end

local function random_name(dir)
  local bytes <const> = sys.random(8):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return ("%s/.ecmp-%s"):format(dir, bytes)
end

---Makes a name a link to the executable, whatever it was before.
---@param dir string
---@param name string
---@return string? done, string? message
function M.put_link(dir, name)
  local path <const> = dir .. "/" .. name
  if sys.readlink(path) == M.PROGRAM then return "kept" end
  local temporary <const> = random_name(dir)
  local made, message = sys.symlink(M.PROGRAM, temporary)
  if made then made, message = sys.rename(temporary, path) end
  if made then return "linked" end
  sys.unlink(temporary)
  return nil, message
end

---Keeps what is in the way of a reference plugin's name under another, which it gets before it
---loses its own. What is ours is not worth keeping.
---@param dir string
---@param name string
---@return true? ok, string? message
function M.keep_original(dir, name)
  local path <const> = dir .. "/" .. name
  local there <const>, problem <const>, code <const> = sys.lstat(path)
  if not there then return code == "ENOENT" or nil, problem end
  if there.type ~= "file" and there.type ~= "link" then
    return nil, ("%s: neither a file nor a link, left alone"):format(path)
  end
  if M.state(dir, name, true) ~= "other" then return true end
  local temporary <const> = random_name(dir)
  local kept, message = sys.link(path, temporary)
  if kept then kept, message = sys.rename(temporary, path .. ".orig") end
  sys.unlink(temporary) -- rename leaves it where the other name is this file already
  if kept then return true end
  return nil, message
end

---Makes a name a file with the executable's bytes.
---@param path string
---@param text string
---@return string? done, string? message
function M.put_file(path, text)
  local found <const> = sys.lstat(path)
  if found and found.type == "file" and found.size == #text and sys.read(path) == text then
    return found.mode == MODE and "kept" or (sys.chmod(path, MODE) and "kept")
  end
  local replaced <const>, message <const> = sys.replace(path, text, MODE)
  -- replace leaves the mode to the umask; a runtime of another user must still be able to call us
  if replaced then sys.chmod(path, MODE) end
  return replaced and "installed", message
end

---Takes a name of ours away, and puts back what it took the place of.
---@param dir string
---@param name string
---@return string? done, string? message
function M.restore(dir, name)
  local path <const> = dir .. "/" .. name
  if sys.lstat(path .. ".orig") then
    local ok <const>, message <const> = sys.rename(path .. ".orig", path)
    return ok and "restored", message
  end
  local ok <const>, message <const>, code <const> = sys.unlink(path)
  if not ok and code ~= "ENOENT" then return nil, message end
  return ok and "removed" or "missing"
end

return M
