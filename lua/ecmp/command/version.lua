---ecmp version: what this is.
local M = { name = "version", summary = "say which version this is" }

function M.setup(parser)
  parser:flag("--json", "print JSON")
end

---@param args table as `setup` asked for
---@return integer status
function M.run(args)
  local version <const>, cni <const> = require "ecmp.version", require("ecmp.cni.version").all
  if args.json then
    print(require("ecmp.json").encode { version = version, lua = _VERSION:match "%S+$", cni = cni })
    return 0
  end
  print("ecmp " .. version)
  print(_VERSION)
  print("CNI " .. table.concat(cni, ", "))
  return 0
end

return M
