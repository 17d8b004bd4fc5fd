---A module that is loaded when it is first used: `local edit = later "ecmp.nl.edit"`.
--
-- It stands among the requires, for what few runs come to: a plugin is started for each call of a
-- runtime, and pays for every file that it loads. Not for what a rule script may come to, since
-- nothing can be loaded from inside the sandbox.

---@param name string of a module that is a table of functions, or one function
---@return any module behaves as the module does: names that it does not have are for it to refuse
return function(name)
  local mt <const> = {}
  function mt.__index(_, key)
    mt.__index = require(name)
    return mt.__index[key]
  end
  function mt.__call(_, ...) return require(name)(...) end
  return setmetatable({}, mt)
end
