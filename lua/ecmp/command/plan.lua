---ecmp plan: what a pod would get from a configuration, with nothing touched.
--
-- The stages are those of a real ADD, stopped before `apply`. Of a list of plugins all of ours are
-- run through, each finding what the ones before it have planned.
local calls = require "ecmp.cni.call"
local cni_result = require "ecmp.cni.result"
local names = require "ecmp.cni.names"
local request = require "ecmp.cni.request"
local run = require "ecmp.cni.run"
local expect = require "ecmp.flow.expect"
local explain = require "ecmp.flow.explain"
local findings = require "ecmp.plugin.findings"
local json = require "ecmp.json"
local policy_rules = require "ecmp.flow.policy_rules"
local programs = require "ecmp.command.programs"
local sys = require "ecmp.sys"
local verbs = require "ecmp.flow.verbs"

local M = { name = "plan", summary = "show what a pod would get from a configuration" }

function M.setup(parser)
  parser:argument("netconf", "a CNI configuration or list; - reads standard input")
  M.setup_pod(parser)
  parser:flag("--json", "print JSON")
end

local function cni_args(text)
  local args <const>, message <const> = request.split_args(text)
  if message then return nil, message end
  return { text = text, values = args }
end

-- Checks `--ifname` as the plugin checks CNI_IFNAME.
local function interface(name)
  local ok <const>, message <const> = names.check_ifname(name)
  if not ok then return nil, (message:gsub("^CNI_IFNAME", "--ifname")) end
  return name
end

---Declares what is to be known about the pod, for every command that previews.
function M.setup_pod(parser)
  parser:option("--ifname", "the pod's interface"):default("eth0"):argname("I")
    :convert(interface)
  parser:option("--args", "what the runtime would pass as CNI_ARGS, KEY=VALUE;..."):argname("ARGS")
    :convert(cni_args)
  parser:option("--ipam-result", "what the IPAM plugin hands out, where it is not one of ours")
    :argname("FILE"):target("ipam_result")
end

local function read_file(path)
  if path == "-" then return io.read("a") end
  return sys.read_stream(path)
end

---Reads a JSON object from a file; `-` is standard input.
---@param path string
---@return table? value, string? message
function M.read_json(path)
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
---@param document table
---@return table[]? list, string? message
function M.configurations(document)
  local plugins <const> = json.get(document, "plugins")
  if plugins == nil then return { document } end
  local list <const> = {}
  for i, conf in ipairs(plugins) do
    if json.kind(conf) ~= "object" then
      return nil, ("plugins[%d]: an object is due here"):format(i - 1)
    end
    list[i] = setmetatable({}, getmetatable(conf))
    for key, value in next, conf do list[i][key] = value end
    list[i].name = json.get(document, "name")
    list[i].cniVersion = json.get(document, "cniVersion")
  end
  return list
end

local NO_ARGS <const> = { text = "", values = {} }

local function call_for(conf, program, options, prev)
  local args <const> = options.args or NO_ARGS
  return calls.new {
    command = "ADD", containerid = "plan", netns = "", ifname = options.ifname,
    args = args.values, args_text = args.text,
    path = os.getenv("CNI_PATH") or "", conf = conf, stdin = json.encode(conf), prev = prev,
    version = json.get(conf, "cniVersion") or "0.1.0", plugin = program.type,
    dropin = program.dropin,
  }
end

---The result of the plugin before, as a runtime hands it on: as that plugin prints it.
---@return table? prev, table? document, string? message
local function handed_on(before, options)
  if not before.result then return options.handed_out end
  local call <const> = before.call
  local document <const>, message <const> =
    cni_result.write(before.result, call.version, json.get(call.conf, "result"))
  if not document then return nil, nil, message end
  return assert(cni_result.parse(document, call.version)), document
end

-- The script of `ecmp-lua` is the plugin, where it is on the flow; what it prints is no plan.
local function preview(module, state)
  if module.plugin then return verbs.preview(state) end
  local _ <close> = run.guard_stdout()
  return module.preview(state.call, function(call, plugin)
    state.call, state.plugin = call, plugin
    return verbs.preview(state)
  end)
end

local function program_of(conf)
  local kind <const> = json.get(conf, "type")
  return type(kind) == "string" and programs.plugin(kind) or nil
end

-- What a plugin gives a pod whatever the others do.
local function apart(conf)
  local program <const> = program_of(conf)
  return program and require(program.module).planned
end

---Plans one plugin of a chain on top of what those before it have planned.
---@return table? state, string? message, string|integer? code
local function plan_one(conf, options, before)
  local kind <const>, program <const> = json.get(conf, "type"), program_of(conf)
  local module <const> = program and require(program.module)
  if not module or not module.plugin and not module.preview then
    return nil, ("type: '%s' is no interface plugin of ours"):format(kind)
  end
  local prev <const>, document <const>, wrong <const> = handed_on(before, options)
  if wrong then return nil, ("%s: %s"):format(kind, wrong) end
  conf.prevResult = document
  findings.warn(conf, program)
  local state <const> = {
    call = call_for(conf, program, options, prev), plugin = module.plugin, dry = true,
    planned = before.wanted and expect.routes(before) or options.current,
    ipam_result = options.handed_out,
  }
  local ok <const>, why <const>, code <const> = preview(module, state)
  if not ok then return nil, ("%s: %s"):format(kind, why), code end
  return state
