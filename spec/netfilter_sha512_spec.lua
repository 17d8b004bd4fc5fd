local sha512 = require "ecmp.netfilter.sha512"
local sys = require "ecmp.sys"

describe("SHA-512", function()
  it("of the empty text is the standard's", function()
    assert.equal("cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
      .. "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e", sha512(""))
  end)

  it("is what sha512sum prints, around the lengths at which a block is full", function()
    for _, length in ipairs { 1, 110, 111, 112, 127, 128, 129, 239, 240, 1000 } do
      local text <const> = ("\xe4"):rep(length)
      local printed <const> = assert(sys.spawn { argv = { "sha512sum" }, stdin = text }).stdout
      assert.equal(printed:match("^%x+"), sha512(text))
    end
  end)
end)
