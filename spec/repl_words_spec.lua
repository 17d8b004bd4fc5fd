-- What the prompt does with commands, with what is long, and with what is gone.
local cli <const> = require "spec.cli"
local helper <const> = require "spec.helper"
local sys <const> = require "ecmp.sys"

local function type_in(...)
  local result <const> = assert(sys.spawn {
    argv = { "sh", "-c", cli.program .. " repl" }, timeout = 60, stderr = "capture",
    stdin = table.concat({ ... }, "\n") .. "\n",
  })
  return result.stdout, result
end

describe("the prompt #netns", function()
  it("runs commands in the namespace that nl is of", function()
    assert.equal(table.concat({ "lo", "exit status 3", "nl is the handle of pod now", "eth1 lo ",
      "eth1 lo ", "true  exit  0", "eth1", "nl is the handle of scratch now", "lo ", "" }, "\n"),
      (type_in("ip -o link | cut -d: -f2 | tr -d ' '", "select(2, sh 'exit 3'):match 'exit.*'",
        "lab = ecmp.lab { gateways = 1 }", "use(lab.pod)",
        "sh [[ip -br link | sort | cut -d@ -f1 | cut -d' ' -f1 | tr '\\n' ' '; echo]]",
        "os.execute [[ip -br link | sort | cut -d@ -f1 | cut -d' ' -f1 | tr '\\n' ' '; echo]]",
        "ip -br link show dev eth1 | cut -d@ -f1", "use()",
        "sh [[ip -br link | cut -d' ' -f1 | tr '\\n' ' '; echo]]")))
  end)

  it("takes a line that begins with ip for Lua where it is", function()
    assert.equal("10.0.0.1\ntrue\n7\n", (type_in("ip.parse '10.0.0.1'", "ip ~= nil", "ip = 7",
      "ip")))
  end)

  it("says how a command ended, and what is wrong with a call", function()
    local said <const>, result <const> = type_in("sh 'exit 3'", "ip nonsense", "sh()",
      "os.execute 'kill -9 $$'")
    assert.equal("sh: exit status 3\nsh: exit status 1\nsh: a command expected, as text\n"
      .. "signal\n", said)
    assert.matches('Object "nonsense" is unknown', result.stderr)
    assert.equal(1, result.status)
  end)

  it("helps without brackets, and behind a question mark", function()
    local overview <const> = type_in "help()"
    assert.equal(overview, (type_in "help"))
    assert.equal(overview, (type_in "?"))
    assert.equal(type_in "help 'sh'", (type_in "? sh"))
    assert.equal(type_in "help 'sh'", (type_in "?sh"))
    assert.matches("^sh \"ip route", (type_in "? sh"))
  end)

  it("leaves a handle that is closed, and says so", function()
    assert.equal(table.concat({ "nl is the handle of pod now",
      "the handle is closed; nl is that of scratch again", "0", "" }, "\n"), (type_in(
      "lab = ecmp.lab { gateways = 1 }", "use(lab.pod)", "lab:close()",
      "#nl.link:list { dev = 'eth1' }")))
  end)

  it("prints handles, monitors, transactions and events as what they are", function()
    assert.equal(table.concat({ "ecmp handle on this namespace",
      "monitor of route, link on this namespace", "transaction on this namespace",
      "true", "transaction on this namespace, ended",
      "10.9.0.0/16 dev lo scope link", "10.9.0.0/16 dev lo scope link",
      "Deleted 10.9.0.0/16 dev lo scope link", "" }, "\n"), (type_in("other = ecmp.open()", "other",
      "m = other:monitor { 'route', 'link' }", "m", "tx = other:begin()", "tx", "tx:commit()", "tx",
      "m = other:monitor { 'route' }",
      "for _, verb in ipairs { 'add', 'del' } do assert(nl.route[verb](nl.route, '10.9.0.0/16 dev lo')) end",
      "e = m:next(5)", "e", "{ e, m:next(5) }")))
  end)

  it("prints 200 rows, and how many more there are", function()
    local function count(text) return select(2, text:gsub("\n", "")) end
    local batch <const> = "changes = {} for i = 1, 300 do changes[i] = { 'route add', "
      .. "('10.%d.%d.0/24 dev lo'):format(i >> 8, i & 255) } end nl:batch(changes) nil"
    for statement, rest in pairs {
      ["nl.route:list()"] = "... and 100 more", ["nl.route:list { table = 'main' }"] = "... and 100 more",
      ["rows = {} for i = 1, 250 do rows[i] = { a = i } end return rows"] = "... and 50 more",
      ["plan('10.77.0.0/16 dev lo')"] = "... and 101 more",
      ["e = {} for i = 1, 222 do e[i] = other end return e"] = "... and 22 more",
    } do
      local said <const> = type_in("other = ecmp.open()", batch:gsub(" nil$", ""), statement)
      local shown <const> = said:match "^{ true.-}\n(.*)$" or said
      assert.matches(rest:gsub("%.", "%%.") .. "\n$", shown, nil, statement)
      assert.is_true(count(shown) <= 202, statement)
    end
    assert.matches("199, 200, %.%.%. and 50 more }\n$",
      (type_in "t = {} for i = 1, 250 do t[i] = i end return t"))
    assert.matches("%.%.%. and 50 more\n$",
      (type_in "t = {} for i = 1, 250 do t['k' .. i] = i end return t"))
    assert.equal(1000, #type_in "('x'):rep(999)")
  end)

  it("ends with 1 where a statement that was piped in ended in an error", function()
    local function status(...) return select(2, type_in(...)).status end
    assert.equal(0, status "1 + 1")
    assert.equal(0, status "nl.route:del '10.9.0.0/16'")
    assert.equal(1, status("nope.x", "1 + 1"))
    assert.equal(1, status "x = = 1")
    assert.equal(1, status "for i = 1, 2 do")
  end)
end)

describe("a prompt's script", function()
  it("has commands and ? as the prompt does #netns", function()
    local dir <const> = helper.directory()
    assert(sys.create(dir .. "/s.lua", "ip -br link show lo | cut -d' ' -f1\n1 + 1\n"))
    assert.equal("lo\n2\n", assert(sys.spawn { argv = { "sh", "-c",
      ("%s repl --batch %s/s.lua"):format(cli.program, dir) }, timeout = 60 }).stdout)
    helper.remove(dir)
  end)
end)
