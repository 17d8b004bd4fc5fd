--- busted's terminal output; and, for build-aux/test.sh, in the file ECMP_COUNTS a line with the
--- numbers of what passed, failed and was skipped, then a line for each spec that was skipped.
return function(options)
  local busted <const> = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)

  local function reason(pending)
    local text <const> = type(pending.message) == "string" and pending.message or ""
    return text:match "^[^\n]*":gsub("^%S+:%d+: ", "")
  end

  busted.subscribe({ "exit" }, function()
    local out <close> = assert(io.open(os.getenv "ECMP_COUNTS", "w"))
    out:write(("%d %d %d\n"):format(handler.successesCount,
      handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    for _, pending in ipairs(handler.pendings) do
      out:write(("%s: %s\n"):format(pending.name, (reason(pending))))
    end
    return nil, true
  end)
  return handler
end
