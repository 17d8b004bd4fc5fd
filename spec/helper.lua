--- Shared by all specs: loaded once by busted, and required by name.
package.loaded["spec.helper"] = package.loaded["spec.helper"] or {}
local M = package.loaded["spec.helper"]

--- Counts the open descriptors of this process, after a full collection so that forgotten handles
--- are not taken for leaks.
---@return integer
function M.descriptors()
  collectgarbage()
  collectgarbage()
  local count = 0
  local list <close> = assert(io.popen("ls /proc/" .. M.pid() .. "/fd"))
  for _ in list:lines() do count = count + 1 end
  return count - 1 -- the pipe that counts
end

--- This process's id, from procfs: specs of ecmp.sys do not lean on ecmp.sys.
---@return integer
function M.pid()
  local file <close> = assert(io.open("/proc/self/stat"))
  return assert(math.tointeger(tonumber(file:read("a"):match("^%d+"))))
end

return M
