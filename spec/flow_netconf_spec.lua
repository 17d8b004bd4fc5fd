local json = require "ecmp.json"
local netconf = require "ecmp.flow.netconf"

local function read(text, call)
  call = call or {}
  call.conf = assert(json.decode(text))
  local state <const>, message, code = netconf.run { call = call, plugin = {} }
  return state and state.conf, message, code
end

describe("the stage netconf", function()
  it("fills in the defaults of an ecmp- name", function()
    local conf <const> = assert(read '{"name":"n","type":"ecmp-bridge"}')
    assert.same({ "ecmp", "yield", "routes", "wait", "inline" },
      { conf.merge, conf.conflict, conf.result, conf.dad, conf.multipath.nexthops })
  end)

  it("does as the reference plugins when called by one of their names", function()
    local conf <const> = assert(read('{"name":"n"}', { dropin = true }))
    assert.same({ "separate", "take" }, { conf.merge, conf.conflict })
  end)

  it("takes conflicts as the reference plugins under separate", function()
    assert.equal("take", assert(read '{"name":"n","merge":"separate"}').conflict)
  end)

  it("lets a drop-in be told otherwise", function()
    local conf <const> = assert(read('{"merge":"ecmp","conflict":"refuse"}', { dropin = true }))
    assert.same({ "ecmp", "refuse" }, { conf.merge, conf.conflict })
  end)

  it("matches keys in any case, as the reference plugins do", function()
    local conf <const> = assert(read '{"Merge":"first","MULTIPATH":{"useneigh":true}}')
    assert.equal("first", conf.merge)
    assert.is_true(conf.multipath.useNeigh)
  end)

  it("takes packet fields as a list and kernel policies as a word", function()
    assert.equal("l4", assert(read '{"multipath":{"hash":"l4"}}').multipath.hash)
    assert.same({ "src", "dport" },
      { table.unpack(assert(read '{"multipath":{"hash":["src","dport"]}}').multipath.hash) })
  end)

  for text, why in pairs {
    ['{"merge":"emcp"}'] = "merge: must be one of ecmp, separate, first, failover, reject, not 'emcp'",
    ['{"merge":5}'] = "merge: must be one of ecmp",
    ['{"script":true}'] = "script: must be a string",
    ['{"trusted":"yes"}'] = "trusted: must be a boolean",
    ['{"conflict":"fight"}'] = "conflict: must be one of yield, take, merge, refuse",
    ['{"result":"hops"}'] = "result: must be one of routes, gws",
    ['{"dad":"never"}'] = "dad: must be one of wait, skip, optimistic",
    ['{"multipath":[]}'] = "multipath: must be an object",
    ['{"multipath":{"hash":"l5"}}'] = "multipath.hash: must be one of l3, l4, inner",
    ['{"multipath":{"hash":["colour"]}}'] = "multipath.hash[0]: must be one of src, dst",
    ['{"multipath":{"hash":[]}}'] = "multipath.hash: must name at least one packet field",
    ['{"multipath":{"useNeigh":1}}'] = "multipath.useNeigh: must be true, false",
    ['{"multipath":{"nexthops":"objects"}}'] = "multipath.nexthops: must be one of inline, group",
    ['{"multipath":{"wieght":1}}'] = "multipath.wieght: unknown key",
    ['{"ipam":"static"}'] = "ipam: must be an object",
    ['{"ipam":{"type":1}}'] = "ipam.type: must be a string",
    ['{"dns":{"nameservers":"1.1.1.1"}}'] = "dns.nameservers: must be a list",
  } do
    it("refuses " .. text, function()
      local conf <const>, message, code = read(text)
      assert.is_nil(conf)
      assert.equal(7, code)
      assert.equal(why, message:sub(1, #why))
    end)
  end
end)
