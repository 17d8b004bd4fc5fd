---Checks, before a script is run, that only root and our own user could have written it.
--
-- Whoever may write a directory can put another file in its place, and whoever owns a symbolic link
-- decides what is read, so every step of the path is looked at, links followed by hand.
local errors = require "ecmp.errors"
local sys = require "ecmp.sys"

local M = {}

local FAULT <const> = errors.SCRIPT

local WRITE <const> = tonumber("022", 8)
local STICKY <const> = tonumber("1000", 8)
local MOST_LINKS <const> = 40
local NOBODY <const> = 65534

local function refuse(path, message, ...)
  return nil, ("%s: %s"):format(path, message:format(...)), FAULT
end

---In a user namespace the owners that it does not know, the machine's root first of all, all look
---like one user.
local function hides_owners()
  local map <const> = sys.read("/proc/self/uid_map")
  return map ~= nil and not map:match("^%s*0%s+0%s+4294967295%s*$")
end

local function is_ours(uid)
  return uid == 0 or uid == sys.getuid() or uid == NOBODY and hides_owners()
end

local function check_step(script, path, found)
  if not is_ours(found.uid) then
    return refuse(script, "refused, because %s belongs to user %d", path, found.uid)
  end
  if found.type == "link" or found.mode & WRITE == 0 then return true end
  -- In a sticky directory everybody may write, but replace only what is their own.
  if found.type == "dir" and found.mode & STICKY ~= 0 then return true end
  return refuse(script, "refused, because others may write %s (mode %04o)", path,
    found.mode & 4095)
end

local function split(path, into)
  for part in path:gmatch("[^/]+") do into[#into + 1] = part end
  return into
end

local function absolute(path)
  if path:sub(1, 1) == "/" then return path end
  return assert(sys.realpath(".")) .. "/" .. path
end

---Puts what a link points to in place of the parts that are left to walk.
local function follow(here, target, parts, i)
  local rest <const> = split(target, {})
  table.move(parts, i + 1, #parts, #rest + 1, rest)
  return target:sub(1, 1) == "/" and {} or here, rest
end

---@return string? real, string? message, string? code
local function walk(script)
  local here, parts, links = {}, split(absolute(script), {}), 0
  local ok, message, code = check_step(script, "/", assert(sys.lstat("/")))
  if not ok then return nil, message, code end
  local i, found = 1, nil
  while parts[i] do
    local part <const> = parts[i]
    if part == ".." then
      here[#here] = nil
    elseif part ~= "." then
      local path <const> = "/" .. table.concat(here, "/") .. (#here > 0 and "/" or "") .. part
      found, message = sys.lstat(path)
      if not found then return refuse(script, "%s", message) end
      ok, message, code = check_step(script, path, found)
      if not ok then return nil, message, code end
      if found.type == "link" then
        links = links + 1
        if links > MOST_LINKS then return refuse(script, "too many symbolic links") end
        here, parts = follow(here, assert(sys.readlink(path)), parts, i)
        i = 0
      else
        here[#here + 1] = part
      end
    end
    i = i + 1
  end
  if not found or found.type ~= "file" then return refuse(script, "is no regular file") end
  return "/" .. table.concat(here, "/")
end

---Reads a script that nobody but root and we may have written.
---@param path string
---@param limit? integer the most bytes, 1 MiB where left out
---@return string? text, string? message, string? code nil, message naming what is at fault,
---"ESCRIPT"
function M.read(path, limit)
  if type(path) ~= "string" then error("path: text is due here", 2) end
  if path == "" or path:find("\0", 1, true) then return refuse(path, "is no path") end
  local real, message, code = walk(path)
  if not real then return nil, message, code end
  local text
  text, message = sys.read(real, limit or 1 << 20)
  if not text then return refuse(path, "%s", message) end
  return text
end

return M
