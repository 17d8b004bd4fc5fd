---Waits until a link is as it is to be: `nl.link:wait { dev = "eth0", up = true, timeout = 5 }`.

local filters = require "ecmp.nl.filter"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown
local sys = require "ecmp.sys"

rtnl.own()

-- What is asked for beside the name of the link and the time.
local function read(filter)
  if type(filter) ~= "table" then
    rtnl.throw(("link wait: table of fields expected, got %s"):format(type(filter)))
  end
  local timeout, wanted = filter.timeout, {}
  if type(filter.dev) ~= "string" then
    rtnl.throw("dev: missing; link wait names the link")
  elseif timeout ~= nil and (type(timeout) ~= "number" or timeout < 0) then
    rtnl.throw(("timeout: seconds expected, got %s"):format(shown(timeout)))
  end
  for key, value in pairs(filter) do
    if key ~= "timeout" then
      wanted[key] = value
    end
  end
  return wanted, timeout
end

local function seconds_left(deadline)
  return deadline and math.max(0, deadline - sys.monotonic())
end

---Waits for a link of which all these fields are so; it need not be there yet.
---@param nl ecmp.Handle
---@param filter table `dev`, fields as `nl.link:list` takes them (`up`, `master`, ...), `timeout`
---in seconds: for ever unless given
---@return ecmp.View|nil link
---@return string? message
---@return string? code # "ETIMEDOUT": the time is up
return function(nl, filter)
  local wanted, timeout = read(filter)
  local deadline = timeout and sys.monotonic() + timeout
  local monitor, message, code = nl:monitor({ "link" }, { existing = true })
  if not monitor then
    return nil, message, code
  end
  local name = wanted.dev
  wanted.dev = nil
  filters.given("link", wanted)
  repeat
    local event, why, symbol = monitor:next(seconds_left(deadline))
    local link = event and event.verb ~= "del" and event.value
    if link and link.name == name and filters.matches(link, wanted) then
      monitor:close()
      return link
    elseif not event and why and symbol ~= "EAGAIN" then
      monitor:close()
      return nil, why, symbol
    end
  until not event and deadline
  monitor:close()
  return nil, ("link wait %s: not so within %g seconds (ETIMEDOUT)"):format(name, timeout),
    "ETIMEDOUT"
end
