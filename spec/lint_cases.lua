--- Configurations for `ecmp lint`: good ones, as documents of runtimes, network providers and
--- plugins show them, and bad ones with what is to be said of them.
local M = {}

--- By file name.
M.good = {
  ["10-mynet.conf"] = [==[{"cniVersion":"0.2.0","name":"mynet","type":"bridge","bridge":"cni0",
    "isGateway":true,"ipMasq":true,"ipam":{"type":"host-local","subnet":"10.22.0.0/16",
    "routes":[{"dst":"0.0.0.0/0"}]}}]==],
  ["99-loopback.conf"] = [==[{"cniVersion":"0.2.0","name":"lo","type":"loopback"}]==],
  ["10-containerd-net.conflist"] = [==[{"cniVersion":"1.0.0","name":"containerd-net","plugins":[
    {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"promiscMode":true,
     "ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/16"}],
     [{"subnet":"2001:db8:4860::/64"}]],"routes":[{"dst":"0.0.0.0/0"},{"dst":"::/0"}]}},
    {"type":"portmap","capabilities":{"portMappings":true}}]}]==],
  ["87-podman.conflist"] = [==[{"cniVersion":"0.4.0","name":"podman","plugins":[
    {"type":"bridge","bridge":"cni-podman0","isGateway":true,"ipMasq":true,"hairpinMode":true,
     "ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"}],
     "ranges":[[{"subnet":"10.89.0.0/16","gateway":"10.89.0.1"}]]}},
    {"type":"portmap","capabilities":{"portMappings":true}},{"type":"firewall"},
    {"type":"tuning"}]}]==],
  ["11-crio-ipv4-bridge.conflist"] = [==[{"cniVersion":"1.0.0","name":"crio","plugins":[
    {"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":true,"hairpinMode":true,
     "ipam":{"type":"host-local","routes":[{"dst":"0.0.0.0/0"}],
     "ranges":[[{"subnet":"10.85.0.0/16"}]]}}]}]==],
  ["10-flannel.conflist"] = [==[{"name":"cbr0","cniVersion":"0.3.1","plugins":[
    {"type":"flannel","delegate":{"hairpinMode":true,"isDefaultGateway":true}},
    {"type":"portmap","capabilities":{"portMappings":true}}]}]==],
  ["10-calico.conflist"] = [==[{"name":"k8s-pod-network","cniVersion":"0.3.1","plugins":[
    {"type":"calico","log_level":"info","datastore_type":"kubernetes","mtu":1440,
     "ipam":{"type":"calico-ipam"},"policy":{"type":"k8s"},
     "kubernetes":{"kubeconfig":"/etc/cni/net.d/calico-kubeconfig"}},
    {"type":"portmap","snat":true,"capabilities":{"portMappings":true}},
    {"type":"bandwidth","capabilities":{"bandwidth":true}}]}]==],
  ["05-cilium.conflist"] = [==[{"cniVersion":"0.3.1","name":"cilium","plugins":[
    {"type":"cilium-cni","enable-debug":false,"log-file":"/var/run/cilium/cilium-cni.log"}]}]==],
  ["00-multus.conf"] = [==[{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus",
    "logLevel":"verbose","logFile":"/var/log/multus.log",
    "kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig","delegates":[]}]==],
  ["10-kindnet.conflist"] = [==[{"cniVersion":"0.3.1","name":"kindnet","plugins":[
    {"type":"ptp","ipMasq":false,"ipam":{"type":"host-local","dataDir":"/run/cni-ipam-state",
     "routes":[{"dst":"0.0.0.0/0"}],"ranges":[[{"subnet":"10.244.0.0/24"}]]},"mtu":1500},
    {"type":"portmap","capabilities":{"portMappings":true}}]}]==],
  ["macvlan.conf"] = [==[{"cniVersion":"1.0.0","name":"macvlan-net","type":"macvlan","master":"eth0",
    "linkInContainer":false,"ipam":{"type":"dhcp"}}]==],
  ["ipvlan.conf"] = [==[{"cniVersion":"1.0.0","name":"ipvlan-net","type":"ipvlan","master":"eth0",
    "linkInContainer":false,"ipam":{"type":"host-local","subnet":"10.1.2.0/24"}}]==],
  ["static.conf"] = [==[{"cniVersion":"1.0.0","name":"static-net","type":"macvlan","master":"eth1",
    "ipam":{"type":"static","addresses":[{"address":"10.10.0.1/24","gateway":"10.10.0.254"},
    {"address":"3ffe:ffff:0:01ff::1/64","gateway":"3ffe:ffff:0:1ff::fe"}],"routes":[
    {"dst":"0.0.0.0/0"},{"dst":"192.168.0.0/16","gw":"10.10.0.254"}]}}]==],
  ["host-local.conf"] = [==[{"cniVersion":"1.0.0","name":"multi","type":"bridge","ipam":{
    "type":"host-local","ranges":[[{"subnet":"10.10.0.0/16","rangeStart":"10.10.1.20",
    "rangeEnd":"10.10.3.50","gateway":"10.10.0.254"},{"subnet":"172.16.5.0/24"}],
    [{"subnet":"3ffe:ffff:0:01ff::/64","rangeStart":"3ffe:ffff:0:01ff::0010",
    "rangeEnd":"3ffe:ffff:0:01ff::0020"}]],"routes":[{"dst":"0.0.0.0/0"},
    {"dst":"192.168.0.0/16","gw":"10.10.5.1"},{"dst":"3ffe:ffff:0:01ff::1/64"}],
    "dataDir":"/run/my-orchestrator/container-ipam-state"}}]==],
  ["whereabouts.conflist"] = [==[{"cniVersion":"0.3.0","name":"whereaboutsexample","plugins":[
    {"type":"macvlan","master":"eth0","mode":"bridge","ipam":{"type":"whereabouts",
     "range":"192.168.2.225/28","range_start":"192.168.2.229","log_file":"/tmp/w.log"}}]}]==],
  ["route-override.conflist"] = [==[{"cniVersion":"0.3.1","name":"mymacvlan","plugins":[
    {"type":"macvlan","master":"eth0","mode":"bridge","ipam":{"type":"host-local",
     "subnet":"10.56.0.0/16","routes":[{"dst":"10.57.0.0/16"}]}},
    {"type":"route-override","flushroutes":true,"addroutes":[{"dst":"192.168.0.0/16"}]}]}]==],
  ["vlan.conf"] = [==[{"cniVersion":"1.0.0","name":"vlans","type":"bridge","bridge":"mynet0",
    "vlan":100,"ipam":{"type":"host-local","subnet":"10.30.0.0/16"}}]==],
  ["two-gateways.conflist"] = [==[{"cniVersion":"1.1.0","name":"lan","plugins":[
    {"type":"ecmp-bridge","bridge":"br0","multipath":{"hash":"l4","useNeigh":true},"ipam":{
     "type":"ecmp-host-local","ranges":[[{"subnet":"10.70.0.0/16","rangeStart":"10.70.1.1"}]],
     "routes":[{"dst":"0.0.0.0/0","gw":"10.70.0.1"},{"dst":"0.0.0.0/0","gw":"10.70.0.2"}]}}]}]==],
  ["weights.conf"] = [==[{"cniVersion":"1.1.0","name":"w","type":"ecmp-macvlan","master":"eth0",
    "ipam":{"type":"ecmp-static","addresses":[{"address":"10.71.0.9/24"}],"routes":[{
    "dst":"10.0.0.0/8","nexthops":[{"gw":"10.71.0.1","weight":3},{"gw":"10.71.0.2"}]}]}}]==],
  ["chained.conflist"] = [==[{"cniVersion":"1.0.0","name":"ch","plugins":[
    {"type":"bridge","ipam":{"type":"host-local","subnet":"10.72.0.0/24"}},
    {"type":"ecmp","addroutes":[{"dst":"10.8.0.0/16","gws":["10.72.0.1","10.72.0.5"]}]}]}]==],
  ["onlink.conf"] = [==[{"cniVersion":"1.1.0","name":"on","type":"ecmp-ptp","ipam":{
    "type":"ecmp-host-local","subnet":"10.73.0.0/24","routes":[{"dst":"0.0.0.0/0",
    "nexthops":[{"gw":"169.254.1.1","onlink":true}]}]}}]==],
  ["pool.conf"] = [==[{"cniVersion":"1.1.0","name":"pl","type":"ecmp-macvlan","master":"eth0",
    "ipam":{"type":"ecmp-pool","ranges":[[{"subnet":"10.75.0.0/16"}],[{"subnet":"fd75::/64"}]],
    "store":{"etcd":["http://127.0.0.1:2379"],"block":256},"routes":[{"dst":"0.0.0.0/0"}]}}]==],
  ["logged.conflist"] = [==[{"cniVersion":"1.1.0","name":"lg","plugins":[{"type":"ecmp-ptp",
    "logFile":"journal","logLevel":"error","ipam":{"type":"ecmp-host-local",
    "subnet":"10.74.0.0/24"}}]}]==],
  ["no-ipam.conf"] = [==[{"cniVersion":"1.0.0","name":"l2","type":"bridge","bridge":"br7"}]==],
}

