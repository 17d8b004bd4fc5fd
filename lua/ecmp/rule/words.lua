---The rules that a configuration's `merge` can name, each in the form that a rule script returns.
-- What a site's script leaves out is filled in from one of these.
local M = {}

---The words in the order they are documented.
M.list = { "ecmp", "separate", "first", "failover", "reject" }

-- `separate` keeps all routes in one group: IPv4 routes that differ in scope alone share a key of
-- the kernel's table, so their order counts.
local rules <const> = {
  ecmp = {}, separate = { key = function() return "all" end }, first = {}, failover = {},
  reject = {},
}

-- Each is loaded with its block when it is asked for: a configuration has one.
local blocks <const> = {
  ecmp = "ecmp.rule.multipath", separate = "ecmp.rule.separate", first = "ecmp.rule.first",
  failover = "ecmp.rule.failover", reject = "ecmp.rule.reject",
}

---The rule behind a word.
---@param word string
---@return table? rule
function M.rule(word)
  local rule <const> = rules[word]
  if rule then rule.merge = rule.merge or require(blocks[word]) end
  return rule
end

return M
