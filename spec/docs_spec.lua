-- Every file, command, script and output in docs/, run in order.
local document = require "spec.document"
local helper = require "spec.helper"
local netns = require "ecmp.netns"
local sys = require "ecmp.sys"

-- Documents, and how many of their blocks are for the eye only: in README.md the picture, and the
-- errors that its own spec looks at. docs/rules.md has a spec of its own, docs/netconf.md another.
local DOCUMENTS <const> = {
  ["README.md"] = 2,
  ["docs/guide.md"] = 0, ["docs/plugins.md"] = 0, ["docs/luals.md"] = 0, ["docs/operations.md"] = 0,
  ["docs/migration.md"] = 0, ["docs/coming-from.md"] = 0,
}

local function try(path, for_the_eye, by_lua)
  describe(path .. (by_lua and " by lua5.4" or ""), function()
    local dir, space
    local steps <const>, others <const> = document.steps(path, by_lua)

    setup(function()
      dir = helper.directory()
      for _, step in ipairs(steps) do
        if step.is_file then step.run(dir) end
      end
    end)
    teardown(function()
      helper.remove(dir)
      if space then space:close() end
    end)

    for _, step in ipairs(steps) do
      local tag <const> = step.needs_netns and " #netns" or ""
      if not step.is_file then
        it(("is right in line %d, %s%s"):format(step.line, step.section, tag), function()
          -- What one document leaves is not in the way of another.
          if step.needs_netns then space = space or assert(netns.create()) end
          step.run(dir, space and netns.path(space))
        end)
      end
    end

    it("has no block that is not run", function()
      assert.equal(for_the_eye, others)
      assert.is_true(#steps > 0)
    end)
  end)
end

for path, for_the_eye in pairs(DOCUMENTS) do
  for _, by_lua in ipairs { false, true } do try(path, for_the_eye, by_lua) end
end

-- Sources in which messages are looked for, as one text.
local function sources()
  local texts <const> = {}
  local function gather(dir)
    for _, name in ipairs(assert(sys.list(dir))) do
      local path <const> = dir .. "/" .. name
      if sys.stat(path).type == "dir" then gather(path) end
      if name:find "%.[ch]$" or name:find "%.lua$" then
        -- A text that goes over two lines is one text.
        texts[#texts + 1] = assert(sys.read(path)):gsub('"%s*%.%.%s*"', "")
      end
    end
  end
  gather "lua"
  gather "csrc"
  return texts
end

local function in_some(texts, message)
  for _, text in ipairs(texts) do
    local all = true
    for part in (message .. "…"):gmatch "(.-)…" do
      all = all and text:find(part, 1, true) ~= nil
    end
    if all then return true end
  end
  return false
end

describe("docs/operations.md", function()
  it("quotes only messages that there are", function()
    local texts <const>, count = sources(), 0
    local section <const> = assert(sys.read "docs/operations.md"):match "\n## Messages\n(.-)\n## "
    for line in section:gmatch "[^\n]+" do
      local message <const> = line:match "^| `([^`]+)` |"
      if message then
        assert.is_true(in_some(texts, message), message)
        count = count + 1
      end
    end
    assert.is_true(count >= 30, tostring(count))
  end)

  it("explains every number that a plugin may answer with", function()
    local text <const> = assert(sys.read "docs/operations.md")
    for name, code in pairs(require("ecmp.cni.errors").codes) do
      assert.is_truthy(text:find(("\n| %d |"):format(code)), name)
    end
  end)
end)

describe("every document", function()
  local function all()
    local list <const> = { "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md" }
    for _, name in ipairs(assert(sys.list "docs")) do
      if name:find "%.md$" then list[#list + 1] = "docs/" .. name end
    end
    return list
  end

  it("links to files that are there", function()
    local count = 0
    for _, path in ipairs(all()) do
      local folder <const> = path:match "^(.*/)" or ""
      for target in assert(sys.read(path)):gmatch "%]%(([^)#]+)[^)]*%)" do
        if not target:find "^https?:" then
          assert.is_truthy(sys.stat(folder .. target), ("%s: %s"):format(path, target))
          count = count + 1
        end
      end
    end
    assert.is_true(count > 5)
  end)

  it("names files of the tree that are there", function()
    local count = 0
    for _, path in ipairs(all()) do
      for target in assert(sys.read(path)):gmatch "`([%w/_.-]+/[%w/_.-]*)`" do
        local top <const> = target:match "^([^/]+)/"
        local ours <const> = { docs = true, lua = true, csrc = true, spec = true, examples = true,
          deploy = true, debian = true, bench = true, fuzz = true, ["build-aux"] = true }
        if ours[top] and not target:find "%u%u%u" then
          assert.is_truthy(sys.stat((target:gsub("/$", ""))), ("%s: %s"):format(path, target))
          count = count + 1
        end
      end
    end
    assert.is_true(count > 20, tostring(count))
  end)

  it("names targets of make that there are", function()
    local makefile <const> = assert(sys.read "Makefile")
    for _, path in ipairs(all()) do
      local text <const> = assert(sys.read(path))
      for _, form in ipairs { "`make ([%w-]+)", "\n    make ([%w-]+)" } do
        for target, value in text:gmatch(form .. "(=?)") do
          local known <const> = makefile:find("\n" .. target:gsub("%-", "%%-")
            .. (value == "" and ":" or " :="))
          assert.is_truthy(known, ("%s: make %s"):format(path, target))
        end
      end
    end
  end)
end)
