-- What a script that is not on the flow does through its call: handles, and what is taken back.
local helper <const> = require "spec.helper"
local pods <const> = require "spec.pod"
local sys <const> = require "ecmp.sys"

describe("a call #netns", function()
  local directory, pod
  before_each(function()
    directory, pod = helper.directory(), pods.new()
    pod:ip("pod", "link add eth0 type veth peer name far0")
  end)
  after_each(function()
    pod:close()
    helper.remove(directory)
  end)

  local function conf_of(text, changes)
    local path <const> = directory .. "/plugin.lua"
    assert(sys.replace(path, text, tonumber("644", 8)))
    local conf <const> = { cniVersion = "1.1.0", name = "lab", type = "ecmp-lua", script = path }
    for key, value in pairs(changes or {}) do conf[key] = value end
    return conf
  end

  local function run(text, command, changes)
    return pod:call("ecmp-lua", command or "ADD", conf_of(text), changes)
  end

  local function left()
    return { (pod:ip("pod", "route show 10.9.0.0/16"):gsub("%s+$", "")),
      (pod:ip("host", "rule show pref 501"):gsub("%s+$", "")) }
  end

  local CHANGES <const> = [[
    local nl, host = call:open(), call:open "host"
    assert(nl.link:set { dev = "eth0", up = true })
    assert(nl.link:set { dev = "far0", up = true })
    assert(nl.route:add { dst = "10.9.0.0/16", dev = "eth0" })
    assert(host.rule:add { from = "10.0.0.9", table = 100, priority = 501 })
    call:undo("first", function() io.stderr:write "first;" end)
    call:undo("second", function() io.stderr:write "second;" end)
  ]]
  local function adding(ending)
    return ("return { add = function(call) %s %s end, del = function() io.stderr:write 'del;' end }")
      :format(CHANGES, ending)
  end

  it("keeps what a successful ADD changed", function()
    local outcome <const> = run(adding "return { ips = {} }")
    assert.same({ 0, "" }, { outcome.status, outcome.stderr })
    assert.matches("dev eth0", left()[1])
    assert.matches("from 10.0.0.9 lookup 100", left()[2])
  end)

  it("takes back what an ADD changed that refuses, newest first", function()
    local outcome <const> = run(adding "return nil, 'later', 11")
    assert.same({ 11, "later", "second;first;" },
      { outcome.json.code, outcome.json.msg, outcome.stderr })
    assert.same({ "", "" }, left())
    assert.equal("second;first;", run(adding "error 'fault'").stderr)
    assert.same({ "", "" }, left())
  end)

  it("takes back before its DEL what an ADD changed whose result is no good", function()
    local outcome <const> = run(adding "return { ips = 5 }")
    assert.same({ 100, "second;first;del;" }, { outcome.json.code, outcome.stderr })
    assert.same({ "", "" }, left())
  end)

  it("takes back what an ADD changed whose result nobody reads", function()
    local file <const> = helper.build .. "/cni/ecmp-lua"
    local env <const> = { "CNI_COMMAND=ADD", "CNI_CONTAINERID=c1", "CNI_IFNAME=eth0",
      "CNI_PATH=/none", "CNI_NETNS=" .. pod.path }
    local outcome <const> = assert(sys.spawn {
      argv = { "sh", "-c", ('"$0" >/dev/full'), file }, env = env, netns = pod.host_path,
      stdin = require("ecmp.json").encode(conf_of(adding "return { ips = {} }")),
      stderr = "capture", timeout = 20,
    })
    assert.equal(1, outcome.status)
    assert.matches("ENOSPC.*second;first;.*del;", outcome.stderr)
    assert.same({ "", "" }, left())
  end)

  it("says what could not be taken back, and goes on", function()
    local outcome <const> = run([[return { add = function(call)
      call:undo("one", function() io.stderr:write "one;" end)
      call:undo("two", function() return nil, "no" end)
      call:undo("three", function() error "broken" end)
      return nil, "later", 11
    end }]])
    assert.matches("^one;ecmp: undo three: .*broken\necmp: undo two: no\n$", outcome.stderr)
  end)

  it("takes back what a plugin changed that it runs, when that fails or it does itself", function()
    local function outer(ending, inner)
      return ([[local cni = require "ecmp.cni"
        local inner = { add = function(call)
          call:undo("inner", function() io.stderr:write "inner;" end)
          %s
        end }
        return { add = function(call)
          call:undo("outer", function() io.stderr:write "outer;" end)
          cni.invoke(inner, call, "ADD", "inner")
          io.stderr:write "went on;"
          %s
        end }]]):format(inner, ending)
    end
    assert.equal("inner;went on;", run(outer("return {}", "return nil, 'no', 7")).stderr)
    assert.equal("went on;inner;outer;", run(outer("return nil, 'no', 7", "return {}")).stderr)
    assert.equal("went on;", run(outer("return {}", "return {}")).stderr)
  end)

  it("opens the pod in other verbs, too, and says where it is gone", function()
    local text <const> = [[local function see(call)
      local nl, message, code = call:open()
      if not nl then io.stderr:write(message, " ", tostring(code)) return end
      io.stderr:write(nl.link:get { dev = "eth0" }.name)
    end
    return { del = see, check = see }]]
    assert.equal("eth0", run(text, "CHECK").stderr)
    assert.equal("eth0", run(text, "DEL").stderr)
    assert.matches("^CNI_NETNS: .*ENOENT.* 8$", run(text, "DEL", { CNI_NETNS = "/run/none" }).stderr)
    assert.equal("CNI_NETNS: not given 8", run(text, "DEL", { CNI_NETNS = "" }).stderr)
    assert.equal(8, run(text, "CHECK", { CNI_NETNS = "/run/none" }).json.code)
  end)

  it("raises at the author's line for wrong arguments", function()
    for body, message in pairs {
      ['call:open "hots"'] = "plugin.lua:2: call:open: 'pod' or 'host' is due here, not hots",
      ["call:undo(print)"] = "plugin.lua:2: call:undo: text and a function are due here",
      ["call:undo('x')"] = "plugin.lua:2: call:undo: text and a function are due here",
    } do
      local outcome <const> = run(("return { add = function(call)\n%s\nend }"):format(body))
      assert.equal(100, outcome.json.code)
      assert.truthy(outcome.json.msg:find(message, 1, true), outcome.json.msg)
    end
    local outcome <const> = run("return { check = function(call)\ncall:undo('x', print)\nend }", "CHECK")
    assert.matches("plugin.lua:2: call:undo: only an ADD takes things back", outcome.json.msg)
  end)
end)
