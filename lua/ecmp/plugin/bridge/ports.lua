---The ports of a bridge.
local M = {}

---Whether anything is plugged into a bridge.
---@param host table handle of the bridge's namespace
---@param name string the bridge
---@param except? table<string, true> ports that do not count
---@return boolean
function M.any(host, name, except)
  for _, link in ipairs(host.link:list() or {}) do
    if link.master == name and not (except and except[link.name]) then return true end
  end
  return false
end

return M
