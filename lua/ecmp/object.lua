-- One kind of kernel object as a set of verbs: `nl.link:add { ... }`, `nl.addr:list()`.

local rtnl = require "ecmp.rtnl"

rtnl.own()
rtnl.site(function(file) return require "ecmp.site"(file) end)

---@alias ecmp.Given ecmp.Fields|ecmp.View|string
---@alias ecmp.Change fun(self: ecmp.Object, value: ecmp.Given): true|nil, string?, string?

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
      rtnl.throw(("%s: unknown option of %s"):format(tostring(key), verb))
    end
  end
end

---@param nl table
---@param kind string
---@return ecmp.Object
function M.new(nl, kind)
  return setmetatable({ nl = nl, kind = kind }, mt)
end

-- Verbs that the kernel does not have.
local lacking <const> = {
  vlan = { replace = true, append = true, prepend = true, change = true, set = true, get = true },
}

-- What a script gave, as something the encoder takes: a table, a view, or the words typed after `ip
-- OBJECT VERB`.
function M.value(value, kind, verb)
  if lacking[kind] and lacking[kind][verb] then
    rtnl.throw(("%s %s: there is no such verb"):format(kind, verb))
  end
  if type(value) ~= "table" and type(value) ~= "string" and not rtnl.is_view(value) then
    rtnl.throw(("%s %s: table or words expected, got %s"):format(kind, verb, type(value)))
  end
  return value
end

for _, verb in ipairs { "add", "replace", "append", "prepend", "change", "set" } do
  methods[verb] = function(self, value)
    return self.nl.socket:request(self.kind, verb, M.value(value, self.kind, verb))
  end
end

-- What the kernel needs to find an object again; it refuses more (next-hop objects) or ignores it.
local named_by <const> = {
  nexthop = function(view) return { id = view.id } end,
  link = function(view) return { dev = view.name } end,
}

---Deletes an object: a view of it, or the fields that name it.
---@param value table|string
---@return true|nil
---@return string? message
---@return string? code
function methods:del(value)
  if rtnl.is_view(value) and named_by[self.kind] then
    value = named_by[self.kind](value)
  end
  return self.nl.socket:request(self.kind, "del", M.value(value, self.kind, "del"))
end

---Asks for one object.
---@param value table|string
---@return table|nil view
---@return string? message
---@return string? code
function methods:get(value)
  return self.nl.socket:request(self.kind, "get", M.value(value, self.kind, "get"))
end

-- Lists ------------------------------------------------------------------------------------------

-- Tables that several routes of a list are in have to be named in its text.
local function several_tables(list)
  for i = 2, #list do
    if list[i]:object() == "route" and list[i].table ~= list[1].table then
      return true
    end
  end
  return false
end

local list_mt = { __name = "ecmp.List" }

-- The handle and filter a list of addresses or routes came from: its text names the links the
-- addresses are on, and in detail the next-hop objects the routes refer to.
local origins = setmetatable({}, { __mode = "k" })

local families <const> = {
  [4] = { 4 }, [6] = { 6 }, ["4"] = { 4 }, ["6"] = { 6 }, inet = { 4 }, inet6 = { 6 },
}

-- Links below which one is not up are marked M-DOWN: which they are, the other links of the list
-- tell.
local function lower_down(link, by_name)
  local lower = link.type ~= "vxlan" and link.link and not link.link_netnsid and by_name[link.link]
  return lower and not lower.up
end

local function named(links)
  local by_name = {}
  for _, link in ipairs(links) do
    by_name[link.name] = link
  end
  return by_name
end

local function link_lines(list, how)
  local lines, by_name = {}, named(list)
  for i, link in ipairs(list) do
    how.lower_down = lower_down(link, by_name)
    lines[i] = link:text(how)
  end
  return lines
end

-- What a handle lists, where it is still open.
local function listed(nl, kind)
  return nl and pcall(nl.fd, nl) and nl[kind]:list() or {}
end

