---ecmp rule check: what a rule script makes of configurations, before a pod sees it.
--
-- The script is loaded into its sandbox, after the check of who may write it; the stages are those
-- of a real ADD: what passes here passes on a node.
local errors = require "ecmp.cni.errors"
local explain = require "ecmp.flow.explain"
local identity = require "ecmp.fib.route"
local json = require "ecmp.json"
local plan = require "ecmp.command.plan"
local programs = require "ecmp.command.programs"
local sandbox = require "ecmp.sandbox"
local samples = require "ecmp.rule.samples"
local sys = require "ecmp.sys"

local M = { name = "rule", summary = "try a rule script on configurations" }

function M.setup(parser)
  parser:require_command(true):command_target("verb")
  local check <const> = parser:command("check", "show what a rule script makes of configurations")
  check:argument("script", "the rule script")
  check:argument("netconfs", "CNI configurations or lists; samples of both families where none is "
    .. "given"):argname("NETCONF"):args("*")
  plan.setup_pod(check)
  check:flag("--trusted", "run it as with \"trusted\": true")
  check:flag("--json", "print JSON")
end

-- Cases ----------------------------------------------------------------------------------------

local function canonical_list(routes)
  local list <const> = {}
  for i, route in ipairs(routes or {}) do list[i] = assert(identity.canonical(route)) end
  return list
end

---One thing to try: a name to show, the document, and what is known about the pod.
local function sample_cases(pod)
  local cases <const> = {}
  for i, sample in ipairs(samples.list) do
    cases[i] = {
      name = "sample: " .. sample.name, document = assert(json.decode(sample.text)),
      options = {
        ifname = sample.ifname or pod.ifname, args = pod.args,
        current = canonical_list(sample.current),
      },
    }
  end
  return cases
end

local function given_cases(paths, pod)
  local cases <const> = {}
  for i, path in ipairs(paths) do
    local document <const>, message <const> = plan.read_json(path)
    if not document then return nil, message end
    cases[i] = { name = path, document = document, options = pod }
  end
  return cases
end

---The plugins of a list that the script is for: those that name one, else the last of ours.
local function takers(list)
  local found, last = {}, nil
  for _, conf in ipairs(list) do
    local kind <const> = json.get(conf, "type")
    local program <const> = type(kind) == "string" and programs.plugin(kind)
    if program and program.type ~= "lua" then
      last = conf
      if json.get(conf, "script") ~= nil then found[#found + 1] = conf end
    end
  end
  return #found > 0 and found or { last }
end

---Puts the script in place of what the configurations name.
local function with_script(document, args)
  local list <const>, message <const> = plan.configurations(document)
  if not list then return nil, message end
  local chosen <const> = takers(list)
  if #chosen == 0 then return nil, "type: none of the plugins is ours, so none runs a rule" end
  for _, conf in ipairs(chosen) do
    -- Keys match in any case, and the last one counts.
    for key in pairs(conf) do
      if type(key) == "string" and key:lower() == "script" then conf[key] = nil end
    end
    conf.script = args.script
    if args.trusted then conf.trusted = true end
  end
  return list
end

---Runs one case.
---@return table outcome `{ name, plan }` or `{ name, error = { message, code } }`
local function try(case, args)
  local made, code
  local list, message = with_script(case.document, args)
  if list then made, message, code = plan.plan(list, case.options) end
  if made then return { name = case.name, plan = made } end
  return { name = case.name, error = { message = message, code = errors.code(code) } }
end

-- Printing -------------------------------------------------------------------------------------

local function print_decision(made)
  print(explain.summary(made))
  for _, route in ipairs(made.came) do print("  in   " .. explain.line(route)) end
  for _, route in ipairs(made.goes) do print("  out  " .. explain.line(route)) end
end

local function print_outcome(outcome, number)
  if number > 1 then print() end
  print(("== %s"):format(outcome.name))
  if outcome.error then
    print("fails: " .. outcome.error.message)
    return
  end
  for _, made in ipairs(outcome.plan.decisions) do print_decision(made) end
  plan.print_plan(outcome.plan)
  plan.print_notes(outcome.plan)
end

local function print_json(outcomes, args)
  local list <const> = json.array()
  for i, outcome in ipairs(outcomes) do list[i] = outcome end
  print(json.encode({ script = args.script, cases = list }, { indent = 2 }))
end

---What went wrong first.
local function first_fault(outcomes)
  for _, outcome in ipairs(outcomes) do
    if outcome.error then return outcome.error.message end
  end
end

---A script that cannot be loaded is told of once, not for each configuration. A relative path is
---the caller's here, as in a configuration it would be the runtime's.
---@return string? path, string? message
local function loadable(args)
  local path <const> = args.script:find("^/") and args.script
    or ("%s/%s"):format(assert(sys.realpath(".")), args.script)
  local script <close>, message <const> = sandbox.load(path, { trusted = args.trusted })
  if not script then return nil, message end
  return path
end

---@param args table as `setup` asked for
---@return integer? status, string? message
function M.run(args)
  local pod, message = plan.pod_options(args)
  if not pod then return nil, message end
  local cases
  args.script, message = loadable(args)
  if not args.script then return nil, message end
  if #args.netconfs > 0 then
    cases, message = given_cases(args.netconfs, pod)
  else
    cases = sample_cases(pod)
  end
  if not cases then return nil, message end
  local outcomes <const>, failed = {}, 0
  for i, case in ipairs(cases) do
    outcomes[i] = try(case, args)
    if outcomes[i].error then failed = failed + 1 end
    if not args.json then print_outcome(outcomes[i], i) end
  end
  if args.json then print_json(outcomes, args) end
  if failed == 0 then return 0 end
  return nil, ("check: %d of %d configurations fail: %s")
    :format(failed, #cases, first_fault(outcomes))
end

return M
