-- The API reference: complete, and made without a warning.
local ecmp = require "ecmp"
local helper = require "spec.helper"
local sys = require "ecmp.sys"

local dir <const> = helper.directory()

local function run(script)
  return assert(sys.spawn { argv = { "sh", "-c", script, "sh", dir }, stderr = "capture",
    timeout = 60 })
end

-- The functions that the reference has, by module, with whether it is one that is promised.
local function read()
  local modules <const> = {}
  for _, file in ipairs(sys.list(dir)) do
    local text <const> = sys.read(dir .. "/" .. file)
    local kind <const>, name <const> = text:match "\n%-%- @(%a+) (ecmp[%w_.-]*)\n"
    if kind then
      modules[name] = { public = kind == "module", functions = {} }
      for fn in text:gmatch "%-%- @function ([^\n]+)" do modules[name].functions[fn] = true end
    end
  end
  return modules
end

describe("the API reference", function()
  local made, modules

  setup(function()
    made = run 'lua5.4 build-aux/reference.lua "$1"'
    modules = read()
  end)
  teardown(function() helper.remove(dir) end)

  it("has a comment for each function of the modules that are promised, with its parameters",
    function()
    assert.same({ 0, "" }, { made.status, made.stderr })
  end)

  -- What a name of the reference is in the running library: a function, or nothing that we know.
  local function value_of(module, name)
    local loaded <const> = require(module)
    if type(loaded) == "function" then return loaded end
    return loaded[name:match "[^.]+$"]
  end

  it("has each function that these modules have, wherever it is defined", function()
    local known <const>, count = {}, 0
    for name, module in pairs(modules) do
      if not name:find "^ecmp%.plugin" then
        for fn in pairs(module.functions) do
          local value <const> = not fn:find ":" and value_of(name, fn)
          if value then known[value] = true end
        end
      end
    end
    for name, module in pairs(modules) do
      local loaded <const> = module.public and require(name) or nil
      for key, value in pairs(type(loaded) == "table" and loaded or {}) do
        if type(value) == "function" then
          assert.is_true(known[value] or false, ("%s.%s"):format(name, key))
          count = count + 1
        end
      end
    end
    assert.is_true(count > 100, tostring(count))
  end)

  local function has_methods(module, class, methods)
    for name, value in pairs(methods) do
      if type(value) == "function" then
        local where <const> = ("%s:%s"):format(class, name)
        local field <const> = sys.read(dir .. "/" .. module):find("@tfield %S+ " .. name)
        local found = field ~= nil
        for _, of in pairs(modules) do found = found or of.functions[where] or false end
        -- what a route does as any object does
        found = found or class == "Route" and getmetatable(methods).__index[name] ~= nil
        assert.is_true(found, where)
      end
    end
  end

  it("has each method of a handle and of what it leads to", function()
    local function file(name)
      for _, path in ipairs(sys.list(dir)) do
        if path:find("-" .. name .. ".lua", 1, true) then return path end
      end
    end
    local nl <close> = assert(ecmp.open())
    for class, object in pairs { Handle = nl, Object = nl.link, Route = nl.route,
      Sysctl = nl.sysctl } do
      local module <const> = file("ecmp.nl" .. (class == "Handle" and "" or "." .. class:lower()))
      has_methods(module, class, getmetatable(object).__index)
    end
    local tx <close> = nl:begin()
    has_methods(file "ecmp.undo", "Transaction", getmetatable(tx).__index)
    has_methods(file "ecmp.ip", "Address", getmetatable(ecmp.ip.parse "::1").__index)
  end)

  it("is made by ldoc without a word", function()
    if run("command -v ldoc").status ~= 0 then pending "ldoc is not installed" end
    local done <const> = run 'ldoc -q --fatalwarnings -d "$1/html" "$1"'
    assert.same({ 0, "" }, { done.status, done.stderr })
    assert.matches("^reading configuration[^\n]*\n$", done.stdout)
    for name, module in pairs(modules) do
      local html <const> = assert(sys.read(("%s/html/%s/%s.html"):format(dir,
        module.public and "modules" or "parts", name)))
      for fn in pairs(module.functions) do
        assert.is_truthy(html:find(fn:match "[^.]+$", 1, true), name .. " " .. fn)
      end
    end
  end)
end)

describe("the types of comments", function()
  -- What LuaCATS comments declare, with the fields of classes; and where types of ours are named.
  local declared <const>, named <const> = {}, {}

  setup(function()
    for path in run "find lua -name '*.lua'".stdout:gmatch "[^\n]+" do
      local class
      for line in io.lines(path) do
        local tag <const>, rest <const> = line:match "^%-%-%-@(%a+) (.*)$"
        if tag == "class" or tag == "alias" then
          class = rest:match "^[%w_.]+"
          declared[class] = declared[class] or {}
        elseif tag == "field" and class then
          declared[class][rest:match "^[%w_]+"] = rest:match "^%S+ (.*)$"
        end
        for name in (tag and rest or ""):gmatch "ecmp%.%a+%a" do
          named[name:match "^ecmp%.%u" and rest:match(name .. "[%w_]*") or 1] = path
        end
      end
    end
  end)

  it("are declared somewhere", function()
    local missing <const> = {}
    named[1] = nil -- modules
    for name, path in pairs(named) do
      if not declared[name] then missing[#missing + 1] = path .. ": " .. name end
    end
    assert.same({}, missing)
  end)

  it("are those of one kind for each object of a handle, and of a transaction", function()
    local nl <close> = assert(ecmp.open())
    for name, value in pairs(nl) do
      if getmetatable(value) and (getmetatable(value).__name or ""):find "^ecmp%.[OR]" then
        local class <const> = name:gsub("^%l", string.upper)
        local fields <const> = declared["ecmp." .. class]
        assert.equal("ecmp." .. class, declared["ecmp.Handle"][name]:match "^%S+")
        assert.equal(name ~= "bucket" and "ecmp." .. class or nil, declared["ecmp.Transaction"][name])
        assert.matches(("ecmp.%sView[]|nil"):format(class), fields.list, 1, true)
        assert.matches(("ecmp.%sView|nil"):format(class), fields.each, 1, true)
        assert.matches(("ecmp.Given%s"):format(class), fields.add or fields.get, 1, true)
      end
    end
  end)
end)
