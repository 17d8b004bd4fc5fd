---Loads a site's rule script: `rule.load(path, options)`.
--
-- A function of its own, because a rule inside its cage has no use for what loads rules.
---@param path string
---@param options? table `trusted`
---@return table? script, string? message, integer? code nil, message with file and line, 100
return function(path, options)
  return require("ecmp.sandbox").load(path, options)
end
