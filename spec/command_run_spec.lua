local cli = require "spec.cli"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("ecmp run #netns", function()
  local shell

  before_each(function() shell = cli.new() end)
  after_each(function() shell:close() end)

  for signal, status in pairs { INT = 130, TERM = 143, HUP = 129 } do
    it("takes an open transaction back at SIG" .. signal, function()
      local script <const> = shell:file("change.lua", [[
        local nl <close> = assert(ecmp.open())
        local tx <close> = nl:begin()
        assert(tx.route:add { dst = "10.9.0.0/16", via = "10.0.1.1" })
        local wait = coroutine.wrap(function()
          io.open("ready", "w"):close()
          while true do require("ecmp.sys").sleep(0.01) end
        end)
        wait()
      ]])
      local done <const> = shell:try(("cd %s; ecmp run %s 2>said & "):format(shell.dir, script)
        .. "until [ -e ready ]; do sleep 0.01; done; ip route show 10.9.0.0/16; "
        .. ("kill -%s $!; wait $!; echo $?; cat said; ip route show 10.9.0.0/16"):format(signal))
      assert.same({ "10.9.0.0/16 via 10.0.1.1 dev eth1", tostring(status), "ecmp: run: interrupted" },
        (function()
          local lines <const> = {}
          for line in done.stdout:gmatch "[^\n]+" do lines[#lines + 1] = line:gsub(" +$", "") end
          return lines
        end)())
    end)
  end

  it("finds nothing in the directory that it happens to be called in", function()
    assert(sys.mkdir(shell.dir .. "/other", tonumber("755", 8)))
    shell:file("other/beside.lua", "return 'beside'")
    shell:file("trap.lua", "return 'trap'")
    shell:file("other/script.lua", "print(require 'beside', (pcall(require, 'trap')))")
    local executable <const> = assert(sys.realpath(helper.build .. "/bin/ecmp"))
    assert.equal("beside\tfalse\n", shell:sh(("cd %s; unset LUA_PATH; %s run other/script.lua"):format(
      shell.dir, executable)))
    assert.equal("false\n", shell:sh(("cd %s; echo \"print((pcall(require, 'trap')))\" | %s run -"):format(
      shell.dir, executable)))
  end)
end)
