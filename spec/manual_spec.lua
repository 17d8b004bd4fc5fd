local helper = require "spec.helper"
local sys = require "ecmp.sys"

describe("man pages and completion", function()
  local dir <const> = helper.directory()

  setup(function()
    local result <const> = assert(sys.spawn { argv = { "lua5.4", "-e", helper.paths()
      .. ("arg = { %q } dofile 'build-aux/manual.lua'"):format(dir) } })
    assert.equal(0, result.status, result.stderr)
  end)

  teardown(function() helper.remove(dir) end)

  for _, part in ipairs { "man", "completion" } do
    it(("in %s/ are those that the commands' parsers make (build-aux/manual.lua)"):format(part),
      function()
      local made <const> = assert(sys.list(dir .. "/" .. part))
      assert.same(made, assert(sys.list(part)))
      for _, name in ipairs(made) do
        assert.equal(sys.read(("%s/%s/%s"):format(dir, part, name)), sys.read(part .. "/" .. name),
          name)
      end
    end)
  end

  it("complete commands and options in bash", function()
    local result <const> = assert(sys.spawn { argv = { "bash", "-c", [[
      . completion/ecmp.bash
      COMP_WORDS=(ecmp sho); COMP_CWORD=1; _ecmp; echo "${COMPREPLY[*]}"
      COMP_WORDS=(ecmp apply --conf); COMP_CWORD=2; _ecmp; echo "${COMPREPLY[*]}"]] } })
    assert.equal("show\n--confirm --confirmed\n", result.stdout)
  end)
end)
