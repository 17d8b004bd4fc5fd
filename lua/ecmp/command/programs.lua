---The programs that one executable stands for: which plugin types there are, and by which names.
--
-- Whoever loads this makes our IPAM plugins known to the flow, which runs them in this process; the
-- flow itself knows no plugin and looks for executables on CNI_PATH.
local cni = require "ecmp.cni"

local M = {}

-- The types we provide; `reference` where there is a reference plugin of that name, `module` where
-- the file has another name.
local types <const> = {
  ecmp = {},
  lua = {},
  ptp = { reference = true },
  bridge = { reference = true },
  macvlan = { reference = true },
  ipvlan = { reference = true },
  loopback = { reference = true },
  static = { reference = true },
  ["host-local"] = { reference = true },
  pool = {},
  ["route-override"] = { reference = true, module = "ecmp" },
}

---The plugin types in order, without prefix: what `ecmp install` makes links for.
---@return table[] list `{ type, reference: boolean }`
function M.types()
  local list <const> = {}
  for name, row in pairs(types) do
    list[#list + 1] = { type = name, reference = row.reference or false }
  end
  table.sort(list, function(a, b) return a.type < b.type end)
  return list
end

---Which plugin a name stands for.
---@param name string the base name of a program or an IPAM `type`
---@return table? plugin `{ type, module, dropin }`; nil for a name that is none of ours
function M.plugin(name)
  local bare <const> = name:match("^ecmp%-(.+)$")
  local row <const> = types[bare or name]
  if not row then return nil end
  -- Without the prefix only the reference plugins' names are ours, and our own.
  if not bare and not row.reference and name ~= "ecmp" then return nil end
  return {
    type = bare or name, dropin = not bare and row.reference or false,
    module = "ecmp.plugin." .. (row.module or bare or name),
  }
end

-- Only the reference plugins' names stand for ours without the prefix.
for _, name in ipairs { "static", "host-local", "ecmp-pool" } do
  cni.provide(name, function() return require(M.plugin(name).module) end)
end

return M
