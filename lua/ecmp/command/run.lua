---ecmp run: a Lua script with the library at hand.
--
-- The script gets its arguments as `...` and in `arg`, as from lua itself; `ecmp` is there without
-- `require`, and files beside the script can be required.
-- A signal ends it as an error does: what is open is closed, a transaction taken back.
local interrupt = require "ecmp.repl.interrupt"
local sys = require "ecmp.sys"

local M = { name = "run", summary = "run a Lua script with the library loaded", script = true }

function M.setup(parser)
  parser:argument("script", "the script; - reads standard input")
  parser:epilog("What follows SCRIPT belongs to it.")
end

-- As shells count.
local BY_SIGNAL <const> = 128

local function directory_of(path)
  return path:match("^(.*/)[^/]*$") or "./"
end

---@param args table `{ script, rest }`
---@return integer? status, string? message
function M.run(args)
  local path <const> = args.script ~= "-" and args.script or nil
  local chunk <const>, message <const> = loadfile(path, "t")
  if not chunk then return nil, message end
  rawset(_G, "arg", table.move(args.rest, 1, #args.rest, 1, { [0] = args.script }))
  if path then package.path = directory_of(path) .. "?.lua;" .. package.path end
  rawset(_G, "ecmp", require "ecmp")
  interrupt.follow()
  local signal <const>, ran <const>, thrown <const> =
    sys.unwinding(chunk, table.unpack(args.rest))
  if signal == 0 then
    if not ran then error(thrown, 0) end
    return 0
  end
  io.stderr:write "ecmp: run: interrupted\n"
  return BY_SIGNAL + signal
end

return M
