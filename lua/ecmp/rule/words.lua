---The rules that have a word in a configuration's `merge`, each as a rule script returns it.
-- What a site's script leaves out is filled in from one of these.
local failover = require "ecmp.rule.failover"
local first = require "ecmp.rule.first"
local multipath = require "ecmp.rule.multipath"
local reject = require "ecmp.rule.reject"
local separate = require "ecmp.rule.separate"

local M = {}

---The words in the order they are documented.
M.list = { "ecmp", "separate", "first", "failover", "reject" }

-- `separate` keeps all routes in one group: IPv4 routes that differ in scope alone share a key of
-- the kernel's table, so their order counts.
local rules <const> = {
  ecmp = { merge = multipath },
  separate = { key = function() return "all" end, merge = separate },
  first = { merge = first },
  failover = { merge = failover },
  reject = { merge = reject },
}

---The rule behind a word.
---@param word string
---@return table? rule
function M.rule(word)
  return rules[word]
end

return M
