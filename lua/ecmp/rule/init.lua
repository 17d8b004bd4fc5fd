---What several routes with one key become: the blocks of rules, and the rules that have a word.
--
-- Every block has the shape of a rule's `merge`: `rule.X(group, ctx, options)` returns a route, a
-- list of routes, or nil, message, code. A route that lists its next hops (`nexthops`; `gws` in a
-- configuration) is one route to every block: it joins a multipath with all its hops, is one step
-- of a failover, one entry of `separate`, and rejected only beside others.
local drop = require "ecmp.rule.drop"
local failover = require "ecmp.rule.failover"
local first = require "ecmp.rule.first"
local merge = require "ecmp.rule.merge"
local multipath = require "ecmp.rule.multipath"
local reject = require "ecmp.rule.reject"
local separate = require "ecmp.rule.separate"
local weighted = require "ecmp.rule.weighted"
local words = require "ecmp.rule.words"

return {
  multipath = multipath,
  separate = separate,
  first = first,
  failover = failover,
  reject = reject,
  weighted = weighted,
  drop = drop,
  -- the word `ecmp` stands for this block, the other words for blocks of their own name
  ecmp = multipath,
  merge = merge,
  ---The words that `merge` knows in a configuration, in the order they are documented.
  words = words.list,
  ---The rule behind a word: a table as a rule script returns it.
  word = words.rule,
}
