-- The rock: built from the tree, packed, installed again, with what Debian has for dependencies.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local function is_there(program)
  return sys.spawn({ argv = { "sh", "-c", "command -v " .. program } }).status == 0
end

local HAS_LUAROCKS <const> = is_there "luarocks"

describe("the rock", function()
  local dir, said

  local function shell(script)
    local done <const> = assert(sys.spawn { stderr = "capture", timeout = 300, argv = {
      "env", "-u", "LUA_PATH", "-u", "LUA_CPATH", "sh", "-c", script, "sh", dir } })
    assert(done.status == 0, script .. done.stdout .. done.stderr)
    return done.stdout .. done.stderr
  end

  -- Without optimisation: how fast it is is not looked at here.
  setup(function()
    if not HAS_LUAROCKS then return end
    dir = helper.directory()
    said = shell [[
      mkdir -p "$1/mnl/include" "$1/mnl/lib"
      cp -r /usr/include/libmnl "$1/mnl/include"
      ln -s "$(gcc -print-file-name=libmnl.so)" "$1/mnl/lib/libmnl.so"
      make rock B="$1" MNL_DIR="$1/mnl" ROCK_CFLAGS='-O0 -fPIC']]
  end)
  teardown(function() if dir then helper.remove(dir) end end)

  local function fact(name, test)
    it(name, HAS_LUAROCKS and test or function() pending "luarocks is not installed" end)
  end

  local LUAROCKS <const> = [[LUAROCKS_CONFIG="$1/rock/config.lua" luarocks --lua-version=5.4 ]]

  fact("compiles and links with the libmnl of MNL_DIR", function()
    for line in said:gmatch "gcc [^\n]+csrc/rtnl/[^\n]+" do
      local wanted <const> = line:find(" -c ", 1, true)
        and " -I%s/mnl/include" or " -L%s/mnl/lib "
      assert.is_truthy(line:find(wanted:format(dir), 1, true), line)
    end
  end)

  fact("is packed, and installed from that without the sources", function()
    local rocks <const> = {}
    for _, name in ipairs(sys.list(dir .. "/rock")) do
      if name:find "%.rock$" then rocks[#rocks + 1] = name end
    end
    assert.equal(1, #rocks)
    assert.matches("^ecmp%-scm%-1%.linux%-[%w_]+%.rock$", rocks[1])
    shell(LUAROCKS .. [[--tree="$1/other" install "$1"/rock/*.rock]])
    assert.matches("^ecmp " .. require("ecmp.version"):gsub("%.", "%%."),
      shell [[cd / && "$1/other/bin/ecmp" version]])
  end)

  fact("has every module, and they load", function()
    assert.equal("loaded", shell [[cd /
      export LUA_PATH="$1/rock/tree/share/lua/5.4/?.lua;$1/rock/tree/share/lua/5.4/?/init.lua;;"
      LUA_CPATH="$1/rock/tree/lib/lua/5.4/?.so;;" lua5.4 - "$1/rock/tree/share/lua/5.4" <<'LUA'
        for path in io.popen("cd " .. arg[1] .. " && find ecmp -name '*.lua'"):lines() do
          local name = path:gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
          assert(package.searchpath(name, package.path):find(arg[1], 1, true), name)
        end
        require "ecmp"; require "ecmp.command.main"; io.write "loaded"
LUA
    ]])
    assert.equal(shell "find lua -name '*.lua' | wc -l",
      shell [[find "$1/rock/tree/share/lua/5.4/ecmp" -name '*.lua' | wc -l]])
  end)

  fact("exports the entries of its modules alone", function()
    assert.equal("luaopen_ecmp_ip\nluaopen_ecmp_rtnl\nluaopen_ecmp_sandbox_process\n"
      .. "luaopen_ecmp_sys\n", shell [[
      find "$1/rock/tree/lib" -name '*.so' -exec nm -A -D -P --defined-only {} + |
        sed 's/[^ ]* //; s/ .*//' | sort]])
  end)

  fact("is tested with `make test`, and asks for nothing that is not there", function()
    local asked <const> = shell(LUAROCKS .. "-q 2>/dev/null; MAKEFLAGS=n " .. LUAROCKS
      .. [[--tree="$1/rock/tree" test ecmp-scm-1.rockspec 2>&1]])
    assert.matches("build%-aux/test%.sh", asked)
    assert.falsy(asked:find "not installed")
  end)
end)
