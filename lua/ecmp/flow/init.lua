---The IPAM flow: from a network configuration to routes in the kernel and a CNI result.
--
-- The stages run in this order. A stage is a module of this folder with
--
--     run(state) -> state | nil, message, code, details
--
-- It reads what earlier stages left in `state` and adds its own fields; it changes nobody else's.
--
--     stage     needs            adds                                      touches
--     netconf   call, plugin     conf                                      nothing
--     script    conf             script        (begins to load)            nothing
--     context   nl               ctx, current                              reads the kernel
--     pod       ctx, script      nothing       (waits for the script)      nothing
--     ipam      conf             ipam, addresses                           the IPAM plugin
--     routes    ipam             routes        (iproute2's words)          nothing
--     group     routes, ctx      merged        (canonical)                 nothing
--     plan      merged, current  plan, wanted  (canonical)                 nothing
--     apply     plan, nl, undo   record                                    the kernel
--     result    wanted           result                                    nothing
--
-- `state.call` is the call of the CNI verb, `state.plugin` what the plugin says about itself:
--
--     fields            a check of its own configuration keys (ecmp.cni.schema)
--     check_conf(conf, call)    what fields alone cannot say
--     needs_addresses   whether it is an error that no IPAM plugin is configured
--     stages            stages of its own by name, in place of the stock ones
--     remember(state)   what DEL and CHECK have to know beside the plan: fields for the record
--     stays_down(conf)  whether the interface is not to be used by the pod as it is
--     connected(addresses)      the routes that come with addresses, where not the kernel's
--     attach(state)     makes the interface; sets state.interfaces and state.interface
--     settle(state)     what is left to do when the routes are there
--     detach(call, nl, record)  takes the interface away; what is missing is fine
--     sweep(call, stale)    what GC is to drop beside records and reservations, by call.valid;
--                       stale are the records that it dropped
--     inspect(state)    what CHECK is to look at beside addresses and routes: a list of sentences;
--                       state.was is the record of the ADD, or what the configuration comes to
--     repair(state, fix)    what `ecmp repair` is to mend beside routes, policy rules and sysctls:
--                       fix(what, f) for each thing, where f mends it or returns nil, message, code
--
-- A plugin's `attach` marks one that makes an interface, and so an interface that exists already is
-- refused before any address is handed out.
local errors = require "ecmp.cni.errors"
local hooks = require "ecmp.flow.hooks"
local stages = require "ecmp.flow.stages"

local M = {}

local run <const> = errors.returning(stages.run)

---The stages in their order.
M.stages = stages.order

---Runs a part of the stages.
---@param state table
---@param first string
---@param last string
---@return table? state, string? message, string|integer? code, string? details
function M.run(state, first, last)
  return run(state, first, last)
end

---Makes a plugin's verbs out of what it says about itself. A hook or a stage that is unknown or of
---the wrong type raises at the caller's line, with the nearest name.
---@param plugin table see above
---@return table verbs for `ecmp.cni.main`
function M.verbs(plugin)
  local message <const> = hooks.wrong_with(plugin, stages.order)
  if message then error(message, 2) end
  local verbs <const> = {}
  for _, name in ipairs { "add", "del", "check", "gc", "status" } do
    verbs[name] = errors.returning(function(call)
      return require("ecmp.flow.verbs")[name](call, plugin)
    end)
  end
  -- For `ecmp repair`, which no runtime calls.
  verbs.repair = errors.returning(function(call)
    return require("ecmp.flow.repair").run(call, plugin)
  end)
  -- For `ecmp plan`, and for authors who add a step to the stock flow.
  verbs.plugin = plugin
  return verbs
end

return M
