---What several routes with one key become: the blocks of rules, and the rules that have a word.
--
-- Every block has the shape of a rule's `merge`: `rule.X(group, ctx, options)` returns a route, a
-- list of routes, or nil, message, code. A route that lists its next hops (`nexthops`; `gws` in a
-- configuration) is one route to every block: it joins a multipath with all its hops, is one step
-- of a failover, one entry of `separate`, and rejected only beside others.
local drop <const> = require "ecmp.rule.drop"
local failover <const> = require "ecmp.rule.failover"
local first <const> = require "ecmp.rule.first"
local merge <const> = require "ecmp.rule.merge"
local multipath <const> = require "ecmp.rule.multipath"
local reject <const> = require "ecmp.rule.reject"
local separate <const> = require "ecmp.rule.separate"
local weighted <const> = require "ecmp.rule.weighted"
local words <const> = require "ecmp.rule.words"

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
