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
    ["ecmp.ip"] = {
      sources = {
        "csrc/ip.c",
        "csrc/ip_math.c",
        "csrc/ip_text.c",
      },
      incdirs = { "csrc" },
      libraries = { "m", "pthread" },
    },
    ["ecmp.rtnl"] = {
      sources = {
        "csrc/rtnl_arena.c",
        "csrc/rtnl_batch.c",
        "csrc/rtnl_decode.c",
        "csrc/rtnl_encode.c",
        "csrc/rtnl_extack.c",
        "csrc/rtnl_index.c",
        "csrc/rtnl_module.c",
        "csrc/rtnl_names.c",
        "csrc/rtnl_parse.c",
        "csrc/rtnl_print.c",
        "csrc/rtnl_schema.c",
        "csrc/rtnl_socket.c",
        "csrc/rtnl_text.c",
        "csrc/rtnl_view.c",
        "csrc/rtnl_words.c",
        "csrc/netns.c",
      },
      incdirs = { "csrc", "$(MNL_INCDIR)" },
      libdirs = { "$(MNL_LIBDIR)" },
      libraries = { "mnl", "pthread" },
    },
    ["ecmp.sys"] = {
      sources = {
        "csrc/sys.c",
        "csrc/sys_fd.c",
        "csrc/sys_file.c",
        "csrc/sys_netns.c",
        "csrc/sys_path.c",
        "csrc/sys_process.c",
        "csrc/sys_signal.c",
        "csrc/sys_spawn.c",
        "csrc/netns.c",
      },
      incdirs = { "csrc" },
      libraries = { "m", "pthread" },
    },
    ["ecmp.cni.call"] = "lua/ecmp/cni/call.lua",
    ["ecmp.cni.delegate"] = "lua/ecmp/cni/delegate.lua",
    ["ecmp.cni.env"] = "lua/ecmp/cni/env.lua",
    ["ecmp.cni.errors"] = "lua/ecmp/cni/errors.lua",
    ["ecmp.cni"] = "lua/ecmp/cni/init.lua",
    ["ecmp.cni.process"] = "lua/ecmp/cni/process.lua",
    ["ecmp.cni.result"] = "lua/ecmp/cni/result.lua",
    ["ecmp.cni.route"] = "lua/ecmp/cni/route.lua",
    ["ecmp.cni.schema"] = "lua/ecmp/cni/schema.lua",
    ["ecmp.cni.version"] = "lua/ecmp/cni/version.lua",
    ["ecmp.command.gc"] = "lua/ecmp/command/gc.lua",
    ["ecmp.command"] = "lua/ecmp/command/init.lua",
    ["ecmp.command.install"] = "lua/ecmp/command/install.lua",
    ["ecmp.command.plan"] = "lua/ecmp/command/plan.lua",
    ["ecmp.command.run"] = "lua/ecmp/command/run.lua",
    ["ecmp.command.version"] = "lua/ecmp/command/version.lua",
    ["ecmp.flow.add"] = "lua/ecmp/flow/add.lua",
    ["ecmp.flow.apply"] = "lua/ecmp/flow/apply.lua",
    ["ecmp.flow.changes"] = "lua/ecmp/flow/changes.lua",
    ["ecmp.flow.check"] = "lua/ecmp/flow/check.lua",
    ["ecmp.flow.compare"] = "lua/ecmp/flow/compare.lua",
    ["ecmp.flow.conflict"] = "lua/ecmp/flow/conflict.lua",
    ["ecmp.flow.context"] = "lua/ecmp/flow/context.lua",
    ["ecmp.flow.dad"] = "lua/ecmp/flow/dad.lua",
    ["ecmp.flow.del"] = "lua/ecmp/flow/del.lua",
    ["ecmp.flow.gc"] = "lua/ecmp/flow/gc.lua",
    ["ecmp.flow.group"] = "lua/ecmp/flow/group.lua",
    ["ecmp.flow"] = "lua/ecmp/flow/init.lua",
    ["ecmp.flow.ipam"] = "lua/ecmp/flow/ipam.lua",
    ["ecmp.flow.netconf"] = "lua/ecmp/flow/netconf.lua",
    ["ecmp.flow.objects"] = "lua/ecmp/flow/objects.lua",
    ["ecmp.flow.plan"] = "lua/ecmp/flow/plan.lua",
    ["ecmp.flow.record"] = "lua/ecmp/flow/record.lua",
    ["ecmp.flow.result"] = "lua/ecmp/flow/result.lua",
    ["ecmp.flow.routes"] = "lua/ecmp/flow/routes.lua",
    ["ecmp.flow.status"] = "lua/ecmp/flow/status.lua",
    ["ecmp.flow.undo"] = "lua/ecmp/flow/undo.lua",
    ["ecmp.group"] = "lua/ecmp/group.lua",
    ["ecmp.hops"] = "lua/ecmp/hops.lua",
    ["ecmp.identity"] = "lua/ecmp/identity.lua",
    ["ecmp"] = "lua/ecmp/init.lua",
    ["ecmp.json"] = "lua/ecmp/json.lua",
    ["ecmp.main"] = "lua/ecmp/main.lua",
    ["ecmp.monitor"] = "lua/ecmp/monitor.lua",
    ["ecmp.netns"] = "lua/ecmp/netns.lua",
    ["ecmp.nl"] = "lua/ecmp/nl.lua",
    ["ecmp.object"] = "lua/ecmp/object.lua",
    ["ecmp.plan"] = "lua/ecmp/plan.lua",
    ["ecmp.plugin.bridge"] = "lua/ecmp/plugin/bridge.lua",
    ["ecmp.plugin.ecmp"] = "lua/ecmp/plugin/ecmp.lua",
    ["ecmp.plugin.host-local"] = "lua/ecmp/plugin/host-local.lua",
    ["ecmp.plugin.static"] = "lua/ecmp/plugin/static.lua",
    ["ecmp.route"] = "lua/ecmp/route.lua",
    ["ecmp.rule.check"] = "lua/ecmp/rule/check.lua",
    ["ecmp.rule.drop"] = "lua/ecmp/rule/drop.lua",
    ["ecmp.rule.failover"] = "lua/ecmp/rule/failover.lua",
    ["ecmp.rule.first"] = "lua/ecmp/rule/first.lua",
    ["ecmp.rule"] = "lua/ecmp/rule/init.lua",
    ["ecmp.rule.merge"] = "lua/ecmp/rule/merge.lua",
    ["ecmp.rule.metrics"] = "lua/ecmp/rule/metrics.lua",
    ["ecmp.rule.multipath"] = "lua/ecmp/rule/multipath.lua",
    ["ecmp.rule.reject"] = "lua/ecmp/rule/reject.lua",
    ["ecmp.rule.separate"] = "lua/ecmp/rule/separate.lua",
    ["ecmp.rule.weighted"] = "lua/ecmp/rule/weighted.lua",
    ["ecmp.rule.word.ecmp"] = "lua/ecmp/rule/word/ecmp.lua",
    ["ecmp.rule.word.failover"] = "lua/ecmp/rule/word/failover.lua",
    ["ecmp.rule.word.first"] = "lua/ecmp/rule/word/first.lua",
    ["ecmp.rule.word.reject"] = "lua/ecmp/rule/word/reject.lua",
    ["ecmp.rule.word.separate"] = "lua/ecmp/rule/word/separate.lua",
    ["ecmp.slot"] = "lua/ecmp/slot.lua",
    ["ecmp.spread"] = "lua/ecmp/spread.lua",
    ["ecmp.store"] = "lua/ecmp/store.lua",
    ["ecmp.store.boot"] = "lua/ecmp/store/boot.lua",
    ["ecmp.store.index"] = "lua/ecmp/store/index.lua",
    ["ecmp.store.pool"] = "lua/ecmp/store/pool.lua",
    ["ecmp.store.range"] = "lua/ecmp/store/range.lua",
    ["ecmp.store.resolv"] = "lua/ecmp/store/resolv.lua",
    ["ecmp.sysctl"] = "lua/ecmp/sysctl.lua",
    ["ecmp.transaction"] = "lua/ecmp/transaction.lua",
    ["ecmp.version"] = "lua/ecmp/version.lua",
  },
  install = {
    bin = { ecmp = "bin/ecmp" },
  },
}

test = {
  type = "command",
  command = "make test",
}