end

---Takes one plugin's plan into that of the chain.
local function add_plan(whole, state)
  if state.plugin.attach or #whole.addresses == 0 then
    whole.addresses = json.array(state.plan.addresses)
  end
  whole.routes = json.array(state.plan.routes)
  for key, value in pairs(state.plan.sysctls) do whole.sysctls[key] = value end
  for _, part in ipairs { "policyRules", "neighbours" } do
    for _, item in ipairs(state.plan[part] or {}) do
      whole[part] = whole[part] or json.array()
      table.insert(whole[part], item)
    end
  end
  for _, made in ipairs(explain.decisions(state)) do table.insert(whole.decisions, made) end
  for _, text in ipairs(state.notes or {}) do table.insert(whole.notes, text) end
end

---Plans a chain: the addresses of its first plugin, the routes of its last, the sysctls of all, and
---the decisions behind the routes (`ecmp.flow.explain`), and what rule scripts noted.
---@param list table[] configurations
---@param options table `{ ifname, args?, handed_out?, current? }`
---@return table? plan, string? message, string|integer? code
function M.plan(list, options)
  local whole <const> = {
    addresses = json.array(), routes = json.array(), sysctls = {}, decisions = json.array(),
    notes = json.array(),
  }
  local before, others <const> = {}, {}
  for _, conf in ipairs(list) do
    local foreign <const>, own <const> = not program_of(conf), apart(conf)
    if own then
      table.move(own, 1, #own, #others + 1, others)
    elseif foreign and before.wanted then
      -- A plugin that is not ours may do what it likes behind ours: say so.
      io.stderr:write(("ecmp: plan: '%s' is not ours; what it adds is not shown\n")
        :format(tostring(json.get(conf, "type"))))
    elseif not (foreign and options.handed_out) then
      -- Before ours, the result that was given stands for what it does.
      local state, message, code = plan_one(conf, options, before)
      if not state then return nil, message, code end
      before = state
      add_plan(whole, state)
    end
  end
  if not before.wanted and #others == 0 then
    return nil, "type: none of the plugins is ours", "EINVAL"
  end
  table.move(others, 1, #others, #whole.addresses + 1, whole.addresses)
  return whole
end

-- Printing -------------------------------------------------------------------------------------

local function route_lines(route)
  return (explain.line(route):gsub(" nexthop ", "\n\tnexthop "))
end

local function print_rules(plan)
  if plan.policyRules then print "policy rules:" end
  for _, rule in ipairs(plan.policyRules or {}) do
    print((rule.family == 6 and "-6 " or "") .. policy_rules.text(rule))
  end
end

-- Whether the kernel can is seen by an ADD alone, which asks it.
local function print_neighbours(plan)
  if not plan.neighbours then return end
  print "neighbours: (Linux 5.16 or newer; on an older kernel the ADD is refused)"
  for _, neighbour in ipairs(plan.neighbours) do
    print(("%s dev %s managed"):format(neighbour.dst, neighbour.dev))
  end
end

---Prints a plan; the decisions behind it are for the caller to print.
---@param plan table
function M.print_plan(plan)
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
  print_rules(plan)
  print_neighbours(plan)
end

---Prints what rule scripts said by `rule.note`.
---@param plan table
function M.print_notes(plan)
  if #plan.notes > 0 then print("notes:") end
  for _, text in ipairs(plan.notes) do print(text) end
end

local function print_decisions(plan)
  if #plan.decisions > 0 then print("decided:") end
  for _, made in ipairs(plan.decisions) do print(explain.summary(made)) end
end

---What the commands' arguments say about the pod, as `plan` takes it.
---@param args table
---@return table? options, string? message
function M.pod_options(args)
  local options <const> = { ifname = args.ifname, args = args.args }
  if not args.ipam_result then return options end
  local given, message = M.read_json(args.ipam_result)
  if given then
    given, message = cni_result.parse(given, json.get(given, "cniVersion"))
  end
  if not given then return nil, "--ipam-result: " .. message end
  options.handed_out = given
  return options
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local document, list, options, plan, message
  document, message = M.read_json(args.netconf)
  if document then options, message = M.pod_options(args) end
  if options then list, message = M.configurations(document) end
  if list then plan, message = M.plan(list, options) end
  if not plan then return nil, message end
  if args.json then
    print(json.encode(plan, { indent = 2 }))
  else
    M.print_plan(plan)
    print_decisions(plan)
    M.print_notes(plan)
  end
  return 0
end

return M
