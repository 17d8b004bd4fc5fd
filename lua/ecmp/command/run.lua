---ecmp run: a Lua script with the library at hand.
--
-- The script gets its arguments as `...` and in `arg`, as from lua itself; `ecmp` is there without
-- `require`, and files beside the script can be required.
local M = { name = "run", summary = "run a Lua script with the library loaded", script = true }

function M.setup(parser)
  parser:argument("script", "the script; - reads standard input")
  parser:epilog("What follows SCRIPT belongs to it.")
end

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
  package.path = directory_of(args.script) .. "?.lua;" .. package.path
  rawset(_G, "ecmp", require "ecmp")
  chunk(table.unpack(args.rest))
  return 0
end

return M
