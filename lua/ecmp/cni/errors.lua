---CNI errors: the object that a plugin prints, and the numbers in it.
--
-- A refusal travels through our code as `nil, message, code`; `code` is a symbol ("ENETUNREACH"),
-- or, in `cni/`, in `flow/` and above, one of the numbers below. Here it becomes a number. An error
-- object may also be thrown, by `cni.refuse` and `cni.try`; it is a table of its own kind so that a
-- fault in a program is never taken for a refusal.
local M = {}

---The numbers of the specification, by the word this project uses for them.
M.codes = {
  unknown = 0,       -- only handed on: a delegate died without saying why
  incompatible = 1,  -- versions
  unsupported = 2,   -- a config field
  container = 3,     -- no such container
  environment = 4,   -- CNI_ variables, CNI_ARGS included
  io = 5,
  decode = 6,        -- text that is no JSON, a wrong type in a key of the protocol
  config = 7,        -- a mistake in the configuration
  netns = 8,         -- the pod's namespace is the plugin's own
  again = 11,        -- try again later
  unavailable = 50,  -- STATUS: no ADD can be served
  limited = 51,      -- STATUS: the same, and containers that exist suffer too
  script = 100,      -- a site's script is at fault
  internal = 999,
}

-- What symbols mean to a runtime. A later try may help where a lock was held too long or a table
-- was being changed; what can be no route, rule or setting is a mistake in the configuration.
local meaning <const> = {
  EAGAIN = M.codes.again, EWOULDBLOCK = M.codes.again, EBUSY = M.codes.again,
  ETIMEDOUT = M.codes.again, EINVAL = M.codes.config, ESCRIPT = M.codes.script,
}

local object <const> = { __name = "cni error" }
object.__index = object

function object:__tostring()
  local details <const> = self.details and (": %s"):format(self.details) or ""
  return ("%s%s (code %d)"):format(self.msg, details, self.code)
end

---The number for a code of either kind.
---@param code integer|string|nil
---@return integer
function M.code(code)
  if math.type(code) == "integer" then return code end
  return meaning[code] or M.codes.internal
end

---Makes an error object.
---@param code integer|string|nil a CNI number, or a symbol to be turned into one
---@param message string complete in itself
---@param details? string
---@return table object `{ code, msg, details, symbol, fault? }`, `symbol` being the code as it was
---given, `fault` whether the program is to blame
function M.new(code, message, details)
  return setmetatable({
    code = M.code(code), symbol = code, msg = tostring(message),
    details = details ~= nil and tostring(details) or nil,
  }, object)
end

---Whether a value is an error object, as opposed to whatever else may be thrown.
---@param value any
---@return boolean
function M.is(value)
  return getmetatable(value) == object
end

---The handler for `xpcall` around a verb: whatever was thrown becomes an error object; a fault of
---the program keeps its traceback.
---@param thrown any
---@return table object
function M.caught(thrown)
  if M.is(thrown) then return thrown end
  local fault <const> = M.new(M.codes.internal, "internal error: " .. tostring(thrown),
    debug.traceback("", 2))
  fault.fault = true
  return fault
end

---A function that returns a refusal which the given one throws, and throws anything else.
---@param f function
---@return function f returns nil, message, code, details for a refusal
function M.returning(f)
  local function results(called, value, ...)
    if called then return value, ... end
    if M.is(value) then return nil, value.msg, value.symbol or value.code, value.details end
    return error(value, 0)
  end
  return function(...) return results(pcall(f, ...)) end
end

---What is printed for an error object.
---@param err table
---@param version string the version of the configuration
---@return table document ready for `json.encode`
function M.document(err, version)
  local details <const> = err.details ~= "" and err.details or nil
  return { cniVersion = version, code = err.code, msg = err.msg, details = details }
end

return M
