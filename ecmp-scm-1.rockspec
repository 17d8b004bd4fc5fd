rockspec_format = "3.0"
package = "ecmp"
version = "scm-1"

source = {
  url = "git+https://example.org/ecmp.git",
  branch = "main",
}

description = {
  summary = "Multipath routes over rtnetlink, and CNI plugins whose IPAM flow is yours to script",
  detailed = [[
A C module on libmnl that gives IPv4 and IPv6 multipath routes one meaning, and the CNI flow from
config to addresses, routes, groups, plan, kernel and result in Lua, stage by stage, each stage
replaceable by a site's script.]],
  license = "MIT",
  labels = { "linux", "networking", "netlink" },
}

supported_platforms = { "linux" }

dependencies = {
  "lua >= 5.4, < 5.5",
  "lua-cjson >= 2.1.0",
  "argparse >= 0.7.1",
}

external_dependencies = {
  MNL = { header = "libmnl/libmnl.h", library = "mnl" },
}

test_dependencies = {
  "busted >= 2.1.1",
}

build = {
  type = "builtin",
  modules = {
  },
}

test = {
  type = "command",
  command = "make test",
}
