--- VLANs of the ports of a bridge, as `bridge vlan` shows them.
local rtnl = require "ecmp.rtnl"
local scratch_of = require "spec.scratch"

describe("nl.vlan", function()
  it("is written and read in the words of bridge vlan", function()
    local text <const> = "dev if7 vid 10 pvid untagged vid 20 self"
    local parsed <const> = assert(rtnl.parse("vlan", text))
    assert.same({ dev = "if7", self = true,
      vlans = { { vid = 10, pvid = true, untagged = true }, { vid = 20 } } }, parsed)
    parsed.dev = 7
    assert.equal(text, tostring(rtnl.view("vlan", parsed, true)))
  end)

  it("refuses a field that no VLAN has, by its path", function()
    local _ <const>, message <const> =
      pcall(rtnl.view, "vlan", { dev = 1, vlans = { { vid = 1 }, { vld = 2 } } }, true)
    assert.matches("vlans[2].vld: unknown field (did you mean 'vid'?)", message, 1, true)
  end)

  describe("in the kernel #netns", function()
    local scratch, knows

    before_each(function()
      scratch = scratch_of.new(1)
      knows = scratch.nl.link:add { name = "br0", type = "bridge", vlan_filtering = 1 }
      if knows then scratch:ip("link set v1 master br0") end
    end)
    after_each(function() scratch:close() end)

    local function it_vlan(name, body)
      it(name, function()
        if not knows then return pending("this kernel's bridges know no VLANs") end
        body(scratch.nl)
      end)
    end

    local function now(nl) return tostring(nl.vlan:list { dev = "v1" }) end

    it_vlan("is what was added, and what list says can be deleted", function(nl)
      assert.equal("dev v1 vid 1 pvid untagged", now(nl))
      assert(nl.vlan:add { dev = "v1", vlans = { { vid = 10, pvid = true, untagged = true },
        { vid = 20 } } })
      assert(nl.vlan:add "dev v1 vid 30 untagged")
      assert.equal("dev v1 vid 1 untagged vid 10 pvid untagged vid 20 vid 30 untagged", now(nl))
      assert(nl.vlan:del(nl.vlan:list { dev = "v1" }[1]))
      assert.equal("dev v1", now(nl))
    end)

    it_vlan("of the bridge itself is its own", function(nl)
      assert(nl.vlan:add "dev br0 vid 7 self")
      assert.equal("dev br0 vid 1 pvid untagged vid 7", tostring(nl.vlan:list { dev = "br0" }))
    end)

    it_vlan("is undone with its transaction", function(nl)
      do
        local tx <close> = nl:begin()
        assert(tx.vlan:add "dev v1 vid 10 pvid untagged")
        assert(tx.vlan:del "dev v1 vid 1")
      end
      assert.equal("dev v1 vid 1 pvid untagged", now(nl))
    end)

    it_vlan("is undone with its transaction on the bridge itself, and in a batch", function(nl)
      do
        local tx <close> = nl:begin()
        assert(tx.vlan:add "dev br0 vid 7 self")
        assert(tx.vlan:del "dev br0 vid 1 self")
        assert.same({ true }, tx:batch { { "vlan add", "dev v1 vid 2 vid 3 pvid" } })
        assert.equal("dev v1 vid 1 untagged vid 2 vid 3 pvid", now(nl))
      end
      assert.equal("dev v1 vid 1 pvid untagged", now(nl))
      assert.equal("dev br0 vid 1 pvid untagged", tostring(nl.vlan:list { dev = "br0" }))
    end)

    it("has no verb but add, del and list", function()
      assert.has_error(function() scratch.nl.vlan:get { dev = "v1" } end)
    end)
  end)
end)
