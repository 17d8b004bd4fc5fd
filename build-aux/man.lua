---Writes the manual page ecmp(8) from what the commands say of themselves.
--
--     lua5.4 build-aux/man.lua >ecmp.8
--
-- Options, arguments and their defaults come from the parser that reads them, the introduction to a
-- command from the first comment of its file.
local argparse <const> = require "argparse"

-- Wide enough that nothing is broken into lines: that is for the reader of the page.
local WIDE <const> = 10000

local names <const> = {
  "plan", "rule", "show", "spread", "monitor", "apply", "repl", "run", "gc", "install", "version",
}

---Text as it is, to roff.
local function plain(text)
  local escaped <const> = text:gsub("\\", "\\e"):gsub("%-", "\\-")
  return (escaped:gsub("\n([.'])", "\n\\&%1"):gsub("^([.'])", "\\&%1"))
end

local function path_of(name)
  return ("lua/ecmp/command/%s.lua"):format(name)
end

---The comment at the head of a file, as paragraphs.
local function introduction(path)
  local lines <const> = {}
  for line in io.lines(path) do
    local text <const> = line:match("^%-%-%-?%s?(.*)$")
    if not text then break end
    lines[#lines + 1] = text
  end
  local text <const> = table.concat(lines, "\n"):gsub("^ecmp [%w ]+: ", "")
  return (text:gsub("^%l", string.upper))
end

local function write_paragraphs(text)
  for paragraph in (text .. "\n\n"):gmatch("(.-)\n\n+") do
    -- What is set in, is shown as it stands.
    local code <const> = paragraph:find("^    ")
    print(code and ".PP\n.RS\n.nf" or ".PP")
    print(plain(code and paragraph:gsub("^    ", ""):gsub("\n    ", "\n") or paragraph))
    if code then print(".fi\n.RE") end
  end
end

---The list of arguments and options as argparse explains them, one `.TP` each.
local function write_elements(help)
  for line in help:gmatch("[^\n]+") do
    local name <const>, what <const> = line:match("^   (%S.-)  +(%S.*)$")
    local alone <const> = line:match("^   (%S.*)$")
    if (name or alone) and not (name or alone):find("^%-h,") then
      print((".TP\n.B %s\n%s"):format(plain(name or alone), plain(what or "")))
    end
  end
end

local function write_command(parser, title)
  parser:usage_max_width(WIDE)
  print((".SS %s"):format(plain(title)))
  local usage <const> = parser:get_usage():gsub("^Usage: ", ""):gsub(" %[%-h%]", "")
  print((".B %s"):format(plain(usage)))
end

local function write_all()
  for _, name in ipairs(names) do
    local file <const> = io.open(path_of(name))
    if file then
      file:close()
      local command <const> = require("ecmp.command." .. name)
      local parser <const> = argparse("ecmp " .. name, "")
      parser:help_max_width(WIDE):help_description_margin(40)
      command.setup(parser)
      write_command(parser, name)
      write_paragraphs(introduction(path_of(name)))
      write_elements(parser:get_help():gsub("^Usage:.-\n\n", ""))
      for _, verb in ipairs(parser._commands) do
        verb:help_max_width(WIDE):help_description_margin(40)
        write_command(verb, name .. " " .. verb._name)
        write_elements(verb:get_help():gsub("^Usage:.-\n\n", ""))
      end
    end
  end
end

print(([[
.TH ECMP 8 "" "ecmp %s" "System Administration"
.SH NAME
ecmp \- multipath routes and CNI plugins
.SH SYNOPSIS
.B ecmp
.I COMMAND
.RI [ ARGUMENT ...]
.SH DESCRIPTION
Shows, plans and changes routes with several next hops, and is the CNI plugins of which the links
.B ecmp\-bridge
and others bear the names. Called as
.B ecmp
by a container runtime it is the chained plugin.
.SH COMMANDS]]):format(require "ecmp.version"))
write_all()
print [[
.SH EXIT STATUS
0 done, 1 refused or failed, 2 wrong usage. Errors are one line on standard error.
.SH FILES
.TP
.B /etc/cni/ecmp/
rule scripts and plugin scripts of the site
.TP
.B /var/lib/cni/networks/
addresses that ecmp\-host\-local has handed out
.TP
.B /run/cni/ecmp/
what each ADD has done, for CHECK and DEL
.SH SEE ALSO
.BR ip\-route (8),
.BR ip\-nexthop (8)]]
