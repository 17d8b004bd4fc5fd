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

  it("complete commands, options and their values in bash", function()
    local result <const> = assert(sys.spawn { argv = { "bash", "-c", [[
      . completion/ecmp.bash
      try() { COMP_WORDS=(ecmp "$@"); COMP_CWORD=$#; _ecmp; echo "${COMPREPLY[*]}"; }
      try sho; try apply --conf; try rule ch; try show --family ''; try show --table m
      try apply --proto bo; try monitor nex; try spread --iif l; try apply --confirm '']] } })
    assert.equal(table.concat({ "show", "--confirm --confirmed", "check", "4 6", "main", "boot",
      "nexthop", "lo", "", "" }, "\n"), result.stdout)
  end)

  it("are what zsh can read, where it is installed", function()
    local result <const> = sys.spawn { argv = { "zsh", "-n", "completion/_ecmp" },
      stderr = "capture" }
    if not result then pending "zsh is not installed" return end
    assert.same({ 0, "" }, { result.status, result.stderr })
  end)

  it("are pages that man has nothing against, where it is installed", function()
    for _, name in ipairs(assert(sys.list "man")) do
      local result <const> = sys.spawn { argv = { "man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8",
        "-Z", "man/" .. name }, stderr = "capture" }
      if not result then pending "man is not installed" return end
      assert.same({ 0, "" }, { result.status, result.stderr }, name)
    end
  end)
end)
