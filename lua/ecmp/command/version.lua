---ecmp version: what this is, for reports of faults.
--
-- What only the executable knows of itself (its commit, the C library, whether it is static) is in
-- ecmp.build, a module inside it; by Lua modules alone it is not told.
local M = { name = "version", summary = "say which version this is" }

function M.setup(parser)
  parser:flag("--json", "print JSON, with the commit, the libraries, whether it is static and has "
    .. "pools")
end

---@param args table as `setup` asked for
---@return integer status
function M.run(args)
  local version <const>, cni <const> = require "ecmp.version", require("ecmp.cni.version").all
  if args.json then
    local inside <const> = package.preload["ecmp.build"]
    local build <const> = inside and inside() or {}
    print(require("ecmp.json").encode { version = version, commit = build.commit,
      lua = build.lua or _VERSION:match "%S+$", cjson = require("cjson")._VERSION,
      libc = build.libc, static = build.static, cni = cni,
      pools = require("ecmp.plugin.pool.open").transport() ~= nil })
    return 0
  end
  print("ecmp " .. version)
  print(_VERSION)
  print("CNI " .. table.concat(cni, ", "))
  return 0
end

return M
