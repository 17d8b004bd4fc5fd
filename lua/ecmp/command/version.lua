---ecmp version: what this is.
local M = { name = "version", summary = "say which version this is" }

function M.setup() end

---@return integer status
function M.run()
  print("ecmp " .. require "ecmp.version")
  print(_VERSION)
  print("CNI " .. table.concat(require("ecmp.cni.version").all, ", "))
  return 0
end

return M
