-- Every script in docs/rules.md, run on the routes that stand below it.
local helper = require "spec.helper"
local rule_spec = require "ecmp.rule.spec"
local sys = require "ecmp.sys"

-- The pairs of blocks: a script, and the lines that say what it is given and what it makes.
local function cases()
  local list, section = {}, "?"
  local script
  for heading, kind, body in (assert(sys.read "docs/rules.md") .. "\n"):gsub("\n## ([^\n]+)",
    "\n```heading\n%1\n```"):gmatch "()```(%a+)\n(.-)```" do
    if kind == "heading" then section = body:gsub("\n", "") end
    if kind == "lua" then script = body end
    if kind == "text" then
      list[#list + 1] = { name = ("%s (%d)"):format(section, heading), script = script,
        lines = body }
      script = nil
    end
  end
  return list
end

local function expectation(lines)
  local one = { given = {}, made = {}, ctx = {}, notes = {} }
  for word, rest in lines:gmatch "(%a+) +([^\n]+)\n" do
    if word == "in" then table.insert(one.given, rest) end
    if word == "out" then table.insert(one.made, rest) end
    if word == "fails" then one.fails = rest end
    if word == "note" then table.insert(one.notes, rest) end
    for name, value in pairs(word == "ctx" and assert(load("return { " .. rest .. " }"))() or {}) do
      one.ctx[name] = value
    end
  end
  return one
end

describe("docs/rules.md", function()
  local directory, path
  setup(function()
    directory = helper.directory()
    path = directory .. "/mine.lua"
  end)
  teardown(function() helper.remove(directory) end)

  local all = cases()

  for _, case in ipairs(all) do
    it("is right about: " .. case.name, function()
      local expected = expectation(case.lines)
      assert(sys.replace(path, case.script, tonumber("644", 8)))
      local notes = {}
      local made, message = rule_spec.rule(path)(expected.given, expected.ctx, notes)
      if expected.fails then
        assert.is_nil(made)
        assert.equal(expected.fails, message:sub(-#expected.fails))
      else
        assert.same(expected.made, made, message)
        assert.same(expected.notes, notes)
      end
    end)
  end

  it("has no script that is not run", function()
    local _, scripts = sys.read("docs/rules.md"):gsub("\n```lua\n", "")
    assert.equal(scripts, #all)
    assert.is_true(#all >= 11)
  end)
end)
