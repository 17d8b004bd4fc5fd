--- Sysctls of a handle's namespace.
local ecmp = require "ecmp"

describe("nl.sysctl #netns", function()
  it("reads what was set, numbers and booleans", function()
    local nl <close> = assert(ecmp.open())
    for value, text in pairs { [3] = "3", [true] = "1", [false] = "0" } do
      assert(nl.sysctl:set("net.ipv4.ip_forward", value))
      assert.equal(text, nl.sysctl:get "net/ipv4/ip_forward")
    end
  end)

  it("reads values that are long", function()
    local nl <close> = assert(ecmp.open())
    local ports <const> = {}
    for i = 1, 500 do ports[i] = tostring(10000 + 2 * i) end
    local text <const> = table.concat(ports, ",")
    assert(nl.sysctl:set("net.ipv4.ip_local_reserved_ports", text))
    assert.equal(text, nl.sysctl:get "net.ipv4.ip_local_reserved_ports")
  end)

  it("names a key that is none, and what the kernel refuses", function()
    local nl <close> = assert(ecmp.open())
    assert.error_matches(function() nl.sysctl:get "kernel.hostname" end,
      "a key like net.ipv4.ip_forward expected, got kernel.hostname", 1, true)
    local value <const>, message <const>, code <const> = nl.sysctl:get "net.ipv4.conf.none.forwarding"
    assert.same({ nil, "ENOENT" }, { value, code })
    assert.matches("^sysctl net.ipv4.conf.none.forwarding: ", message)
    local _, refused <const>, why <const> = nl.sysctl:set("net.ipv4.ip_forward", "no number")
    assert.equal("EINVAL", why)
    assert.matches("^sysctl net.ipv4.ip_forward = no number: ", refused)
  end)
end)
