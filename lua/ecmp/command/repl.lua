---ecmp repl: a prompt with the library at hand, by default in a scratch namespace.
local M = { name = "repl", summary = "a prompt to try routes at, in a scratch namespace" }

function M.setup(parser)
  parser:argument("script", "run this first, statement by statement"):args("?")
  parser:option("--netns", "work in a namespace: a name, a path or a pid"):argname("N")
  parser:flag("--host", "work in this namespace, for real")
  parser:flag("--batch", "end after SCRIPT")
  parser:flag("--echo", "print the statements that are run, too")
  parser:epilog("Without --netns and --host it works in a scratch namespace, which ends with it.")
end

local function run(args, label)
  local session <close>, message = require("ecmp.repl").new { label = label, echo = args.echo }
  if not session then return nil, message end
  -- a fresh namespace has nothing but lo, and that is down
  if label == "scratch" then session.nl.link:set { dev = "lo", up = true } end
  if args.script then
    local _, why <const> = session:source(args.script)
    if why then
      if args.batch then return nil, why end
      session:fail(why)
    end
  end
  return (args.batch or session:interact()) and 0 or 1
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  if args.host and args.netns then
    io.stderr:write "ecmp: repl: --host and --netns exclude each other (see ecmp repl --help)\n"
    return 2
  end
  if args.batch and not args.script then
    io.stderr:write "ecmp: repl: --batch needs a SCRIPT (see ecmp repl --help)\n"
    return 2
  end
  local label <const>, message <const> = require("ecmp.repl.namespace").enter(args)
  if not label then return nil, message end
  return run(args, label)
end

return M
