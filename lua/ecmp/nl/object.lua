---One kind of kernel object as a set of verbs: `nl.link:add { ... }`, `nl.addr:list()`.

local later = require "ecmp.later"
local filters = require "ecmp.nl.filter"
local flush = later "ecmp.nl.flush"
local lists = require "ecmp.nl.text"
local route_of = require "ecmp.fib.route"
local rtnl = require "ecmp.rtnl"
local shown = require("ecmp.errors").shown

rtnl.own()
rtnl.site(function(file) return require "ecmp.nl.names"(file) end)
rtnl.method("json", function(view, ...)
  if not rtnl.is_view(view) or select("#", ...) > 0 then
    rtnl.throw("json: called on a view, without arguments: view:json()")
  end
  return require "ecmp.nl.json".text(view)
end)

---@alias ecmp.Change fun(self: ecmp.Object, value: ecmp.Given): true|nil, string?, string?

---What all kinds have in common; lua/ecmp/meta/objects.lua has what each takes.
---@class ecmp.Object
---@field add ecmp.Change
---@field replace ecmp.Change
---@field append ecmp.Change
---@field prepend ecmp.Change
---@field change ecmp.Change
---@field set ecmp.Change
local methods = {}
local mt = { __name = "ecmp.Object", __index = methods }

local M = { methods = methods }

---Whether a value is a handle; that of the prompt, which notes down what changes, is one too.
---@param value any
---@return boolean
function M.is_handle(value)
  local of_value = getmetatable(value)
  return type(value) == "table" and type(of_value) == "table" and of_value.__name == "ecmp.Handle"
end

---Raises for an option nobody knows, at the caller's line.
---@param verb string
---@param options table|nil
---@param known table<string, true>
function M.check_options(verb, options, known)
  if options ~= nil and type(options) ~= "table" then
    rtnl.throw(("%s: table of options expected, got %s"):format(verb, type(options)))
  end
  for key in pairs(options or {}) do
    if not known[key] then
      local near = rtnl.nearest(known, tostring(key))
      rtnl.throw(("%s: unknown option of %s%s"):format(shown(key), verb,
        near and (" (did you mean '%s'?)"):format(near) or ""))
    end
  end
end

---@param nl table
---@param kind string
---@return ecmp.Object
function M.new(nl, kind)
  return setmetatable({ nl = nl, kind = kind }, mt)
end

-- The verbs that the kernel has, beside `list`, `each` and `flush`: of others it would make
-- something else.
local VERBS <const> = {
  route = "add, append, change, del, get, prepend, replace",
  nexthop = "add, change, del, get, replace", bucket = "get",
  link = "add, change, del, get, replace, set", addr = "add, change, del, get, replace",
  rule = "add, del", neigh = "add, change, del, get, replace", vlan = "add, del",
}

-- Verbs that are one request; others, as `add_nexthop`, are made of these.
local REQUESTS <const> = {
  add = true, append = true, change = true, del = true, get = true, prepend = true,
  replace = true, set = true,
}

---Raises for a verb that a kind of object does not have, and says which there are.
---@param kind string
---@param verb string
---@param path? string in front of the message
function M.check_verb(kind, verb, path)
  if VERBS[kind] and not (", " .. VERBS[kind] .. ","):find(", " .. verb .. ",", 1, true) then
    rtnl.throw(("%s%s %s: there is no such verb; there are %s"):format(path or "", kind, verb,
      VERBS[kind]))
  end
end

---Raises for arguments beyond those that a verb takes.
---@param kind string
---@param verb string
---@param count integer of arguments that it takes
---@param ... any those beyond
function M.check_rest(kind, verb, count, ...)
  if select("#", ...) > 0 and next { ... } then -- nil at the end is none
    rtnl.throw(("%s %s: %d argument%s expected, got %d"):format(kind, verb, count,
      count == 1 and "" or "s", count + select("#", ...)))
  end
end

-- Routes given as tables say where they lead: a field that is nil would be a default route.
---@param change? integer number of the change in a batch
local function check_dst(value, kind, verb, change)
  if kind == "route" and type(value) == "table" and value.dst == nil then
    rtnl.throw(('%sroute %s: %sdst: missing ("default" for all destinations)'):format(
      change and ("[%d]: "):format(change) or "",
      verb, verb == "del" and "nothing says which; " or ""))
  end
end

---Raises where a change of a batch has a verb that its kind of object does not have, or is a route
---that does not say where it leads, as verbs do.
---@param changes table[] as of `nl:batch`; what is no change is left to the encoder
function M.check_changes(changes)
  if getmetatable(changes) then return end -- one of ours, whose entries are made when they are sent
  -- changes of one kind mostly follow each other
  local words, kind, verb
  for i = 1, #changes do
    local entry <const> = changes[i]
    if type(entry) == "table" then
      if entry[1] ~= words then
        words, kind, verb = entry[1], nil, nil
        if type(words) == "string" then kind, verb = words:match "^%s*(%l+)%s+(%l+)%s*$" end
        if kind and REQUESTS[verb] then M.check_verb(kind, verb, ("[%d]: "):format(i)) end
      end
      if kind == "route" and entry[3] == nil then
        local value <const> = entry[2]
        if type(value) == "table" and value.dst == nil then check_dst(value, kind, verb, i) end
      end
    end
  end
end

---Reads the words typed after `ip OBJECT VERB`; of a route also its JSON.
---@param kind string
---@param text string
---@return table|nil value, string? message
function M.parse(kind, text)
  if kind == "route" then return route_of.of_text(text) end
  return rtnl.parse(kind, text)
end

