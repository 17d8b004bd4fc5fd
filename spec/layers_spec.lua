-- Who may use whom: folders are layers, and nothing reaches upwards.
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local function lines_of(command)
  local done <const> = assert(sys.spawn { argv = { "sh", "-c", command } })
  assert(done.status == 0, command)
  local lines <const> = {}
  for line in done.stdout:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return lines
end

local function above(lower, ...)
  local all <const> = { table.unpack(lower) }
  for _, folder in ipairs { ... } do all[#all + 1] = folder end
  return all
end

-- The first way that leads back to where it began; edges say by what one uses another.
local function cycle_in(edges)
  local state <const>, trail <const> = {}, {}
  local function visit(name)
    state[name] = "open"
    trail[#trail + 1] = name
    for other, symbol in pairs(edges[name]) do
      if state[other] == "open" then
        return ("%s uses %s of %s, which leads back: %s"):format(name, symbol, other,
          table.concat(trail, " > "))
      end
      local found <const> = not state[other] and visit(other)
      if found then return found end
    end
    state[name] = "done"
    trail[#trail] = nil
  end
  for name in pairs(edges) do
    local found <const> = not state[name] and visit(name)
    if found then return found end
  end
end

describe("csrc/", function()
  -- Each folder, and the folders that it may use beside itself.
  local SCHEMA <const> = { "common" }
  local BASE <const> = above(SCHEMA, "rtnl/schema")
  local NETLINK <const> = above(BASE, "rtnl/base")
  local CODEC <const> = above(NETLINK, "rtnl/netlink")
  local TEXT <const> = above(CODEC, "rtnl/codec")
  local VIEW <const> = above(TEXT, "rtnl/text")
  local ROUTE <const> = above(VIEW, "rtnl/view")
  local BULK <const> = above(ROUTE, "rtnl/route", "rtnl/request")
  local LAYERS <const> = {
    common = {}, sys = { "common" }, ip = { "common" }, sandbox = { "common" },
    pool = { "common" }, ["rtnl/schema"] = SCHEMA, ["rtnl/base"] = BASE, ["rtnl/netlink"] = NETLINK,
    ["rtnl/codec"] = CODEC, ["rtnl/text"] = TEXT, ["rtnl/view"] = VIEW, ["rtnl/route"] = ROUTE,
    ["rtnl/request"] = ROUTE, ["rtnl/bulk"] = BULK, rtnl = above(BULK, "rtnl/bulk"),
    exe = { "common", "rtnl", "sys", "ip", "sandbox", "pool" },
  }

  local function folder_of(path) return (path:gsub("^csrc/", ""):gsub("/?[^/]*$", "")) end

  local function may_use(from, to)
    if from == to then return true end
    for _, folder in ipairs(LAYERS[from]) do
      if folder == to then return true end
    end
    return false
  end

  local files <const> = lines_of "find csrc -name '*.[ch]' | LC_ALL=C sort"

  it("has a known layer for every file, few files in a folder, none at its top", function()
    local count <const> = {}
    for _, path in ipairs(files) do
      local folder <const> = folder_of(path)
      assert(folder == "" or LAYERS[folder], path .. ": no layer is named after its folder")
      count[folder] = (count[folder] or 0) + 1
    end
    assert.is_true((count[""] or 0) <= 6)
    for folder, n in pairs(count) do
      assert(n <= 24, ("csrc/%s holds %d files, more than two dozen"):format(folder, n))
    end
  end)

  it("includes downwards only", function()
    local upwards <const> = {}
    for _, path in ipairs(files) do
      for line in io.lines(path) do
        local included <const> = line:match '^#%s*include "([^"]+)"'
        if included then
          assert(sys.stat("csrc/" .. included), path .. " includes what is not there: " .. included)
          if not may_use(folder_of(path), folder_of(included)) then
            upwards[#upwards + 1] = path .. " includes " .. included
          end
        end
      end
    end
    assert.same({}, upwards)
  end)

  it("hides from host programs what each file defines", function()
    local shown <const> = {}
    for _, path in ipairs(files) do
      local last
      for line in io.lines(path) do last = line:match '^#include "([^"]+)"' or last end
      if path:find "%.c$" and last ~= "common/export.h" then shown[#shown + 1] = path end
    end
    assert.same({}, shown, "these do not include common/export.h behind all other headers")
  end)

  -- What the linker sees: objects by path without csrc/ and .c, what each defines, what each needs.
  local function symbols()
    local objects <const>, by_path <const>, paths <const> = {}, {}, {}
    for _, path in ipairs(files) do
      local name <const> = path:match "^csrc/(.*)%.c$"
      local object <const> = name and ("%s/obj/%s.o"):format(helper.build, name)
      if object and sys.stat(object) then
        by_path[object] = { name = name, defined = {}, needed = {} }
        objects[#objects + 1], paths[#paths + 1] = by_path[object], object
      end
    end
    if not paths[1] then return objects end
    for _, line in ipairs(lines_of("nm -A -P " .. table.concat(paths, " "))) do
      local object <const>, symbol <const>, kind <const> = line:match "^(.-): (%S+) (%a)"
      local list <const> = kind == "U" and "needed" or kind:match "[TDRB]" and "defined"
      if list then table.insert(by_path[object][list], symbol) end
    end
    return objects
  end

  -- These define what is a library's function everywhere but in the executable.
  local STAND_INS <const> = { ["exe/libmnl_subset"] = true, ["exe/libm"] = true, ["exe/dl"] = true,
    ["exe/getaddrinfo"] = true }

  -- Edges from object to object, with one symbol that makes each.
  local function uses(objects)
    local owner <const>, edges <const> = {}, {}
    for _, one in ipairs(objects) do
      for _, symbol in ipairs(STAND_INS[one.name] and {} or one.defined) do
        owner[symbol] = one.name
      end
    end
    for _, one in ipairs(objects) do
      edges[one.name] = {}
      for _, symbol in ipairs(one.needed) do
        local other <const> = owner[symbol]
        if other and other ~= one.name then edges[one.name][other] = symbol end
      end
    end
    return edges
  end

  local has_nm <const> = sys.spawn({ argv = { "sh", "-c", "command -v nm" } }).status == 0
  local objects <const> = has_nm and symbols() or {}
  local function linked(name, test)
    it(name, #objects > 0 and test or function()
      pending(has_nm and "there are no object files in " .. helper.build or "nm is not installed")
    end)
  end

  linked("calls downwards only", function()
    local upwards <const> = {}
    for name, others in pairs(uses(objects)) do
      for other, symbol in pairs(others) do
        if not may_use(folder_of(name), folder_of(other)) then
          upwards[#upwards + 1] = ("%s uses %s of %s"):format(name, symbol, other)
        end
      end
    end
    assert.same({}, upwards)
  end)

  linked("has no cycle among its object files", function()
    local edges <const> = uses(objects)
    assert(next(edges["rtnl/module"]), "nothing was read from the object files")
    assert.is_nil(cycle_in(edges))
    edges["rtnl/schema/route"]["rtnl/module"] = "none"
    assert.matches("which leads back", cycle_in(edges))
  end)
end)

describe("lua/ecmp/", function()
  -- Each folder or file at the top, and those that it may require beside itself.
  local LOW <const> = { "csrc", "version", "json", "errors", "undo", "log", "later" }
  local ROUTES <const> = above(LOW, "fib", "group", "plan", "rule")
  local FLOW <const> = above(ROUTES, "nl", "sandbox", "cni", "health")
  local PROMPT <const> = above(ROUTES, "nl", "netns")
  local LAYERS <const> = {
    version = {}, later = {}, json = { "csrc" }, errors = LOW, undo = LOW, log = LOW,
    fib = LOW, group = ROUTES, rule = ROUTES, netns = LOW,
    -- nl/execution.lua carries plans out, and transactions take changes back by plans: a layer of
    -- two, among whose modules there is no loop either
    plan = above(ROUTES, "nl"), nl = above(LOW, "fib", "plan"),
    sandbox = ROUTES, ["rule.spec"] = above(ROUTES, "sandbox"),
    ["cni.spec"] = above(LOW, "nl", "netns", "cni", "command"),
    -- the call of a verb opens handles
    cni = above(LOW, "nl"), store = LOW, netfilter = LOW,
    flow = FLOW, plugin = above(FLOW, "flow", "netfilter", "store"),
    health = above(LOW, "nl", "fib", "sandbox"),
    lab = PROMPT, repl = above(PROMPT, "lab", "init"),
  }
  -- May require everything: the commands, and the public face.
  local TOP <const> = { command = true, init = true }
  -- A public name of a higher layer than its folder.
  local OWN_LAYER <const> = { ["ecmp.rule.spec"] = "rule.spec", ["ecmp.cni.spec"] = "cni.spec" }

  -- What is required by a name that is put together.
  local function all(folder, names)
    local list <const> = {}
    for _, name in ipairs(names) do list[#list + 1] = folder .. name end
    return list
  end
  local function types()
    local names <const> = {}
    for _, row in ipairs(require("ecmp.command.programs").types()) do
      names[#names + 1] = row.type ~= "route-override" and row.type or nil
    end
    return names
  end
  local PREFIXES <const> = {
    ["ecmp.command."] = all("ecmp.command.", require("ecmp.command").names),
    ["ecmp.flow."] = all("ecmp.flow.", require("ecmp.flow").stages),
    ["ecmp.plugin."] = all("ecmp.plugin.", types()),
    ["ecmp.netfilter."] = all("ecmp.netfilter.", { "nftables", "iptables" }),
  }

  local function name_of(path)
    return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
  end

  local function layer_of(path)
    return OWN_LAYER[name_of(path)] or path:match "^lua/ecmp/([^/]+)/"
      or path:match "^lua/ecmp/([^/]+)%.lua$"
  end

  local files <const>, layers <const> = {}, {}
  for _, path in ipairs(lines_of "find lua/ecmp -name '*.lua' ! -path '*/meta/*'") do
    files[name_of(path)], layers[name_of(path)] = path, layer_of(path)
  end
  for name in pairs(package.loaded) do
    local is_c <const> = not files[name] and name:find "^ecmp%." and package.searchpath(name,
      package.cpath)
    if is_c then layers[name] = "csrc" end
  end
  for _, path in ipairs(lines_of("find " .. helper.build .. "/lua -name '*.so'")) do
    layers[path:match "lua/5%.4/(.*)%.so$":gsub("/", ".")] = "csrc"
  end

  -- The modules that a line of code names, by themselves or by a prefix.
  local function named(line, path)
    local found <const> = {}
    if line:find "^%s*%-%-" then return found end
    for name in line:gmatch "[\"'](ecmp%.[%w._-]*)[\"']" do
      if name:find "%.$" then
        assert(PREFIXES[name], path .. " requires what begins with " .. name)
        table.move(PREFIXES[name], 1, #PREFIXES[name], #found + 1, found)
      elseif layers[name] then
        found[#found + 1] = name
      end
    end
    if line:find "require%s*%(?[\"']ecmp[\"']" then found[#found + 1] = "ecmp" end
    return found
  end

  -- Edges from module to module, with the line that makes each.
  local function requires()
    local edges <const> = {}
    for name, path in pairs(files) do
      edges[name] = {}
      local number = 0
      for line in io.lines(path) do
        number = number + 1
        for _, other in ipairs(named(line, path)) do
          if other ~= name and files[other] then
            edges[name][other] = ("line %d"):format(number)
          end
          edges[name][other] = edges[name][other] or layers[other] == "csrc" and "C" or nil
        end
      end
    end
    return edges
  end

  local function may_require(name, other)
    local from <const>, to <const> = layers[name], layers[other]
    if from == to or TOP[from] then return true end
    for _, layer in ipairs(LAYERS[from]) do
      if layer == to then return true end
    end
    return false
  end

  it("has a known layer for every file, and few files at its top", function()
    local count = 0
    for name, path in pairs(files) do
      assert(LAYERS[layers[name]] or TOP[layers[name]], path .. ": no layer is named so")
      if path:find "^lua/ecmp/[^/]+$" then count = count + 1 end
    end
    assert.is_true(count <= 14, count)
  end)

  it("requires downwards only", function()
    local upwards <const> = {}
    for name, others in pairs(requires()) do
      for other, where in pairs(others) do
        if not may_require(name, other) then
          upwards[#upwards + 1] = ("%s, %s: requires %s"):format(files[name], where, other)
        end
      end
    end
    table.sort(upwards)
    assert.same({}, upwards)
  end)

  it("has no cycle among its modules", function()
    local edges <const> = requires()
    for _, others in pairs(edges) do
      for other in pairs(others) do
        if not files[other] then others[other] = nil end
      end
    end
    assert.equal("line", edges["ecmp.nl"]["ecmp.nl.route"]:match "%a+")
    assert.is_nil(cycle_in(edges))
    edges["ecmp.fib.route"]["ecmp.command.main"] = "none"
    assert.matches("which leads back", cycle_in(edges))
  end)
end)