local function bridge(rest, ipam)
  return ([[{"cniVersion":"1.1.0","name":"n","type":"ecmp-bridge"%s,"ipam":{
    "type":"ecmp-host-local","subnet":"10.0.0.0/24"%s}}]]):format(rest or "", ipam or "")
end

local function static(route, rest)
  return ([[{"cniVersion":"1.1.0","name":"n","type":"ecmp-macvlan","master":"eth0"%s,"ipam":{
    "type":"ecmp-static","addresses":[{"address":"10.0.0.9/24"}],"routes":[%s]}}]])
    :format(rest or "", route)
end

local function list(plugins, rest)
  return ([[{"cniVersion":"1.1.0","name":"n"%s,"plugins":[%s]}]]):format(rest or "", plugins)
end

local function pool(store, range)
  return ([=[{"cniVersion":"1.1.0","name":"n","type":"ecmp-bridge","ipam":{"type":"ecmp-pool"%s,
    "ranges":[[{"subnet":"%s"}]]}}]=]):format(store, range or "10.0.0.0/16")
end

--- Each is `{ file, text, path, part of the message, ... }`.
M.bad = {
  { "a.conf", "{", "", "" },
  { "a.conf", "[]", "", "must be a JSON object" },
  { "a.conf", [[{"cniVersion":"1.0.0","type":"bridge"}]], "name", "must be given" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"a b","type":"bridge"}]], "name",
    "is no network name; write letters" },
  { "a.conf", [[{"cniVersion":"1.0","name":"n","type":"bridge"}]], "cniVersion", "write one of 0.1" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n"}]], "type", "must be given" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"brigde"}]], "type", "did you mean 'bridge'" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"ecmp-brdge"}]], "type",
    "did you mean 'ecmp-bridge'" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"bridge","ipam":{"type":"host-locla"}}]],
    "ipam.type", "did you mean 'host-local'" },
  { "a.conflist", [[{"cniVersion":"1.0.0","name":"n","type":"bridge"}]], "plugins",
    "rename it to .conf" },
  { "a.conf", list [[{"type":"bridge"}]], "plugins", "rename it to .conflist" },
  { "a.conflist", list "", "plugins", "at least one plugin" },
  { "a.conflist", list "7", "plugins[0]", "must be an object" },
  { "a.conflist", list([[{"type":"ecmp-bridge"}]], [[,"merge":"ecmp"]]), "merge", "plugins[0].merge" },
  { "a.conflist", list([[{"type":"ecmp-bridge"}]], [[,"logFile":"/var/log/cni.log"]]), "logFile",
    "plugins[0].logFile" },
  { "a.conf", bridge [[,"logFile":"cni.log"]], "logFile", "begins with a slash" },
  { "a.conf", bridge [[,"logLevel":"debug"]], "logLevel", [[without "logFile"]] },
  { "a.conf", bridge [[,"logFile":"journal","logLevel":"info"]], "logLevel", "must be one of panic" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"host-local","logfil":"/x"}]], "logfil",
    "'logFile'" },
  { "a.conflist", list([[{"type":"ecmp-bridge"}]], [[,"disableChek":true]]), "disableChek",
    "did you mean 'disableCheck'" },
  { "a.conflist", list [[{"type":"ecmp","addroutes":[]},{"type":"bridge"}]], "plugins[0].type",
    "behind the one that makes the interface" },
  { "a.conflist", list [[{"type":"bridge"},{"type":"old"}]], "plugins[1].type",
    [[write "cniVersion": "0.4.0"]] },
  { "a.conf", bridge [[,"merg":"ecmp"]], "merg", "did you mean 'merge'" },
  { "a.conf", bridge [[,"isGatway":true]], "isGatway", "did you mean 'isGateway'" },
  { "a.conf", bridge(nil, [[,"rangestrt":"10.0.0.9"]]), "ipam.rangestrt", "'rangeStart'" },
  { "a.conflist", list [[{"type":"bridge","vlanTrunk":[{"id":1,"maxIDD":2}]}]],
    "plugins[0].vlanTrunk[0].maxIDD", "'maxID'" },
  { "a.conf", bridge [[,"merge":"ecpm"]], "merge", "must be one of" },
  { "a.conf", bridge [[,"multipath":{"hsah":"l4"}]], "multipath.hsah", "known are hash" },
  { "a.conf", bridge [[,"bridge":"a-name-that-is-too-long"]], "bridge", "has at most 15" },
  { "a.conf", bridge [[,"bridge":"br/1"]], "bridge", "slash" },
  { "a.conf", bridge [[,"mtu":1279]]:gsub("10.0.0.0/24", "fd00::/64"), "mtu", "1280" },
  { "a.conf", bridge [[,"hairpinMode":true,"promiscMode":true]], "hairpinMode", "promiscMode" },
  { "a.conf", bridge [[,"script":"/nowhere/rule.lua"]], "script", "nowhere" },
  { "a.conf", bridge(nil, [[,"gateway":"10.9.0.1"]]), "ipam.gateway", "outside of the subnet" },
  { "a.conf", bridge(nil, [[,"rangeStart":"10.9.0.1"]]), "ipam.rangeStart", "is not in" },
  { "a.conf", bridge():gsub("10.0.0.0/24", "10.0.0.7/24"), "ipam.subnet", "the network is 10.0.0.0" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","gw":"10.9.0.1"}]], "ipam.routes[0]",
    "\"onlink\": true" },
  { "a.conf", bridge [[,"policyRules":[{"from":"self","table":77}] ]], "policyRules[0].table",
    [["table": 77]] },
  { "a.conf", bridge [[,"policyRules":[{"table":254}] ]], "policyRules[0]", [["from"]] },
  { "a.conf", static [[{"dst":"10.0.0.0/8","via":"10.0.0.1"}]], "ipam.routes[0].via", "'gw'" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","gw":"0.0.0.0"}]], "ipam.routes[0].gw", "\"scope\": 253" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","type":"blackhole"}]], "ipam.routes[0].type", "unicast" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","src":"10.0.0.9"}]], "ipam.routes[0].src", "source" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","gw":"10.0.0.1","table":255}]], "ipam.routes[0].table",
    "255" },
  { "a.conf", static [[{"dst":"10.0.0.0/8","gw":"10.0.0.9"}]], "ipam.routes",
    "the pod's own address" },
  { "a.conf", static [[{"dst":"fd00::/8","gw":"10.0.0.1"}]], "ipam.routes[0].gw", "IPv6" },
  { "a.conf", static [[{"dst":"10.0.0.0/33","gw":"10.0.0.1"}]], "ipam.routes[0].dst", "33" },
  { "a.conf", static [[{"dst":"10.8.0.1/32","gw":"10.0.0.1"},{"dst":"10.8.0.1/32","gw":"10.0.0.2"}]],
    "ipam.routes[0]", [["hash": "l4"]] },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"bridge","ipam":{"type":"host-local",
    "subnet":"10.0.0.0/24","routes":[{"dst":"10.8.0.0/16","gw":"10.0.0.2"}]}}]], "ipam.routes[0]",
    "leave it out of the range" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"ptp","ipam":{"type":"static",
    "addresses":[{"address":"10.0.0.9/24"}]}}]], "ipam", "has no gateway" },
  { "a.conf", [[{"cniVersion":"1.0.0","name":"n","type":"bridge","ipam":{"type":"ecmp-ptp"}}]],
    "ipam.type", "hands out no addresses" },
  { "a.conf", pool "", "ipam.store", "must be given" },
  { "a.conf", pool [[,"store":{"prefix":"/x"}]], "ipam.store", "one of etcd and directory" },
  { "a.conf", pool [[,"store":{"directory":"/var/lib/pool"}]], "ipam.store.directory",
    "the nodes of a cluster" },
  { "a.conf", pool [[,"store":{"etcd":["http://10.0.0.1:2379"]}]], "ipam.store.etcd[0]", "https://" },
  { "a.conf", pool [[,"store":{"etcd":["https://10.0.0.1:2379"]}]], "ipam.store.etcd[0]",
    "without a client certificate" },
  { "a.conf", pool [[,"store":{"etcd":["unix:///a","unix:///b"]}]], "ipam.store.etcd",
    "three or one" },
  { "a.conf", pool [[,"store":{"etcd":["unix:///a"],"timeot":3}]], "ipam.store.timeot", "'timeout'" },
  { "a.conf", pool([[,"store":{"etcd":["unix:///a"]}]], "10.0.0.0/28"), "ipam.ranges[0]",
    "fewer addresses than a block" },
  { "a.conf", pool([[,"gateway":"10.0.0.1","store":{"etcd":["unix:///a"]}]], "10.0.0.7/16"),
    "ipam.ranges[0][0].subnet", "the network is 10.0.0.0" },
}

--- Directories of two files each, with the file, path and part of the message.
M.together = {
  { ["a.conf"] = bridge(), ["b.conf"] = bridge():gsub('"n"', '"m"'),
    { "b.conf", "ipam", "handed out by network 'n'" } },
  { ["a.conf"] = bridge(), ["b.conf"] = bridge():gsub("10.0.0.0", "10.7.0.0"),
    { "b.conf", "name", "is in" } },
  { ["a.conf"] = pool [[,"store":{"etcd":["unix:///a"]}]],
    ["b.conf"] = pool([[,"store":{"etcd":["unix:///a"]}]], "10.0.4.0/22"):gsub('"n"', '"m"'),
    { "b.conf", "ipam.ranges[0]", "handed out by network 'n'" } },
}

return M
