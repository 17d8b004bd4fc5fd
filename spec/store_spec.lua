-- What every store of a pool's addresses does alike: host-local's directory, and etcd.
local errors = require "ecmp.cni.errors"
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local ip = require "ecmp.ip"
local json = require "ecmp.json"
local open = require "ecmp.plugin.pool.open"
local config = require "ecmp.plugin.pool.config"
local range = require "ecmp.plugin.host-local.range"

local function set(...)
  return assert(range.set({ ... }, "ranges[0]"))
end

local function attachment(id, ifname)
  return { containerid = id, ifname = ifname or "eth0" }
end

local it_etcd <const> = etcd.available and it or pending

local function texts(list)
  local found <const> = {}
  for i, one in ipairs(list) do found[i] = tostring(type(one) == "table" and one.address or one) end
  table.sort(found)
  return table.concat(found, " ")
end

-- The specs that both pass. `new()` opens an empty pool, `again()` the same one as another process
-- would.
local function conforms(it, new, again)
  local small <const>, other <const> = set { subnet = "10.0.0.0/29" },
    set { subnet = "fd00::/64", rangeStart = "fd00::10", rangeEnd = "fd00::1f" }

  local function choice(sets, requested, idempotent)
    local addresses <const> = {}
    for i, text in ipairs(requested or {}) do addresses[i] = ip.parse(text) end
    return { sets = sets, requested = addresses, idempotent = idempotent or false }
  end

  it("reserves one address of each set, none twice and no gateway, until one is full", function()
    local store <const>, seen <const> = new(), {}
    for n = 1, 5 do
      local held <const> = assert(store:reserve(attachment("c" .. n), choice { small, other }))
      assert.equal(2, #held)
      assert.equal(29, held[1].range.length)
      for i, one in ipairs(held) do
        local text <const> = tostring(one.address)
        assert.is_nil(seen[text])
        assert.is_not_nil((i == 1 and small or other):find(one.address))
        seen[text] = true
      end
    end
    assert.is_nil(seen["10.0.0.1"])
    local held <const>, message <const>, code <const> =
      store:reserve(attachment "c6", choice { small, other })
    assert.is_nil(held)
    assert.equal("failed to allocate for range 0: no IP addresses available in range set: "
      .. "10.0.0.1-10.0.0.6", message)
    assert.equal(999, errors.code(code))
    -- nothing of the other set is left behind
    assert.equal(10, #assert(store:entries()))
  end)

  it("frees what one attachment holds, once, and nothing of others", function()
    local store <const> = new()
    local held <const> = assert(store:reserve(attachment "c1", choice { small }))
    local rest <const> = assert(store:reserve(attachment("c1", "net1"), choice { small }))
    assert.equal(texts(held), texts(assert(again(store):release(attachment "c1"))))
    assert.same({}, assert(again(store):release(attachment "c1")))
    assert.same({}, assert(again(store):holds(attachment "c1")))
    assert.equal(texts(rest), texts(assert(again(store):holds(attachment("c1", "net1")))))
  end)

  it("refuses a second reservation of an attachment, unless it is idempotent", function()
    local store <const> = new()
    local held <const> = assert(store:reserve(attachment "c1", choice { small }))
    local twice <const>, message <const>, code <const> =
      store:reserve(attachment "c1", choice { small })
    assert.is_nil(twice)
    assert.equal(("%s has been allocated to c1/eth0, duplicate allocation is not allowed"):format(
      held[1].address), (message:gsub("^failed to allocate for range 0: ", "")))
    assert.equal(999, errors.code(code))
    assert.equal(texts(held),
      texts(assert(store:reserve(attachment "c1", choice({ small }, {}, true)))))
    assert.equal(1, #assert(store:entries()))
  end)

  it("reserves the addresses asked for, or none", function()
    local store <const> = new()
    assert.equal("10.0.0.5 fd00::12", texts(assert(store:reserve(attachment "c1",
      choice({ small, other }, { "fd00::12", "10.0.0.5" })))))
    local function refused(requested)
      local held <const>, message <const> =
        store:reserve(attachment "c2", choice({ small, other }, requested))
      assert.is_nil(held)
      return message
    end
    assert.matches("range 0: requested address 10.0.0.5 is not available in range set "
      .. "10.0.0.1%-10.0.0.6$", refused { "10.0.0.5" })
    assert.matches("requested address 10.0.0.1 is the gateway of its range$", refused { "10.0.0.1" })
    assert.matches("^failed to allocate all requested IPs: 10.9.9.9", refused { "10.9.9.9" })
    assert.equal("10.0.0.5 fd00::12", texts(assert(store:entries())))
  end)

  it("lists what is taken, with whom, in order of address", function()
    local store <const> = new()
    assert(store:reserve(attachment "c1", choice({ small }, { "10.0.0.6" })))
    assert(store:reserve(attachment("c2", "net1"), choice({ small }, { "10.0.0.2" })))
    local entries <const> = assert(again(store):entries())
    assert.equal("10.0.0.2 c2 net1 10.0.0.6 c1 eth0", ("%s %s %s %s %s %s"):format(
      entries[1].address, entries[1].containerid, entries[1].ifname,
      entries[2].address, entries[2].containerid, entries[2].ifname))
  end)

  it("frees what is not listed as valid", function()
    local store <const> = new()
    for n = 1, 4 do assert(store:reserve(attachment("c" .. n), choice { small })) end
    assert.equal(2, #assert(again(store):retain { attachment "c1", attachment "c3",
      attachment "c9" }))
    local left <const> = {}
    for i, entry in ipairs(assert(again(store):entries())) do left[i] = entry.containerid end
    table.sort(left)
    assert.same({ "c1", "c3" }, left)
  end)

  it("says how full it is, and whether an ADD could be served", function()
    local store <const> = new()
    assert.is_true(store:status { small, other })
    for n = 1, 5 do assert(store:reserve(attachment("c" .. n), choice { small })) end
    local usage <const> = assert(store:usage { small, other })
    assert.equal("5 5 0 16", ("%d %d %d %d"):format(usage[1].size, usage[1].used, usage[2].used,
      usage[2].size))
    local ok <const>, message <const> = store:status { small, other }
    assert.is_nil(ok)
    assert.matches("range 0: no IP addresses available in range set: 10.0.0.1%-10.0.0.6", message)
  end)

  it("says what it would give, and changes nothing", function()
    local store <const> = new()
    local before <const> = #assert(store:entries())
    local held <const> = assert(store:preview(choice({ small, other }, { "10.0.0.4" })))
    assert.equal("10.0.0.4", tostring(held[1].address))
    assert.is_not_nil(other:find(held[2].address))
    assert.equal(before, #assert(store:entries()))
  end)
end

describe("a store in a directory", function()
  local dir
  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function new()
    return assert(open.store({ directory = dir }, { name = "net" }))
  end

  conforms(it, new, new)
end)

describe("a store in etcd #netns #etcd", function()
  local cluster, dir, count
  setup(function()
    count = 0
    if etcd.available then cluster = etcd.cluster() end
  end)
  teardown(function() if cluster then cluster:close() end end)
  before_each(function() dir = helper.directory() end)
  after_each(function() helper.remove(dir) end)

  local function at(network)
    local conf <const> = { name = network, ipam = { dataDir = dir, store = cluster:store() } }
    return assert(open.store(assert(config.store(conf)), conf))
  end

  local function new()
    count = count + 1
    return at("net" .. count)
  end

  conforms(it_etcd, new, function(store) return at(store.network) end)

  it_etcd("keeps an address, its attachment and the node under names that nothing breaks out of",
    function()
      local conf <const> = { name = "odd", ipam = { dataDir = dir, store = cluster:store() } }
      conf.ipam.store.node, conf.ipam.store.prefix = "a/b %\n", "/pools/here"
      local store <const> = assert(open.store(assert(config.store(conf)), conf))
      assert(store:reserve(attachment("c.1", "et%h/0"), { sets = { set { subnet = "10.0.0.0/29" } },
        requested = { ip.parse "10.0.0.2" } }))
      assert.same({
        "/pools/here/odd/a/0a000002",
        "/pools/here/odd/n/a%2Fb%20%25%0A",
        "/pools/here/odd/t/a%2Fb%20%25%0A/c.1/et%25h%2F0",
      }, (function()
        local keys <const> = {}
        for key in cluster:ctl "get --prefix /pools/here --keys-only":gmatch "%S+" do
          keys[#keys + 1] = key
        end
        return keys
      end)())
      local held <const> = assert(store:attachments())
      assert.equal("a/b %\n c.1 et%h/0", ("%s %s %s"):format(held[1].node, held[1].containerid,
        held[1].ifname))
      local value <const> = json.decode(
        cluster:ctl "get --print-value-only /pools/here/odd/a/0a000002")
      assert.equal("c.1 et%h/0 a/b %\n", ("%s %s %s"):format(value.id, value["if"], value.node))
      assert.matches("^%x+$", value.nonce)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", value.at)
    end)

  it_etcd("gives back what one ADD reserved, and nothing of a later ADD of the attachment", function()
    local store <const>, who <const> = new(), attachment "c1"
    local choice <const> = { sets = { set { subnet = "10.0.0.0/29" } }, requested = {} }
    local first <const> = assert(store:reserve(who, choice)).nonce
    assert(store:release(who))
    local second <const> = assert(store:reserve(who, choice)).nonce
    local at_work <const> = assert(store.state:note(who, second))
    assert.same({}, assert(store:release(who, first)))
    assert.is_false(store.state:has_tombstone(who))
    at_work:forget()
    -- as it is where etcd did not answer
    assert(store.state:add_tombstone(who, first))
    assert.is_true(store.state:has_tombstone(who))
    assert.equal(1, #assert(at(store.network):holds(who)))
    assert.is_false(store.state:has_tombstone(who))
    assert(store.state:add_tombstone(who, first))
    assert(store.state:add_tombstone(who, second))
    assert.same({}, assert(at(store.network):holds(who)))
    assert.same({}, assert(store:attachments()))
  end)
end)
