-- docs/api.md says what the comments of the sources say.
local sys <const> = require "ecmp.sys"

describe("docs/api.md", function()
  local page <const> = assert(sys.read "docs/api.md")

  it("is what the comments say; `make api` brings it up to date", function()
    local made <const> = assert(sys.spawn { stderr = "capture",
      argv = { "lua5.4", "build-aux/reference.lua", "--markdown" }, timeout = 60 })
    assert.same({ 0, "" }, { made.status, made.stderr })
    assert.is_true(page == made.stdout, "docs/api.md is out of date: make api")
  end)

  it("has the fields of what plugins and rules are given, each with a type", function()
    for _, class in ipairs { "Call", "State", "RuleContext", "Group", "Result" } do
      local part <const> = page:match("\n### ecmp%." .. class .. "\n(.-)\n##")
      assert.is_truthy(part, class)
      assert.is_true(select(2, part:gsub("\n| `", "")) >= 4, class)
    end
  end)

  it("has every public function of the modules it lists", function()
    local count = 0
    for name in page:gmatch "\n%- %[(ecmp[%w_.]*)%]" do
      local loaded <const>, module = pcall(require, name)
      local last <const> = name:match "[^.]+$"
      for key, value in pairs(loaded and type(module) == "table" and module or {}) do
        local is_alias <const> = name == "ecmp.rule" and key == "ecmp"
        if type(value) == "function" and not is_alias and (name == "ecmp.rule" or name == "ecmp.cni"
          or name == "ecmp.ip" or name == "ecmp.sys" or name == "ecmp.json") then
          assert.is_truthy(page:find(("### `%s.%s("):format(last, key), 1, true)
            or page:find(("### `%s("):format(key), 1, true), name .. "." .. key)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 80, tostring(count))
  end)
end)
