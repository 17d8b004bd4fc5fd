--- `ecmp apply` of files: what its processes send. Each case: a title, and a function that is given a place
--- to run programs in, with `traced` (see spec/requests_spec.lua).
local BEFORE <const> = [[
route add default proto static nexthop via 10.0.1.2 weight 3 nexthop via 10.0.2.2
route add default proto static nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2
route add 10.9.0.0/16 via 10.0.1.2 proto static
route add 10.8.0.0/16 via 10.0.1.2 proto ra
route append 10.7.0.0/16 via 10.0.1.2
route append 10.7.0.0/16 via 10.0.2.2
route add fd09::/32 via fd00:0:0:1::2
route add 10.6.0.0/16 via 10.0.1.2 table 100]]

local WANTED <const> = [[
# what is wanted
default proto static
	nexthop via 10.0.1.2 weight 2   # a comment
	nexthop via 10.0.2.2
10.20.0.0/16 via 10.0.1.2
10.7.0.0/16 via 10.0.2.2
10.6.0.0/16 via 10.0.2.2 table 100
10.21.0.0/16 via 10.0.1.2 mtu 1400 metric 50
default via fd00:0:0:1::2 proto static
fd0a::/32 nexthop via fd00:0:0:1::2 nexthop via fd00:0:0:2::2 weight 2
]]

local REFUSED <const> = WANTED .. "10.40.0.0/16 via 203.0.113.1\n"

local cases <const> = {}

local function case(title, run)
  cases[#cases + 1] = { title, function(here)
    here.space:batch(BEFORE)
    run(here)
  end }
end

case("a file", function(here)
  local file <const> = here.file("wanted", WANTED)
  here.ecmp("apply", "--dry-run", file)
  here.ecmp("apply", file)
  here.ecmp("apply", file)
end)

case("what show prints, when something has changed since", function(here)
  -- the kernel lists link-local routes in the order in which their links came up
  local shown <const> = here.file("shown", here.traced("ecmp show", { "sh", "-c", '"$0" show | grep -v ^fe80:',
    here.program }).stdout)
  here.space:batch("route del 10.9.0.0/16\nroute del default\nroute add 10.30.0.0/16 via 10.0.1.2\n"
    .. "route change fd09::/32 via fd00:0:0:2::2")
  here.ecmp("apply", shown)
end)

case("a file of routes of another protocol", function(here)
  here.ecmp("apply", "--proto", "ra", here.file("wanted", "10.50.0.0/16 via 10.0.1.2\n"))
end)

case("a file of which the kernel refuses a route", function(here)
  here.ecmp("apply", here.file("wanted", REFUSED))
end)

case("a file that nobody confirms", function(here)
  here.ecmp("apply", "--confirm", "0.2", here.file("wanted", WANTED))
end)

case("a file that is confirmed", function(here)
  here.traced("apply --confirm", { "sh", "-c", 'echo yes | "$0" apply --confirm 60 "$1"', here.program,
    here.file("wanted", WANTED) })
end)

-- The one that watches takes the change back.
local KILLED <const> = [[
tail -f /dev/null --pid=$$ | "$0" apply --confirm 0.5 "$1" 2>"$1.said" & pid=$!
until grep -q yes "$1.said" 2>/dev/null; do sleep 0.02; done
kill -KILL $pid]]

case("a file whose apply is killed before it is confirmed", function(here)
  here.traced("apply --confirm, killed", { "sh", "-c", KILLED, here.program, here.file("wanted", WANTED) })
end)

return cases
