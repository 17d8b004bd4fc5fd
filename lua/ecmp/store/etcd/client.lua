---Calls of etcd's KV service by gRPC: one endpoint after the other until one answers or the time is
---up.
--
-- What came of a call that got no answer is unknown: the server may have carried it out, or may do
-- so later. `call` tells it apart from a call that certainly was not carried out.
local kv = require "ecmp.store.etcd.kv"
local sys = require "ecmp.sys"

local M = {}

local Client <const> = {}
Client.__index = Client

-- Seconds: the least that one endpoint is given where there are others, and the pause after all
-- of them have refused.
local LEAST <const>, PAUSE <const> = 0.3, 0.1

-- gRPC status codes by which the server says that nothing was done: what they mean here, and that
-- another endpoint would say the same.
local definite <const> = {
  [3] = "EINVAL",  -- INVALID_ARGUMENT
  [5] = "ENOENT",  -- NOT_FOUND
  [7] = "EACCES",  -- PERMISSION_DENIED
  [8] = "ENOSPC",  -- RESOURCE_EXHAUSTED: the database has reached its quota
  [9] = "EPROTO",  -- FAILED_PRECONDITION
  [11] = "EINVAL", -- OUT_OF_RANGE
  [12] = "ENOSYS", -- UNIMPLEMENTED
  [16] = "EACCES", -- UNAUTHENTICATED
}

---@class ecmp.etcd.Endpoint
---@field name string as it was configured
---@field host string? with `port`; or:
---@field port string?
---@field path string? of a unix socket
---@field tls table? `{ ca?, cert?, key? }`

---@param transport table the module ecmp_pool
---@param endpoints ecmp.etcd.Endpoint[]
---@param first? integer which of them to ask first
---@return table client  `calls` counts requests that were sent; `answered`: one has been
function M.new(transport, endpoints, first)
  return setmetatable({
    transport = transport, endpoints = endpoints, at = first or 1, calls = 0,
  }, Client)
end

function Client:close()
  if self.connection then self.connection:close() end
  self.connection = nil
end

Client.__close = Client.close

-- The time that the endpoint whose turn it is may take.
function Client:slice(deadline)
  local left <const> = deadline - sys.monotonic()
  local count <const> = #self.endpoints
  return count == 1 and left or math.min(left, math.max(LEAST, left / (2 * count)))
end

function Client:connect(timeout)
  if self.connection and self.connection:usable() then return self.connection end
  self:close()
  local to <const> = self.endpoints[self.at]
  local connection <const>, message <const>, code <const> = self.transport.connect {
    host = to.host, port = to.port, path = to.path, tls = to.tls, timeout = timeout,
  }
  self.connection = connection
  return connection, message, code
end

