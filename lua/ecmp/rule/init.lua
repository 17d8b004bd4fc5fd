---What several routes with one key become: the blocks of rules, and the rules that have a word.
--
-- Every block has the shape of a rule's `merge`: `rule.X(group, ctx, options)` returns a route, a
-- list of routes, or nil, message, code. A route that lists its next hops (`nexthops`; `gws` in a
-- configuration) is one route to every block: it joins a multipath with all its hops, is one step
-- of a failover, one entry of `separate`, and rejected only beside others.
local M = {
  multipath = require "ecmp.rule.multipath",
  separate = require "ecmp.rule.separate",
  first = require "ecmp.rule.first",
  failover = require "ecmp.rule.failover",
  reject = require "ecmp.rule.reject",
  weighted = require "ecmp.rule.weighted",
  drop = require "ecmp.rule.drop",
}
-- The rules with a word are scripts that require this module, as a site's script does.
package.loaded["ecmp.rule"] = M

---The words that `merge` knows in a configuration, in the order they are documented.
M.words = { "ecmp", "separate", "first", "failover", "reject" }

---The rule behind a word: a table as a rule script returns it.
---@param word string
---@return table? rule
function M.word(word)
  for _, known in ipairs(M.words) do
    if word == known then return require("ecmp.rule.word." .. word) end
  end
end

---The rule `ecmp` is the block `multipath`; the other words are blocks of their own name.
M.ecmp = M.multipath

M.merge = require "ecmp.rule.merge"
M.load = require "ecmp.rule.load"

return M
