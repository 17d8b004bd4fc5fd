-- The first gateway listed carries everything; the others wait at metrics a hundred apart, so that
-- an operator finds room between them.
local R = {}

function R.merge(group)
  for i, route in ipairs(group) do
    route.metric = i * 100
  end
  return group
end

return R