-- Words are read where they are encoded; JSON is no words.
local function without_json(value, kind, verb)
  if type(value) ~= "string" or not value:find '^%s*%[?%s*{%s*"' then return value end
  if kind ~= "route" then
    rtnl.throw(("%s %s: JSON is read of routes alone"):format(kind, verb))
  end
  local read, message = M.parse(kind, value)
  return read or rtnl.throw(("%s %s: %s"):format(kind, verb, message))
end

---What a script gave, as something the encoder takes: a table, a view, or the words typed after `ip
---OBJECT VERB`; of a route also its JSON.
---@param value any
---@param kind string
---@param verb string
---@param ... any arguments beyond it, of which there must be none
function M.value(value, kind, verb, ...)
  if REQUESTS[verb] then M.check_verb(kind, verb) end
  M.check_rest(kind, verb, 1, ...)
  if type(value) ~= "table" and type(value) ~= "string" and not rtnl.is_view(value) then
    rtnl.throw(("%s %s: table or words expected, got %s"):format(kind, verb, type(value)))
  end
  value = without_json(value, kind, verb)
  check_dst(value, kind, verb)
  return value
end

---What a script gave, as a table.
---@param value ecmp.Given
---@param kind string
---@param verb string
---@return ecmp.Fields
function M.as_table(value, kind, verb, ...)
  value = M.value(value, kind, verb, ...)
  if rtnl.is_view(value) then
    return value:copy()
  elseif type(value) == "string" then
    local parsed, message = M.parse(kind, value)
    return parsed or rtnl.throw(("%s %s: %s"):format(kind, verb, message))
  end
  return value
end

for _, verb in ipairs { "add", "replace", "append", "prepend", "change", "set" } do
  methods[verb] = function(self, value, ...)
    return self.nl.socket:request(self.kind, verb, M.value(value, self.kind, verb, ...))
  end
end

-- What the kernel needs to find an object again; it refuses more (next-hop objects) or ignores it.
local named_by <const> = {
  nexthop = function(view) return { id = view.id } end,
  link = function(view) return { dev = view.name } end,
}

---Deletes an object: a view of it, or the fields that name it.
---@param value ecmp.Given
---@return true|nil
---@return string? message
---@return string? code
function methods:del(value, ...)
  M.check_rest(self.kind, "del", 1, ...)
  if rtnl.is_view(value) and named_by[self.kind] then
    value = named_by[self.kind](value)
  end
  return self.nl.socket:request(self.kind, "del", M.value(value, self.kind, "del"))
end

---Asks for one object.
---@param value ecmp.Given
---@return ecmp.View|nil
---@return string? message
---@return string? code
function methods:get(value, ...)
  return self.nl.socket:request(self.kind, "get", M.value(value, self.kind, "get", ...))
end

-- Absent tables and absent families hold nothing.
local empty <const> = { ENOENT = true, EAFNOSUPPORT = true, EOPNOTSUPP = true, EPFNOSUPPORT = true }

-- What the kernel tells of a filter, an iterator for each family, and the filter; all has been
-- read.
local function read(self, filter)
  local asked, why, symbol = filters.read(self.nl, self.kind, filter)
  if not asked then
    return nil, why, symbol
  end
  local dumps = {}
  for _, one in ipairs(asked.dumps) do
    local views, message, code = self.nl.socket:dump(self.kind, one.query, one.like)
    if views then
      dumps[#dumps + 1] = views
    elseif not empty[code] then
      return nil, message, code
    end
  end
  return dumps, asked
end

-- Iterates over the views of dumps that are as wanted.
local function wanted_of(dumps, wanted)
  if #dumps == 1 and next(wanted) == nil then
    return dumps[1]
  end
  local at = 1
  return function()
    while dumps[at] do
      for view in dumps[at] do
        if filters.matches(view, wanted) then
          return view
        end
      end
      at = at + 1
    end
  end
end

---Lists objects. The whole list is read before the first is handed out.
---@param filter? ecmp.Fields|string fields that must be equal; `dev` and `via` of routes look into
---their next hops; routes are those of the main table unless `table` says otherwise ("all" too),
---and of both families unless `family` does. A value is what `add` takes for that field, so that a
---number is no text, and one no object could have raises; words may be written as `ip` takes them,
---links be named by number, addresses of any length be named without one
---@return ecmp.View[]|nil list # prints as `ip OBJECT show` does
---@return string? message
---@return string? code
function methods:list(filter, ...)
  M.check_rest(self.kind, "list", 1, ...)
  local dumps, asked, code = read(self, filter)
  if not dumps then
    return nil, asked, code
  end
  local list, n = {}, 0
  for view in wanted_of(dumps, asked.wanted) do
    n = n + 1
    list[n] = view
  end
  return lists.of(list, self.nl, asked.given)
end

---Iterates over what `list` would return, and makes no list of it; a refusal of the kernel raises.
---@param filter? ecmp.Fields|string
---@return fun(): ecmp.View|nil
function methods:each(filter, ...)
  M.check_rest(self.kind, "each", 1, ...)
  local dumps, asked = read(self, filter)
  if not dumps then
    error(asked, 2)
  end
  return wanted_of(dumps, asked.wanted)
end

---How the objects of a list are deleted: a function that makes a request of a view, or nil where it
---has to be looked at by itself.
---@return (fun(view: ecmp.View): table|nil)|nil request
---@return string? message
---@return string? code
function methods:deletions()
  return named_by[self.kind] or function(view) return view end
end

---Deletes what `list` would return. As with `ip`, only next-hop objects and rules are all deleted
---where nothing is asked for, and of rules the one of priority 0 stays unless it is asked for.
---@param filter ecmp.Fields|string at least one field; all routes of a table are
---`{ table = "main" }`
---@return integer|nil count
---@return string? message
---@return string? code
function methods:flush(filter, ...)
  M.check_rest(self.kind, "flush", 1, ...)
  return flush(self, filter, self.nl)
end

return M
