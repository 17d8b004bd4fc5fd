--- What the suites of iproute2, pyroute2 and vishvananda/netlink ask of the kernel, asked by `ip` and by us.
--
-- spec/peer_suites/SUITE.lua lists cases `{ title, where, commands, shows, has }`: `where` in the suite,
-- commands in the words of `ip`, one a line, of which one that is refused ends in "=> CODE"; a listing, and
-- what it shows then, an object a line. `needs` is a kind of link or an encapsulation that not every kernel
-- has; `same` says why `ip` cannot be asked alike. `any_order`: the kernel lists the hop first that a flow
-- takes, which it draws anew for each namespace.
local helper = require "spec.helper"
local play = require "spec.peer_suites.play"

--- The words of a text, sorted: the same for the same next hops in any order.
local function sorted_words(text)
  local words <const> = {}
  for word in text:gmatch "%S+" do words[#words + 1] = word end
  table.sort(words)
  return table.concat(words, " ")
end

for _, suite in ipairs { "iproute2", "pyroute2", "netlink" } do
  describe(("the suite of %s #netns"):format(suite), function()
    local able <const> = {}
    teardown(play.close)

    for _, case in ipairs(require("spec.peer_suites." .. suite)) do
      it(("%s: %s"):format(case[2], case[1]), function()
        local needs <const> = case.needs
        if needs and able[needs] == nil then able[needs] = play.kernel_has(needs) end
        if needs and not able[needs] then return pending("this kernel has no " .. needs) end
        if case[3]:find("uidrange", 1, true) and not helper.has_users() then
          return pending "an ordinary user's namespace has no other users"
        end
        local as_listed <const> = case.any_order and sorted_words or play.plain
        local has <const> = as_listed(case[5])
        if not case.same then assert.equal(has, as_listed(play.play(case, play.theirs))) end
        assert.equal(has, as_listed(play.play(case, play.ours)))
      end)
    end
  end)
end
