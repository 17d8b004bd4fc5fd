-- What is in deploy/ says what it should, and the configurations in it do what it says.
local ecmp = require("spec.commandline").ecmp
local helper = require "spec.helper"
local json = require "ecmp.json"
local json_schema = require "spec.json_schema"
local sys = require "ecmp.sys"

local has_yaml <const>, yaml <const> = pcall(require, "lyaml")

local function documents(path)
  return yaml.load(assert(sys.read(path)), { all = true })
end

local function find(path, kind, name)
  for _, document in ipairs(documents(path)) do
    if document.kind == kind and (not name or document.metadata.name == name) then
      return document
    end
  end
  error(("%s: no %s %s"):format(path, kind, name or ""))
end

local ROUTERS <const>, DAEMONSET <const> =
  "deploy/kubernetes/routers.yaml", "deploy/kubernetes/daemonset.yaml"
local WATCH <const>, UNINSTALL <const> =
  "deploy/kubernetes/watch.yaml", "deploy/kubernetes/uninstall.yaml"

local function when_yaml(name, test)
  it(name, has_yaml and test or function() pending "lua-yaml is not installed" end)
end

describe("deploy/kubernetes", function()
  local dir

  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function plan(conf, ...)
    local path <const> = dir .. "/net.conf"
    assert(sys.replace(path, json.encode(conf), tonumber("644", 8)))
    local status <const>, out <const>, err <const> = ecmp("plan", "--json", path, ...)
    assert.equal(0, status, err)
    return assert(json.decode(out))
  end

  local function config(name)
    local nad <const> = find(ROUTERS, "NetworkAttachmentDefinition", name)
    assert.equal("k8s.cni.cncf.io/v1", nad.apiVersion)
    return assert(json.decode(nad.spec.config))
  end

  -- What Kubernetes takes of what we use; nothing that is not there passes, a misspelt key least.
  local kubernetes <const> = assert(json.decode(assert(sys.read "spec/kubernetes.schema.json")))

  local function wrong(document)
    local plain <const> = assert(json.decode(json.encode(document)))
    return json_schema.check(plain, { ["$ref"] = "#/definitions/" .. document.kind,
      definitions = kubernetes.definitions })
  end

  when_yaml("has only documents that Kubernetes takes", function()
    local count = 0
    for _, path in ipairs { ROUTERS, DAEMONSET, WATCH, UNINSTALL } do
      for _, document in ipairs(documents(path)) do
        assert.is_nil(wrong(document))
        count = count + 1
      end
    end
    assert.equal(7, count)
    local misspelt <const> = find(DAEMONSET, "DaemonSet")
    misspelt.spec.template.spec.initContainers[1].volumeMount = {}
    assert.matches("volumeMount", wrong(misspelt))
  end)

  when_yaml("has only configurations that the schema takes", function()
    local schema <const> = assert(json.decode(assert(sys.read "docs/netconf.schema.json")))
    for _, name in ipairs { "routers", "routers-chained" } do
      local conf <const> = config(name)
      assert.equal(name, conf.name)
      assert.is_nil(json_schema.check(conf, schema))
    end
  end)

  when_yaml("gives the pod one route over all routers, with its annotation's addresses", function()
    local conf <const> = config "routers"
    local pod <const> = find(ROUTERS, "Pod")
    local networks <const> =
      assert(json.decode(pod.metadata.annotations["k8s.v1.cni.cncf.io/networks"]))
    assert.equal(conf.name, networks[1].name)
    assert.is_true(conf.capabilities.ips)
    -- What Multus does with the annotation.
    conf.runtimeConfig = { ips = networks[1].ips }
    local made <const> = plan(conf, "--ifname", "net1")
    assert.equal("10.20.0.77/16", made.addresses[1].address)
    assert.equal(2, #made.routes)
    for i, dst in ipairs { "172.16.0.0/12", "2001:db8:100::/40" } do
      assert.equal(dst, made.routes[i].dst)
      assert.equal(3, #made.routes[i].nexthops)
    end
    assert.equal("1", made.sysctls["net.ipv6.fib_multipath_hash_policy"])
  end)

  when_yaml("gives the same behind a foreign plugin, from that one's result", function()
    local path <const> = dir .. "/result.json"
    assert(sys.create(path, [[{ "cniVersion": "1.0.0", "ips": [ { "address": "10.20.0.78/16" },
      { "address": "2001:db8:20::78/64" } ], "routes": [] }]]))
    local made <const> =
      plan(config "routers-chained", "--ifname", "net1", "--ipam-result", path)
    assert.equal(2, #made.routes)
    assert.equal(3, #made.routes[1].nexthops)
    assert.equal(2, made.routes[2].nexthops[1].weight)
  end)

  when_yaml("mounts only volumes that are there, and selects the pods that it makes", function()
    local set <const> = find(DAEMONSET, "DaemonSet")
    local pod <const> = set.spec.template
    assert.same(set.spec.selector.matchLabels, pod.metadata.labels)
    local volumes <const>, mounted = {}, 0
    for _, volume in ipairs(pod.spec.volumes) do volumes[volume.name] = volume end
    for _, list in ipairs { pod.spec.initContainers, pod.spec.containers } do
      for _, container in ipairs(list) do
        assert.matches(":%d", container.image)
        for _, mount in ipairs(container.volumeMounts) do
          assert.is_truthy(volumes[mount.name], mount.name)
          mounted = mounted + 1
        end
      end
    end
    assert.equal(3, mounted)
    assert.equal(find(DAEMONSET, "ConfigMap").metadata.name, volumes.rules.configMap.name)
    local install <const> = pod.spec.initContainers[1]
    assert.same({ "install", install.volumeMounts[1].mountPath }, install.args)
  end)

  when_yaml("runs the watcher with a command line that it takes, and mounts what it reads", function()
    local set <const> = find(WATCH, "DaemonSet")
    local pod <const> = set.spec.template
    assert.same(set.spec.selector.matchLabels, pod.metadata.labels)
    local container <const> = pod.spec.containers[1]
    local paths <const>, volumes <const> = {}, {}
    for _, volume in ipairs(pod.spec.volumes) do volumes[volume.name] = volume.hostPath.path end
    for _, mount in ipairs(container.volumeMounts) do paths[volumes[mount.name]] = mount.mountPath end
    assert.same({ ["/run/cni"] = "/run/cni", ["/run/netns"] = "/run/netns",
      ["/etc/cni/ecmp"] = "/etc/cni/ecmp" }, paths)
    local service <const> = assert(sys.read "deploy/systemd/ecmp-watch.service")
    assert.equal("/usr/bin/ecmp " .. table.concat(container.args, " "),
      service:match "ExecStart=([^\n]*)")
    local status <const>, _, err <const> = ecmp(container.args[1], "--status", container.args[2])
    assert.equal(1, status)
    assert.equal("", err)
  end)

  -- One round of a container's script, in directories of the spec's own.
  local function round(command)
    local once <const> = command[3]:gsub("/rules/", dir .. "/rules/")
      :gsub("/host/etc/cni/ecmp", dir .. "/host"):gsub("sleep 30 & wait %$!", "exit 0")
    local run <const> = assert(sys.spawn { argv = { command[1], command[2], once }, timeout = 20,
      stderr = "capture" })
    assert.equal(0, run.status, run.stderr)
    return run.stdout .. run.stderr
  end

  when_yaml("copies rule scripts whole, again only when they have changed, and takes them away", function()
    local command <const> = find(DAEMONSET, "DaemonSet").spec.template.spec.containers[1].command
    assert(sys.mkdir(dir .. "/rules", tonumber("755", 8)))
    assert(sys.mkdir(dir .. "/host", tonumber("755", 8)))
    assert(sys.create(dir .. "/host/own.lua", "return {}"))
    assert.equal("", round(command)) -- with a ConfigMap that is empty
    for name, text in pairs(find(DAEMONSET, "ConfigMap").data) do
      assert(sys.create(("%s/rules/%s"):format(dir, name), text))
    end
    assert.equal("installed rack-weights.lua\n", round(command))
    assert.equal("", round(command))
    local status <const>, _, err <const> = ecmp("rule", "check", dir .. "/host/rack-weights.lua")
    assert.equal(0, status, err)
    assert(sys.rename(dir .. "/rules/rack-weights.lua", dir .. "/rules/other.lua"))
    assert.equal("installed other.lua\nremoved rack-weights.lua\n", round(command))
    local there <const> = sys.list(dir .. "/host")
    table.sort(there)
    assert.same({ ".copied", "other.lua", "own.lua" }, there)
    -- And all of them go with the rest.
    round(find(UNINSTALL, "DaemonSet").spec.template.spec.initContainers[2].command)
    assert.same({ "own.lua" }, sys.list(dir .. "/host"))
  end)

  when_yaml("runs where the image does, and takes away what it brought", function()
    for _, path in ipairs { DAEMONSET, UNINSTALL } do
      local pod <const> = find(path, "DaemonSet").spec.template.spec
      assert.same({ ["kubernetes.io/os"] = "linux", ["kubernetes.io/arch"] = "amd64" },
        pod.nodeSelector)
      assert.equal("spc_t", pod.securityContext.seLinuxOptions.type)
      assert.equal(find(DAEMONSET, "DaemonSet").spec.template.spec.volumes[1].hostPath.path,
        pod.volumes[1].hostPath.path)
    end
    local restore <const> = find(UNINSTALL, "DaemonSet").spec.template.spec.initContainers[1]
    assert.same({ "install", "--restore", restore.volumeMounts[1].mountPath }, restore.args)
  end)

  it("builds the image from sources alone", function()
    local ignored <const> = {}
    for line in assert(sys.read ".dockerignore"):gmatch "[^\n]+" do ignored[line] = true end
    for _, name in ipairs { "build", "dist", ".git" } do assert.is_true(ignored[name], name) end
  end)
end)

describe("deploy/systemd-sysext", function()
  local dir
  local is_plain <const> = helper.build == "build" and not os.getenv "DEB_BUILD_MAINT_OPTIONS"

  local function shell(script)
    return assert(sys.spawn { stderr = "capture", timeout = 120,
      argv = { "sh", "-c", script, "sh", dir } })
  end

  setup(function() dir = helper.directory() end)
  teardown(function() helper.remove(dir) end)

  local function fact(name, test)
    it(name, is_plain and test or function() pending "another build of the executable" end)
  end

  fact("makes a tree with the executable and every plugin link, and no library", function()
    assert.equal(0, shell([[mkdir -p "$1/extensions"
      deploy/systemd-sysext/build.sh "$1/extensions/ecmp"]]).status)
    local usr <const> = dir .. "/extensions/ecmp/usr"
    assert.same(sys.list "build/cni", sys.list(usr .. "/lib/cni"))
    for _, name in ipairs(sys.list(usr .. "/lib/cni")) do
      assert.equal(sys.realpath(usr .. "/bin/ecmp"), sys.realpath(usr .. "/lib/cni/" .. name))
    end
    assert.matches("^ID=_any\nARCHITECTURE=[%w%-]+\n$",
      sys.read(usr .. "/lib/extension-release.d/extension-release.ecmp"))
    assert.is_nil(shell(("readelf -d %s/bin/ecmp"):format(usr)).stdout:find("NEEDED", 1, true))
    local again <const> = shell [[deploy/systemd-sysext/build.sh "$1/extensions/ecmp"]]
    assert.equal(1, again.status)
    assert.matches("exists already\n$", again.stderr)
  end)

  -- systemd-sysext merges in a mount namespace of its own and counts on mounts being passed on.
  fact("is merged into a host's /usr by systemd-sysext, and taken out again #netns", function()
    if shell("command -v systemd-sysext").status ~= 0 then pending "there is no systemd-sysext" end
    local done <const> = shell [[set -e; cd "$1"
      mkdir -p host/usr/lib host/opt host/var/lib; cp -a extensions host/var/lib/extensions
      printf 'ID=some\nVERSION_ID=1\n' >host/usr/lib/os-release
      exec unshare -m sh -euc 'mount --bind host host; mount --make-rshared /
        systemd-sysext --root="$PWD/host" merge; CNI_COMMAND=VERSION host/usr/lib/cni/ecmp-bridge
        systemd-sysext --root="$PWD/host" unmerge; ls host/usr']]
    assert.equal(0, done.status, done.stderr)
    assert.matches('"supportedVersions".*\nlib\n$', done.stdout)
  end)

  fact("is an image that systemd takes for an extension", function()
    for _, tool in ipairs { "mksquashfs", "systemd-dissect" } do
      if shell("command -v " .. tool).status ~= 0 then pending(tool .. " is not installed") end
    end
    assert.equal(0, shell([[deploy/systemd-sysext/build.sh "$1/ecmp.raw"]]).status)
    local said <const> = shell [[unsquashfs -l "$1/ecmp.raw"]]
    assert.matches("/usr/lib/cni/ecmp%-host%-local\n", said.stdout)
    assert.matches("/usr/lib/extension%-release.d/extension%-release.ecmp\n", said.stdout)
  end)
end)
