-- ecmp lint: nothing is said of good configurations; of bad ones what is wrong, where, and what to
-- write instead.
local cases = require "spec.lint_cases"
local helper = require "spec.helper"
local json = require "ecmp.json"
local sys = require "ecmp.sys"

describe("ecmp lint", function()
  local dir <const>, bin <const> = helper.directory(), helper.directory()

  local function program(name, versions)
    assert(sys.create(bin .. "/" .. name, ([[#!/bin/sh
echo '{"cniVersion":"1.0.0","supportedVersions":%s}'
]]):format(json.encode(json.array(versions))), tonumber("755", 8)))
  end

  setup(function()
    local all <const> = { "0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0" }
    for _, name in ipairs { "bridge", "ptp", "macvlan", "ipvlan", "host-local", "static", "loopback",
      "portmap", "firewall", "tuning", "bandwidth", "flannel", "calico", "calico-ipam", "cilium-cni",
      "multus", "dhcp", "whereabouts", "route-override", "ecmp", "ecmp-bridge", "ecmp-ptp",
      "ecmp-macvlan", "ecmp-host-local", "ecmp-static", "ecmp-pool" } do
      program(name, all)
    end
    program("old", { "0.3.1", "0.4.0" })
  end)
  teardown(function()
    helper.remove(dir)
    helper.remove(bin)
  end)

  local function lint(...)
    local env <const> = { "CNI_PATH=" .. bin, "PATH=" .. os.getenv "PATH" }
    local outcome <const> = assert(sys.spawn { stderr = "capture", timeout = 30, env = env, argv = {
      "lua5.4", "-e", helper.paths() .. "os.exit(require('ecmp.command').run(arg), true)",
      "/dev/null", "lint", ... } })
    return outcome.status, outcome.stdout, outcome.stderr
  end

  local function file(name, text)
    local path <const> = dir .. "/" .. name
    sys.unlink(path)
    assert(sys.create(path, (text)))
    return path
  end

  it("says nothing of configurations that are good", function()
    local count = 0
    for name, text in pairs(cases.good) do
      assert.same({ 0, "", "" }, { lint(file(name, text)) }, name)
      count = count + 1
    end
    assert.is_true(count >= 20 and count + #cases.bad >= 60)
  end)

  for i, case in ipairs(cases.bad) do
    local name <const>, text <const>, path <const>, part <const> = table.unpack(case)
    it(("tells of fault %d: %s: %s"):format(i, path, part), function()
      local status <const>, out <const>, err <const> = lint("--json", file(name, text))
      local found <const> = json.decode(out)
      assert.same({ 1, "", 1 }, { status, err, #found }, out)
      assert.same({ dir .. "/" .. name, path }, { found[1].file, found[1].path })
      assert.matches(part, found[1].message, 1, true)
    end)
  end

  for _, case in ipairs(cases.together) do
    local where <const>, path <const>, part <const> = table.unpack(case[1])
    it("tells of what two files say together: " .. part, function()
      local both <const> = helper.directory()
      for name, text in pairs(case) do
        if type(name) == "string" then assert(sys.create(both .. "/" .. name, (text))) end
      end
      assert(sys.create(both .. "/README", "no configuration"))
      local status <const>, out <const> = lint(both)
      helper.remove(both)
      assert.equal(1, status)
      assert.equal(("%s/%s: %s: "):format(both, where, path), out:match "^[^:]*: [^:]*: ")
      assert.matches(part, out, 1, true)
      assert.equal(1, select(2, out:gsub("\n", "")))
    end)
  end

  it("fails for a file or a directory that cannot be read", function()
    local status <const>, _, err <const> = lint(dir .. "/none.conf")
    assert.equal(1, status)
    assert.matches("none.conf", err, 1, true)
  end)
end)