local function unescape(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- A gRPC message is framed by a byte, 0 for "not compressed", and its length.
local function unframe(body)
  if #body < 5 or body:byte(1) ~= 0 then return nil end
  local size <const> = (">I4"):unpack(body, 2)
  return #body == 5 + size and body:sub(6) or nil
end

-- What an answer of the server says: the message in it, or a refusal.
local function judge(answer)
  local headers <const> = answer.headers
  local status <const> = math.tointeger(tonumber(headers["grpc-status"]))
  if status == 0 then
    local message <const> = unframe(answer.body)
    if message then return message end
    return nil, "the answer is no gRPC message", "EPROTO", "unsure"
  end
  if not status then
    return nil, ("HTTP status %s"):format(headers[":status"] or "missing"), "EPROTO", "unsure"
  end
  local text <const> = unescape(headers["grpc-message"] or "")
  return nil, ("%s (grpc-status %d)"):format(text, status), definite[status] or "EAGAIN",
    definite[status] and "refused" or "unsure"
end

-- One attempt at one endpoint.
---@return string? message, string? problem, string? code
---@return "unsent"|"unsure"|"refused"|nil fate of the request, where there is no message
function Client:attempt(operation, deadline)
  local timeout = self:slice(deadline)
  local began <const> = sys.monotonic()
  local connection <const>, message <const>, code <const> = self:connect(timeout)
  if not connection then return nil, message, code, "unsent" end
  timeout = timeout - (sys.monotonic() - began)
  if timeout <= 0 then return nil, "no answer in time", "ETIMEDOUT", "unsent" end
  local to <const> = self.endpoints[self.at]
  self.calls = self.calls + 1
  local answer <const>, problem <const>, why <const>, sent <const> = connection:request {
    path = "/etcdserverpb.KV/" .. operation.kind,
    authority = to.host and ("%s:%s"):format(to.host:find(":", 1, true) and "[" .. to.host .. "]"
      or to.host, to.port) or "localhost",
    headers = {
      { "content-type", "application/grpc" }, { "te", "trailers" },
      { "grpc-timeout", ("%dm"):format(math.max(1, timeout * 1000 // 1)) },
      -- a member that has no leader is to say so at once
      { "hasleader", "true" },
    },
    body = "\0" .. (">s4"):pack(operation.body), timeout = timeout,
  }
  if not answer then return nil, problem, why, sent and "unsure" or "unsent" end
  return judge(answer)
end

-- On to the next endpoint; after each of them had its turn there is a pause.
function Client:advance(state, deadline)
  self:close()
  self.at = self.at % #self.endpoints + 1
  state.tried = state.tried + 1
  if state.tried % #self.endpoints ~= 0 then return true end
  if state.passes and state.tried // #self.endpoints >= state.passes then return false end
  local left <const> = deadline - sys.monotonic()
  if left <= 0 then return false end
  sys.sleep(math.min(left, PAUSE))
  return true
end

-- The last error of each endpoint, for the message.
local function sum_up(state, endpoints)
  local parts <const> = {}
  for _, endpoint in ipairs(endpoints) do
    local problem <const> = state.errors[endpoint.name]
    if problem then parts[#parts + 1] = ("%s: %s"):format(endpoint.name, problem) end
  end
  return "etcd: " .. table.concat(parts, "; ")
end

---Calls one method of the KV service.
---@param build ecmp.etcd.Operation|fun(unsure: integer): ecmp.etcd.Operation the operation, or what
---makes it for each attempt, given how many attempts ended without an answer
---@param options { deadline: number, passes: integer?, on_unsure: fun()? } `deadline` by
---`sys.monotonic`; `passes`: how often each endpoint gets its turn, until the deadline when left
---out; `on_unsure` is called after each attempt that may have been, or may yet be, carried out
---@return ecmp.etcd.Answer? answer, string? message, string? code  EAGAIN and ETIMEDOUT: nobody
---answered; ENOSPC, EACCES, EINVAL and others: the server's refusal
function Client:call(build, options)
  local deadline <const> = options.deadline
  local state <const> = { tried = 0, passes = options.passes, errors = {} }
  local unsure, code = 0, nil
  while sys.monotonic() < deadline do
    local operation <const> = type(build) == "function" and build(unsure) or build
    local reply <const>, problem <const>, why <const>, fate <const> =
      self:attempt(operation, deadline)
    local answer <const> = reply and kv.read(operation.kind, reply)
    if answer then
      self.answered = true
      return answer
    end
    code = why or "EPROTO"
    local name <const> = self.endpoints[self.at].name
    -- that at last there was no time left says less than what was wrong before
    if code ~= "ETIMEDOUT" or not state.errors[name] then
      state.errors[name] = problem or "the answer is no message of etcd"
    end
    if fate == "refused" then return nil, sum_up(state, self.endpoints), code end
    if fate ~= "unsent" then
      unsure = unsure + 1
      if options.on_unsure then options.on_unsure() end
    end
    if not self:advance(state, deadline) then break end
  end
  if not next(state.errors) then return nil, "etcd: no time left to ask", "ETIMEDOUT" end
  return nil, sum_up(state, self.endpoints), code == "ETIMEDOUT" and code or "EAGAIN"
end

return M
