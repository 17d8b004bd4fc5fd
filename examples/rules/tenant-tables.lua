-- Every tenant has a routing table of its own, chosen by the pod's namespace.
--
-- "tenants" is a key of this site's own. A pod of nobody's is refused rather than put into main.
local R = {}

function R.routes(routes, ctx)
  local namespace <const> = ctx.args.K8S_POD_NAMESPACE or "none"
  local number <const> = ctx.conf.tenants[namespace]
  if not number then
    return nil, ("no table for the pods of '%s'"):format(namespace), 7
  end
  for _, route in ipairs(routes) do
    route.table = number
  end
  return routes
end

return R
