-- The client of etcd: messages, candidates, connections.
local Client = require "ecmp.store.etcd.client"
local candidates = require "ecmp.store.etcd.candidates"
local config = require "ecmp.plugin.pool.config"
local State = require "ecmp.store.etcd.state"
local etcd = require "spec.etcd"
local helper = require "spec.helper"
local ip = require "ecmp.ip"
local keys = require "ecmp.store.etcd.keys"
local kv = require "ecmp.store.etcd.kv"
local protobuf = require "ecmp.store.etcd.protobuf"
local range = require "ecmp.plugin.host-local.range"
local sys = require "ecmp.sys"

local it_etcd <const> = etcd.available and it or pending

local function set(...)
  return assert(range.set({ ... }, "ranges[0]"))
end

describe("protobuf", function()
  local function fields(text)
    local list <const> = {}
    local ok <const> = protobuf.each(text, function(field, value)
      list[#list + 1] = ("%d=%s"):format(field, value)
    end)
    return ok and table.concat(list, " ")
  end

  it("writes and reads numbers and bytes", function()
    assert.equal("\8\150\1", protobuf.integer(1, 150))
    assert.equal("", protobuf.integer(1, 0))
    assert.equal("\18\7testing", protobuf.bytes(2, "testing"))
    assert.equal("1=150 2=x 3=-1 16=9223372036854775807", fields(protobuf.integer(1, 150)
      .. protobuf.bytes(2, "x") .. protobuf.integer(3, -1)
      .. protobuf.integer(16, math.maxinteger)))
    assert.equal("1=abcdefgh 2=abcd", fields("\9abcdefgh\21abcd"))
  end)

  it("refuses what is no message, wherever it ends", function()
    local whole <const> = protobuf.integer(1, 1 << 40) .. protobuf.bytes(2, ("x"):rep(200))
    for at = 1, #whole - 1 do
      local whole_field <const> = at == #protobuf.integer(1, 1 << 40)
      assert.equal(whole_field or false, fields(whole:sub(1, at)) and true or false)
    end
    assert.falsy(fields("\8" .. ("\255"):rep(20)))
    assert.falsy(fields "\11")
    assert.falsy(fields("\18" .. ("\255"):rep(9) .. "\1"))
  end)
end)

describe("messages of etcd", function()
  it("are read, or refused without an error, whatever the bytes", function()
    local answer <const> = protobuf.bytes(1, protobuf.integer(3, 7)) .. protobuf.integer(2, 1)
      .. protobuf.bytes(3, protobuf.bytes(1, protobuf.bytes(2, protobuf.bytes(1, "k")
        .. protobuf.integer(3, 5) .. protobuf.bytes(5, "v")) .. protobuf.integer(4, 1)))
    local read <const> = kv.read("Txn", answer)
    assert.equal("7 true k v 5 1", ("%d %s %s %s %d %d"):format(read.revision, read.succeeded,
      read.responses[1].kvs[1].key, read.responses[1].kvs[1].value,
      read.responses[1].kvs[1].revision, read.responses[1].count))
    for at = 1, #answer do
      for _, byte in ipairs { 0, 8, 18, 127, 128, 255 } do
        local bad <const> = answer:sub(1, at - 1) .. string.char(byte) .. answer:sub(at + 1)
        for _, kind in ipairs { "Txn", "Range", "Put", "DeleteRange" } do
          local done <const>, message = pcall(kv.read, kind, bad)
          assert(done, message)
        end
      end
    end
  end)

  it("are refused where text stands for a number, or answers nest without end", function()
    local text <const> = protobuf.bytes
    for kind, bad in pairs { Put = text(1, text(3, "7")), Range = text(4, "1"), DeleteRange = text(2, "1"),
      Txn = text(2, "1") } do
      assert.is_nil(kv.read(kind, bad), kind)
    end
    assert.is_nil(kv.read("Range", text(3, "1")))
    local nested = ""
    for _ = 1, 17 do nested = text(3, text(4, nested)) end
    assert.is_table(kv.read("Txn", nested))
    for _ = 1, 2000 do nested = text(3, text(4, nested)) end
    assert.is_nil(kv.read("Txn", nested))
  end)

  it("end a range behind all keys with a prefix", function()
    assert.equal("/b", kv.range_end "/a")
    assert.equal("b", kv.range_end "a\255\255")
  end)
end)

describe("keys", function()
  it("are one step for each name, and read back", function()
    local names <const> = keys.names("/p", "net", "a/b")
    for _, text in ipairs { "10.0.0.9", "2001:db8::9", "::1:0:1", "0.0.0.0" } do
      assert.equal(text, tostring(names:address_of(names:address(ip.parse(text)))))
    end
    assert.same({ node = "a/b", containerid = "c%1", ifname = "e/0" },
      names:attachment_of(names:attachment { containerid = "c%1", ifname = "e/0" }))
    for _, bad in ipairs { "", "0a00000", "0A00zz00", "0a000001/x", ("f"):rep(31) } do
      assert.is_nil(names:address_of(names.addresses .. bad))
    end
  end)
end)

describe("candidates", function()
  it("are different addresses of each set, none a gateway or a router of the pod", function()
    local one <const>, two <const> = set({ subnet = "10.0.0.0/28" }, { subnet = "10.1.0.0/29" }),
      set { subnet = "2001:db8::/64" }
    one:keep_out { ["10.0.0.2"] = true }
    for _ = 1, 50 do
      local seen <const> = {}
      local tuples <const> = candidates.first({ one, two }, {}, "node", 4)
      assert.equal(16, #tuples)
      for _, tuple in ipairs(tuples) do
        for n, each in ipairs(tuple) do
          local text <const> = tostring(each.address)
          assert.is_nil(seen[text])
          seen[text] = true
          assert.equal(each.range, (n == 1 and one or two):find(each.address))
        end
      end
      assert.is_nil(seen["10.0.0.1"] or seen["10.0.0.2"] or seen["10.1.0.1"])
    end
  end)

  it("begin in a block of the node, which another node seldom has", function()
    local large <const> = set { subnet = "10.0.0.0/16" }
    local first <const> = ip.parse "10.0.0.1"
    local function block_of(node)
      local tuples <const> = candidates.first({ large }, {}, node, 64)
      local block <const> = (tuples[1][1].address - first) // 64
      for i = 2, 4 do assert.equal(block, (tuples[i][1].address - first) // 64) end
      return block
    end
    local blocks <const>, count = {}, 0
    for n = 1, 64 do
      local block <const> = block_of("node" .. n)
      assert.equal(block, block_of("node" .. n))
      count, blocks[block] = count + (blocks[block] and 0 or 1), true
    end
    assert.is_true(count > 55)
  end)

  it("are fewer where a transaction has no room for sixteen", function()
    local sets <const> = {}
    for i = 1, 20 do sets[i] = set { subnet = ("10.%d.0.0/24"):format(i) } end
    local tuples <const> = candidates.first(sets, {}, "node", 64)
    assert.equal(4, #tuples)
    -- every operation nested in another, and the listing at the end, within etcd's 128
    assert.is_true(#tuples * 21 + 20 + 3 <= 128)
  end)

  it("find the last free address", function()
    local small <const>, taken <const> = set { subnet = "10.0.0.0/24" }, {}
    for address in small:candidates() do taken[tostring(address)] = true end
    taken["10.0.0.77"] = nil
    local tuples <const> = candidates.free({ small }, {}, taken)
    assert.equal("10.0.0.77", tostring(tuples[1][1].address))
    taken["10.0.0.77"] = true
    assert.same({ n = 2, nil, 1 }, table.pack(candidates.free({ small }, {}, taken)))
  end)
end)

describe("what a node keeps on its disk", function()
  local dir, state
  before_each(function()
    dir = helper.directory()
    state = State.new(dir, "net")
  end)
  after_each(function() helper.remove(dir) end)

  local function link_to_itself(path)
    assert.equal(0, assert(sys.spawn { argv = { "ln", "-s", path, path }, timeout = 10 }).status)
  end

  it("counts an ADD as at work whose note cannot be looked at", function()
    assert.same({}, state:at_work())
    assert(state:note({ containerid = "c1", ifname = "eth0" }, "aa")):leave(false)
    assert.same({}, state:at_work())
    assert(sys.create(dir .. "/net/notes/bb", (" "):rep(70000)))
    link_to_itself(dir .. "/net/notes/cc")
    assert.same({ bb = {}, cc = {} }, state:at_work())
    assert.is_truthy(sys.lstat(dir .. "/net/notes/bb"))
    assert.equal(1, #state:abandoned(9))
    helper.remove(dir .. "/net/notes")
    link_to_itself(dir .. "/net/notes")
    local found <const>, _, code <const> = state:at_work()
    assert.same({ nil, "ELOOP" }, { found, code })
  end)

  it("counts a tombstone as there where that cannot be looked at", function()
    local who <const> = { containerid = "c1", ifname = "eth0" }
    assert.is_false(state:has_tombstone(who))
    assert(state:add_tombstone(who, "aa"))
    assert.is_true(state:has_tombstone(who))
    assert.is_false(state:has_tombstone { containerid = "c1", ifname = "eth" })
    assert.equal("aa", state:tombstones(9)[1].nonce)
    helper.remove(dir .. "/net/gone")
    link_to_itself(dir .. "/net/gone")
    local found <const>, _, code <const> = state:has_tombstone(who)
    assert.same({ true, "ELOOP" }, { found, code })
  end)
end)

describe("a client of etcd #netns #etcd", function()
  local cluster
  setup(function() if etcd.available then cluster = etcd.cluster() end end)
  teardown(function() if cluster then cluster:close() end end)

  local function client(urls)
    return Client.new(require "ecmp_pool", assert(config.endpoints { etcd = urls }))
  end

  local function within(seconds, passes)
    return { deadline = sys.monotonic() + seconds, passes = passes }
  end

  it_etcd("gets answers larger than any window of HTTP/2, on one connection", function()
    local one <close> = client(cluster:store().etcd)
    for n = 1, 9 do
      assert(one:call(kv.put("/large/" .. n, ("x"):rep(1000000)), within(10)))
    end
    local connection <const> = one.connection
    for _ = 1, 3 do
      local answer <const> = assert(one:call(kv.get("/large/", { to = "/large0" }), within(20)))
      assert.equal(9, #answer.kvs)
      assert.equal(1000000, #answer.kvs[9].value)
    end
    assert.equal(connection, one.connection)
  end)

  it_etcd("asks the next endpoint where one refuses", function()
    local one <close> = client { "http://127.0.0.1:1", "http://127.0.0.1:2",
      cluster:store().etcd[1] }
    assert(one:call(kv.get "/x", within(5)))
    assert.equal(3, one.at)
    assert.is_true(one.answered)
  end)

  it_etcd("hands on what the server refuses, at once", function()
    local one <close> = client(cluster:store().etcd)
    local answer <const>, message <const>, code <const> = one:call(kv.get "", within(60))
    assert.is_nil(answer)
    assert.matches("etcdserver: key is not provided %(grpc%-status 3%)$", message)
    assert.equal("EINVAL", code)
    assert.equal(1, one.calls)
  end)

  it_etcd("goes on after the server has said goodbye", function()
    local one <close> = client(cluster:store().etcd)
    assert(one:call(kv.get "/x", within(5)))
    cluster:signal(1, "TERM")
    cluster:signal(1, "KILL")
    local gone <const>, message <const>, code <const> = one:call(kv.get "/x", within(5, 1))
    assert.is_nil(gone)
    assert.equal("EAGAIN", code, message)
    cluster:start(1)
    cluster:wait()
    assert(one:call(kv.get "/x", within(10)))
  end)

  it_etcd("ends in time where the member is frozen", function()
    local one <close> = client(cluster:store().etcd)
    cluster:signal(1, "STOP")
    local began <const> = sys.monotonic()
    local answer <const>, message <const>, code <const> = one:call(kv.get "/x", within(0.5))
    cluster:signal(1, "CONT")
    assert.is_nil(answer)
    assert.matches("no answer in time", message)
    assert.equal("ETIMEDOUT", code)
    assert.is_true(sys.monotonic() - began < 5)
  end)

  it_etcd("speaks over a unix socket, and refuses names that are none", function()
    local message <const> = select(2, client { "unix:///nonexistent/socket" }:call(kv.get "/x",
      within(1, 1)))
    assert.matches("unix:///nonexistent/socket: connect: No such file or directory", message)
    local long <const> = select(2, client { "unix:///" .. ("x"):rep(200) }:call(kv.get "/x",
      within(1, 1)))
    assert.matches("the path of the socket is too long", long)
    local name <const> = select(2, client { "https://no-such-name.invalid:1" }:call(kv.get "/x",
      within(3, 1)))
    assert.matches("no%-such%-name.invalid:1: %a", name)
  end)
end)
