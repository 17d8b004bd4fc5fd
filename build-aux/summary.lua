--- busted's terminal output; and, for build-aux/test.sh, in the file ECMP_COUNTS a line with the
--- numbers of what passed, failed and was skipped and the path of the file, then a line for each
--- spec: what became of it, its name and why it was skipped, between tabs.
return function(options)
  local busted <const> = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)

  local function reason(pending)
    local text <const> = type(pending.message) == "string" and pending.message or ""
    return (text:match "^[^\n]*":gsub("^%S+:%d+: ", ""))
  end

  local function write(out, what, specs)
    for _, spec in ipairs(specs) do
      local why <const> = what == "skipped" and "\t" .. reason(spec) or ""
      out:write(what, "\t", (spec.name:gsub("%c", " ")), why, "\n")
    end
  end

  busted.subscribe({ "exit" }, function()
    local out <close> = assert(io.open(os.getenv "ECMP_COUNTS", "w"))
    out:write(("%d %d %d %s\n"):format(handler.successesCount,
      handler.failuresCount + handler.errorsCount, handler.pendingsCount, os.getenv "ECMP_FILE"))
    write(out, "passed", handler.successes)
    write(out, "failed", handler.failures)
    write(out, "failed", handler.errors)
    write(out, "skipped", handler.pendings)
    return nil, true
  end)
  return handler
end
