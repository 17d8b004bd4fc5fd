---Where the prompt works: in a namespace of its own unless told otherwise.

local sys = require "ecmp.sys"

local M = {}

---Moves this process to where it is to work. Everything that is typed later is confined to that,
---programs it starts too; a scratch namespace ends with the last process in it.
---@param options { netns: string?, host: boolean? }
---@return string|nil label # what the prompt calls the place
---@return string? message
---@return string? code
function M.enter(options)
  if options.host then return "host" end
  if options.netns then
    local ok, message, code = sys.enter_network(options.netns)
    if not ok then return nil, message, code end
    return (options.netns:match "([^/]+)/*$")
  end
  local ok, message, code = sys.leave_network()
  if not ok then
    return nil, message .. "; --host works in this namespace, --netns N in another", code
  end
  return "scratch"
end

return M
