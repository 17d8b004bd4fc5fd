local cli = require "spec.cli"
local sys = require "ecmp.sys"

local SCRIPTS <const>, TRANSCRIPTS <const> = "examples/experiments", "docs/experiments"

-- What differs from run to run and from machine to machine: how flows are hashed, times.
local function normalize(text)
  return (text:gsub("[█▏▎▍▌▋▊▉]+", ""):gsub(" +%d+ +%d+%.%d%% *", " N")
    :gsub("(%d+ sent), %d+ delivered", "%1, N delivered"):gsub("(that moved:)%s+%d+", "%1 N")
    :gsub("%d+ routes in [%d.]+ s", "N routes in T"):gsub("%d+ look%-ups a second", "N look-ups")
    :gsub("listed in [%d.]+ s", "listed in T"):gsub("[ \t]+\n", "\n"):gsub("fe80::[%x:]+",
      "fe80::X"))
end

-- The session of a transcript: what stands between the fences, and the prose.
local function lines_of(page)
  return normalize(page:gsub("^# ([^\n]*)\n\n`[^\n]*`\n\n!%b[]%b()\n", "%1\n"):gsub("```", "")
    :gsub("\n%s*\n+", "\n"))
end

local function plain(said)
  return normalize(("\n" .. said):gsub("\n%-%- ?", "\n"):gsub("\n%s*\n+", "\n"):sub(2))
end

describe("experiment #netns", function()
  for _, file in ipairs(assert(sys.list(SCRIPTS))) do
    local name <const> = file:match "^(.*)%.lua$"
    if name then
      it(name .. " shows what it says, and its transcript what it shows", function()
        local run <const> = assert(sys.spawn {
          argv = { "sh", "-c",
            ("ECMP_ROUTES=20000 %s repl --batch --echo %s/%s.lua"):format(cli.program,
            SCRIPTS, name) }, timeout = 120, stderr = "capture",
        })
        if run.stdout:find "encapsulation type not supported" then
          pending "this kernel has no seg6"
          return
        end
        assert.equal(0, run.status, run.stdout .. run.stderr)
        assert.equal(lines_of(assert(sys.read(("%s/%s.md"):format(TRANSCRIPTS, name)))),
          plain(run.stdout))
      end)
    end
  end

  it("has a transcript and a picture for each script, listed", function()
    local index <const> = assert(sys.read(TRANSCRIPTS .. "/README.md"))
    local count = 0
    for _, file in ipairs(assert(sys.list(SCRIPTS))) do
      count = count + 1
      local name <const> = file:match "^(.*)%.lua$"
      assert.truthy(index:find(("(%s.md)"):format(name), 1, true))
      assert.truthy(index:find(("(%s.svg)"):format(name), 1, true))
      local page <const> = assert(sys.read(("%s/%s.md"):format(TRANSCRIPTS, name)))
      local picture <const> = assert(sys.read(("%s/%s.svg"):format(TRANSCRIPTS, name)))
      assert.truthy(page:find(("(%s.svg)"):format(name), 1, true))
      assert.truthy(picture:find "^<svg " and picture:find "</svg>\n$")
      local hops <const> = select(2, picture:gsub('class="share"', ""))
      assert.is_true(hops >= 1, name .. ": its picture shows no share")
      assert.truthy(picture:find("prefers-color-scheme: dark", 1, true))
    end
    assert.equal(10, count)
  end)
end)
