---Weights of next hops: whole numbers in a proportion, as the kernel takes them.
local M = {}

---The largest weight of a next hop; the smallest is 1.
M.MOST = 256

---The greatest common divisor; of 0 and another it is the other.
---@param a integer
---@param b integer
---@return integer
function M.gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end

---The smallest weights in the proportion of some numbers, as near to it as 256 of them come.
---@param shares table<any, integer> each above 0
---@return table<any, integer> weights by the same keys
function M.of(shares)
  local common, most = 0, 0
  for _, share in pairs(shares) do common, most = M.gcd(share, common), math.max(most, share) end
  local weights <const> = {}
  for key, share in pairs(shares) do
    weights[key] = most // common <= M.MOST and share // common
      or math.max(1, math.floor(share * M.MOST / most + 0.5))
  end
  return weights
end

return M
