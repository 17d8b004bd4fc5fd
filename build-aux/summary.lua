--- busted's terminal output, and the counts in the file ECMP_COUNTS for build-aux/test.sh.
return function(options)
  local busted <const> = require "busted"
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  busted.subscribe({ "exit" }, function()
    local out <close> = assert(io.open(os.getenv "ECMP_COUNTS", "w"))
    out:write(("%d %d %d\n"):format(handler.successesCount,
      handler.failuresCount + handler.errorsCount, handler.pendingsCount))
    return nil, true
  end)
  return handler
end
