---ecmp plan: what a pod would get from a configuration, with nothing touched.
--
-- The stages are those of a real ADD, stopped before `apply`. Of a list of plugins all of ours are
-- run through, each finding what the ones before it have planned.
local flow = require "ecmp.flow"
local identity = require "ecmp.identity"
local json = require "ecmp.json"
local programs = require "ecmp.main"

local M = { name = "plan", summary = "show what a pod would get from a configuration" }

function M.setup(parser)
  parser:argument("netconf", "a CNI configuration or list; - reads standard input")
  parser:option("--ifname", "the pod's interface"):default("eth0"):argname("I")
  parser:option("--ipam-result", "what the IPAM plugin hands out, where it is not one of ours")
    :argname("FILE"):target("ipam_result")
  parser:flag("--json", "print JSON")
end

local function read_file(path)
  if path == "-" then return io.read("a") end
  local file, message = io.open(path)
  if not file then return nil, message end
  local text <const> = file:read("a")
  file:close()
  if not text then return nil, path .. ": cannot be read" end
  return text
end

local function read_json(path)
  local text, message = read_file(path)
  if not text then return nil, message end
  local value
  value, message = json.decode(text)
  if json.kind(value) ~= "object" then
    return nil, ("%s: %s"):format(path, message or "a JSON object is due here")
  end
  return value
end

---The plugin configurations of a list, or the one there is, as each plugin gets it.
local function configurations(document)
  local plugins <const> = json.get(document, "plugins")
  if plugins == nil then return { document } end
  local list <const> = {}
  for i, conf in ipairs(plugins) do
    if json.kind(conf) ~= "object" then
      return nil, ("plugins[%d]: an object is due here"):format(i)
    end
    list[i] = setmetatable({}, getmetatable(conf))
    for key, value in next, conf do list[i][key] = value end
    list[i].name = json.get(document, "name")
    list[i].cniVersion = json.get(document, "cniVersion")
  end
  return list
end

local function call_for(conf, program, ifname, prev)
  return {
    command = "ADD", containerid = "plan", netns = "", ifname = ifname, args = {}, args_text = "",
    path = os.getenv("CNI_PATH") or "", conf = conf, stdin = json.encode(conf), prev = prev,
    version = json.get(conf, "cniVersion") or "0.1.0", plugin = program.type,
    dropin = program.dropin,
  }
end

---Plans one plugin of a chain on top of what those before it have planned.
---@return table? state, string? message
local function plan_one(conf, options, before)
  local kind <const> = json.get(conf, "type")
  local program <const> = type(kind) == "string" and programs.plugin(kind)
  local plugin <const> = program and require(program.module).plugin
  if not plugin then return nil, ("type: '%s' is no interface plugin of ours"):format(kind) end
  local state <const> = {
    call = call_for(conf, program, options.ifname, before.result or options.handed_out),
    plugin = plugin, dry = true, planned = before.wanted, ipam_result = options.handed_out,
  }
  local ok, message = flow.run(state, "netconf", "netconf")
  if ok then ok, message = require("ecmp.flow.add").prepare(state) end
  if ok then ok, message = flow.run(state, "result", "result") end
  if not ok then return nil, ("%s: %s"):format(kind, message) end
  return state
end

local function is_chained(conf)
  local kind <const> = json.get(conf, "type")
  local program <const> = type(kind) == "string" and programs.plugin(kind)
  return not program
end

---Plans a chain: the addresses of its first plugin, the routes of its last, the sysctls of all.
---@param list table[] configurations
---@param options table `{ ifname, handed_out? }`
---@return table? plan, string? message
function M.plan(list, options)
  local whole <const> = { addresses = json.array(), routes = json.array(), sysctls = {} }
  local before = {}
  for _, conf in ipairs(list) do
    -- A plugin that is not ours and not the first may do what it likes behind ours: say so.
    if is_chained(conf) and before.wanted then
      io.stderr:write(("ecmp: plan: '%s' is not ours; what it adds is not shown\n")
        :format(tostring(json.get(conf, "type"))))
    else
      local state, message = plan_one(conf, options, before)
      if not state then return nil, message end
      before = state
      if state.plugin.attach or #whole.addresses == 0 then
        whole.addresses = json.array(state.plan.addresses)
      end
      whole.routes = json.array(state.plan.routes)
      for key, value in pairs(state.plan.sysctls) do whole.sysctls[key] = value end
    end
  end
  return whole
end

-- Printing -------------------------------------------------------------------------------------

local function route_lines(route)
  local canonical <const> = assert(identity.canonical(route))
  return (identity.text(canonical):gsub(" nexthop ", "\n\tnexthop "))
end

local function write_text(plan)
  print("addresses:")
  for _, entry in ipairs(plan.addresses) do
    local gateway <const> = entry.gateway and "  (gateway " .. entry.gateway .. ")" or ""
    print(("%s dev %s%s"):format(entry.address, entry.dev, gateway))
  end
  print("routes:")
  for _, route in ipairs(plan.routes) do print(route_lines(route)) end
  local keys <const> = {}
  for key in pairs(plan.sysctls) do keys[#keys + 1] = key end
  table.sort(keys)
  if #keys > 0 then print("sysctls:") end
  for _, key in ipairs(keys) do print(("%s = %s"):format(key, plan.sysctls[key])) end
end

local function fail(message)
  io.stderr:write(("ecmp: plan: %s\n"):format(message))
  return 1
end

---@param args table as `setup` asked for
---@return integer status
function M.run(args)
  local document, message = read_json(args.netconf)
  if not document then return fail(message) end
  local options <const> = { ifname = args.ifname }
  if args.ipam_result then
    local given
    given, message = read_json(args.ipam_result)
    if given then
      given, message = require("ecmp.cni.result").parse(given, json.get(given, "cniVersion"))
    end
    if not given then return fail("--ipam-result: " .. message) end
    options.handed_out = given
  end
  local list
  list, message = configurations(document)
  if not list then return fail(message) end
  local plan
  plan, message = M.plan(list, options)
  if not plan then return fail(message) end
  if args.json then print(json.encode(plan, { indent = 2 })) else write_text(plan) end
  return 0
end

return M