-- Addresses stand below the link they are on, which is asked for when the text is: a closed handle
-- leaves the links out.
local function addr_lines(list, how)
  local nl, filter = table.unpack(origins[list] or { nil, {} })
  local links = listed(nl, "link")
  local family = filter.family and families[filter.family][1]
  local lines, by_dev, by_name = {}, {}, named(links)
  for _, addr in ipairs(list) do
    by_dev[addr.dev] = by_dev[addr.dev] or {}
    table.insert(by_dev[addr.dev], addr:text(how))
  end
  for _, link in ipairs(links) do
    if by_dev[link.name] or next(filter) == nil then
      lines[#lines + 1] = link:text {
        brief = true, ipv4 = family == 4, ipv6 = family == 6, details = how.details,
        lower_down = lower_down(link, by_name),
      }
      table.move(by_dev[link.name] or {}, 1, #(by_dev[link.name] or {}), #lines + 1, lines)
      by_dev[link.name] = nil
    end
  end
  for _, addr in ipairs(list) do -- without links, or on one that has gone since
    table.move(by_dev[addr.dev] or {}, 1, #(by_dev[addr.dev] or {}), #lines + 1, lines)
    by_dev[addr.dev] = nil
  end
  return lines
end

-- In detail, the object a route refers to is told below it.
local function route_lines(list, how)
  local lines, objects = {}, nil
  for i, view in ipairs(list) do
    local nhid = how.details and view.nhid
    if nhid and not objects then
      objects = {}
      for _, nexthop in ipairs(listed((origins[list] or {})[1], "nexthop")) do
        objects[nexthop.id] = nexthop:text { details = true }
      end
    end
    how.nexthop = nhid and objects[nhid]
    lines[i] = view:text(how)
  end
  return lines
end

local function plain_lines(list, how)
  local lines = {}
  for i, view in ipairs(list) do
    lines[i] = view:text(how)
  end
  return lines
end

local printers <const> = { route = route_lines, link = link_lines, addr = addr_lines }

---The text of a list: what `ip OBJECT show` prints, line for line.
---@param list table[] views
---@param options? { details: boolean, table: boolean } as `ip -d`; name the table of each route
---@return string
function M.text(list, options)
  local how = {
    details = options and options.details,
    table = options and options.table or several_tables(list),
  }
  local lines_of = printers[list[1] and list[1]:object()] or plain_lines
  return table.concat(lines_of(list, how), "\n")
end

list_mt.__tostring = function(list) return M.text(list) end
list_mt.__index = { text = M.text }

---Makes a list of views print as `ip` shows them.
---@param views ecmp.View[]
---@param nl? ecmp.Handle where they were listed
---@param filter? ecmp.Fields what for
---@return ecmp.View[] list
function M.list_of(views, nl, filter)
  origins[views] = nl and { nl, filter }
  return setmetatable(views, list_mt)
end

-- What the kernel filters by itself; the rest is compared here.
local kernel_filters <const> = {
  route = { "table", "proto", "type", "dev" },
  addr = { "dev" },
  neigh = { "proxy" },
}

local filters <const> = {
  route = { family = true, table = true, dst = true, dev = true, via = true, proto = true,
            type = true, metric = true,
            scope = true, nhid = true, src = true },
  nexthop = { family = true, id = true, dev = true, via = true, proto = true },
  bucket = { id = true, nhid = true, index = true },
  link = { dev = true, name = true, type = true, master = true, up = true, link = true },
  addr = { family = true, dev = true, address = true, scope = true, label = true },
  rule = { family = true, priority = true, table = true, action = true, iif = true, oif = true,
           fwmark = true },
  neigh = { family = true, dev = true, dst = true, state = true, lladdr = true, proxy = true },
  vlan = { dev = true },
}

local function check_filter(kind, filter)
  if filter == nil then
    return {}
  elseif type(filter) == "string" then
    local parsed, message = rtnl.parse(kind, filter)
    return check_filter(kind, parsed or rtnl.throw(("%s list: %s"):format(kind, message)))
  elseif type(filter) ~= "table" then
    rtnl.throw(("%s list: table of filters expected, got %s"):format(kind, type(filter)))
  end
  for key in pairs(filter) do
    if not filters[kind][key] then
      local near = rtnl.nearest(kind, tostring(key))
      rtnl.throw(("%s: unknown filter of %s list%s"):format(tostring(key), kind,
        near and filters[kind][near] and (" (did you mean '%s'?)"):format(near) or ""))
    end
  end
  if filter.family ~= nil and not families[filter.family] then
    rtnl.throw(("family: 4 or 6 expected, got %s"):format(tostring(filter.family)))
  end
  return filter
end

-- Of these the kernel dumps one family at a time.
local by_family <const> = { route = true, addr = true, rule = true, neigh = true }

-- Fields that may be written in more than one way.
local spelled <const> = {
  "dst", "via", "src", "address", "table", "proto", "type", "scope", "state", "action",
}

-- The value a filter asks for, spelled as views spell it.
local function canonical(kind, filter)
  local wanted = {}
  for key, value in pairs(filter) do
    wanted[key] = value
  end
  wanted.family = nil
  if filter.family and not by_family[kind] then
    wanted.family = families[filter.family][1]
  end
  if kind == "route" and wanted.table == "all" then
    wanted.table = nil
  end
  local numbers = {}
  for _, key in ipairs(spelled) do
    if wanted[key] ~= nil and not (kind == "link" or kind == "nexthop" and key == "type") then
      local view = rtnl.view(kind, { [key] = wanted[key], family = filter.family })
      if key == "dst" or key == "via" or key == "src" or key == "address" then
        numbers.family = wanted[key] ~= "default" and view.family or nil
      end
      wanted[key] = view[key]
    end
  end
  return wanted, filter.family and families[filter.family][1] or numbers.family
end

local function any_hop(view, key, value)
  for _, hop in ipairs(view.nexthops or {}) do
    if hop[key] == value then
      return true
    end
  end
  return false
end

local function matches(view, wanted)
  for key, value in pairs(wanted) do
    local has = view[key]
    if key == "dev" and view:object() == "link" then
      has = view.name
    elseif key == "metric" and value == 0 and (has or 1024) == 1024 then
      has = 0 -- the default: none in IPv4, 1024 in IPv6
    end
    local of_hops = (key == "dev" or key == "via") and view:object() == "route"
    if has ~= value and not (of_hops and any_hop(view, key, value))
      and not (value == false and has == nil) then
      return false
    end
  end
  return true
end

-- Absent tables and absent families hold nothing.
local empty <const> = { ENOENT = true, EAFNOSUPPORT = true, EOPNOTSUPP = true, EPFNOSUPPORT = true }

-- What the kernel tells of a filter, an iterator for each family; all has been read. What it does not
-- compare by itself is left in `wanted`.
local function read(self, filter)
  local wanted, family = canonical(self.kind, filter)
  local query, dumps = {}, {}
  if self.kind == "route" and filter.table == nil then
    wanted.table = "main"
  end
  for _, key in ipairs(kernel_filters[self.kind] or {}) do
    query[key] = wanted[key]
  end
  if self.kind == "route" then
    wanted.table = nil -- every kernel that takes strict dumps compares this one exactly
  end
  for _, f in ipairs(by_family[self.kind] and (family and { family } or { 4, 6 }) or { false }) do
    query.family = f or nil
    local views, message, code = self.nl.socket:dump(self.kind, query)
    if views then
      dumps[#dumps + 1] = views
    elseif not empty[code] then
      return nil, message, code
    end
  end
  return dumps, wanted
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
        if matches(view, wanted) then
          return view
        end
      end
      at = at + 1
    end
  end
end

---Lists objects. The whole list is read before the first is handed out.
---@param filter? table|string fields that must be equal; `dev` and `via` of routes look into their
---next hops; routes are those of the main table unless `table` says otherwise ("all" too), and of
---both families unless `family` does
---@return table[]|nil list # views; prints as `ip OBJECT show` does
---@return string? message
---@return string? code
function methods:list(filter)
  filter = check_filter(self.kind, filter)
  local dumps, wanted, code = read(self, filter)
  if not dumps then
    return nil, wanted, code
  end
  local list, n = {}, 0
  for view in wanted_of(dumps, wanted) do
    n = n + 1
    list[n] = view
  end
  return M.list_of(list, self.nl, filter)
end

---Iterates over what `list` would return, and makes no list of it; a refusal of the kernel raises.
---@param filter? table|string
---@return fun(): table|nil
function methods:each(filter)
  local dumps, wanted = read(self, check_filter(self.kind, filter))
  if not dumps then
    error(wanted, 2)
  end
  return wanted_of(dumps, wanted)
end

---How the objects of a list are deleted: a function that makes a request of a view, or nil where it
---has to be looked at by itself.
---@return (fun(view: ecmp.View): table|nil)|nil request
---@return string? message
---@return string? code
function methods:deletions()
  return named_by[self.kind] or function(view) return view end
end

-- What has gone by itself, or with what went before it.
local gone <const> = { ESRCH = true, ENOENT = true, EADDRNOTAVAIL = true, ENODEV = true }

-- How many are sent at once: beyond, requests would take more memory than they save time.
local CHUNK <const> = 1 << 16

-- Deletes the part of a list that begins at `first`; what has to be looked at goes to `rest`.
local function delete_chunk(through, verb, list, first, request, rest, count)
  local changes = {}
  for i = first, math.min(first + CHUNK - 1, #list) do
    local made = request(list[i])
    if made then
      changes[#changes + 1] = { verb, made }
    else
      rest[#rest + 1] = list[i]
    end
  end
  for _, result in ipairs(through:batch(changes)) do
    if result == true then
      count(true)
    else
      count(nil, result.message, result.code)
    end
  end
end

---Deletes what `list` would return, through a handle or a transaction.
---@param self ecmp.Object
---@param filter table|string
---@param through ecmp.Handle|ecmp.Transaction
---@return integer|nil count
---@return string? message
---@return string? code
function M.flush(self, filter, through)
  local list, message, code = self:list(filter)
  local request
  if list then
    request, message, code = self:deletions(list, filter)
  end
  if not request then
    return nil, message, code
  end
  local failed, deleted, rest = nil, 0, {}
  local function count(ok, why, symbol)
    if ok or gone[symbol] then
      deleted = deleted + 1
    else
      failed = failed or { message = why, code = symbol }
    end
  end
  for first = 1, #list, CHUNK do
    delete_chunk(through, self.kind .. " del", list, first, request, rest, count)
  end
  for _, view in ipairs(rest) do
    count(through[self.kind]:del(view))
  end
  if failed then
    return nil, ("%s (%d of %d deleted)"):format(failed.message, deleted, #list), failed.code
  end
  return #list
end

---Deletes what `list` would return.
---@param filter table|string
---@return integer|nil count
---@return string? message
---@return string? code
function methods:flush(filter)
  return M.flush(self, filter, self.nl)
end

return M
