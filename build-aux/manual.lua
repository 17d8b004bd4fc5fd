--- Writes what can be told from the commands' own parsers, from the checks of the configuration and
--- from docs/: man/* and completion/*.
---
---   build/bin/ecmp run build-aux/manual.lua [DIRECTORY]
---
--- Run it when a command gets another option; a spec holds the files to it.

local argparse <const> = require "argparse"
local sys <const> = require "ecmp.sys"

local TARGET <const> = arg[1] or "."

-- What a parser does not know.
local examples <const> = {
  plan = { { "ecmp plan /etc/cni/net.d/10-pods.conflist", "what the next pod would get" } },
  lint = { { "ecmp lint", "what is wrong with the configurations of this host" },
           { "CNI_PATH=build/cni ecmp lint net.d", "the same in a pipeline" } },
  rule = { { "ecmp rule check near.lua 10-pods.conflist",
             "try a site's rule on a configuration" } },
  show = { { "ecmp show --netns blue", "the routes of the namespace blue" },
           { "ecmp show --table all >routes", "all routes, as ecmp apply takes them" } },
  spread = { { "ecmp spread 192.0.2.1", "where a thousand flows to one server go" },
             { "ecmp spread --flows 5000 2001:db8::/32", "with destinations varied" } },
  monitor = { { "ecmp monitor --json route | jq .dst", "destinations whose routes change" } },
  watch = { { "ecmp watch", "watch the gateways of all networks that have the key health" },
            { "ecmp watch --netns blue default", "those of a router's default routes" },
            { "ecmp watch --status", "say which gateways are out" } },
  apply = { { "ecmp apply --dry-run routes", "show what would be changed" },
            { "ecmp apply --confirm 30 routes", "take it back unless it is confirmed within 30 s" },
            { "ecmp apply --confirmed", "confirm it, from another terminal" } },
  repl = { { "ecmp repl", "a prompt in a scratch namespace" },
           { "ecmp repl examples/experiments/03-weights.lua", "run it, and go on from there" } },
  run = { { "ecmp run examples/demo.lua", "run a script" } },
  ls = { { "ecmp ls --json", "every attachment of this node, for programs" } },
  check = { { "ecmp check pods/4f1c.../eth0", "one pod's interface" } },
  repair = { { "ecmp repair --dry-run", "what would be mended" },
             { "ecmp repair", "mend it" } },
  metrics = { { "ecmp metrics >/var/lib/prometheus/node-exporter/ecmp.prom",
    "for the textfile collector of node_exporter" } },
  gc = { { "ecmp gc --network pods", "free the addresses of pods that are gone" } },
  pool = { { "ecmp pool show pods.conflist", "who holds which address of the cluster's pool" },
           { "ecmp pool free pods.conflist --node old --yes", "give up a node that is gone" },
           { "ecmp pool import --dry-run /var/lib/cni/networks/pods pods.conflist",
             "what of host-local's reservations would be taken over" } },
  install = { { "ecmp install /opt/cni/bin", "install the plugins" } },
  version = { { "ecmp version", "say which version this is" } },
}

local files <const> = {
  apply = { { "/run/ecmp/apply-*", "what a running apply would take back, and how the last one "
    .. "ended; $XDG_RUNTIME_DIR/ecmp or /tmp/ecmp-* where /run/ecmp cannot be written" } },
  watch = { { "/run/cni/ecmp/health/", "what was taken out of which routes, a file an attachment; "
    .. "`status`, what the running watcher knows, and `lock`, which it holds" } },
  repl = { { "~/.local/state/ecmp/history", "what was typed, where lua-readline is installed" } },
}

local function commands()
  local list <const> = {}
  for i, name in ipairs(require("ecmp.command").names) do
    list[i] = require("ecmp.command." .. name)
  end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list
end

local function parser_of(list)
  local parser <const> = argparse("ecmp", "Multipath routes and CNI plugins.")
  for _, command in ipairs(list) do
    command.parser = parser:command(command.name, command.summary)
    command.setup(command.parser)
  end
  return parser
end

-- Completion would offer what --help does not.
local function drop_hidden(parser)
  for i = #parser._options, 1, -1 do
    if parser._options[i]._hidden then table.remove(parser._options, i) end
  end
end

-- Completion --------------------------------------------------------------------------------------

-- What argparse takes for a file is often none: words, or shell text that lists them.
local values <const> = {
  ["--netns"] = "$(ls /run/netns 2>/dev/null)", ["--iif"] = "$(ls /sys/class/net)",
  ["--table"] = "main local default all", ["--confirm"] = "", ["--flows"] = "", ["--src"] = "",
  ["--dport"] = "", ["--mark"] = "", ["--count"] = "", ["--ifname"] = "", ["--args"] = "",
  ["--network"] = "", ["--valid"] = "",
}
local protocols <const> = "boot static kernel ra dhcp zebra bird bgp ospf isis"

-- In place of `from` in a text, where it stands behind what `head` fits; plainly.
local function replace_behind(text, head, from, to)
  return (text:gsub(("(%s)%s"):format(head, from), function(kept) return kept .. to end))
end

local function bash_words(words)
  return ('COMPREPLY=($(compgen -W "%s" -- "$cur"))'):format(words)
end

-- Every command whose argument has a choice of words offers these.
local function with_arguments(text, list)
  for _, command in ipairs(list) do
    for _, argument in ipairs(command.parser._arguments) do
      local words <const> = argument._choices and table.concat(argument._choices, " ")
      text = words and replace_behind(text, ("\n        '%s'%%)\n.-esac\n"):format(command.name),
        "\n", ("            %s\n"):format(bash_words(words))) or text
    end
  end
  return text
end

local function bash_completion(parser, list)
  local text, file <const> = parser:get_bash_complete(), "COMPREPLY=%(%$%(compgen %-f [^\n]*"
  for option, words in pairs(values) do
    text = replace_behind(text, ("\n +%s%%)\n +"):format(option:gsub("%-", "%%-")), file,
      bash_words(words))
  end
  text = replace_behind(text, "'apply'%).-%-%-proto%)\n +", file, bash_words(protocols))
  return with_arguments(text, list)
end

local function zsh_completion(parser)
  local text = parser:get_zsh_complete()
  for option, words in pairs(values) do
    text = replace_behind(text, ('"%%*?%s%%[[^\n]-%%]'):format(option:gsub("%-", "%%-")),
      ": :_files", words == "" and ": : " or (": :(%s)"):format(words))
  end
  return replace_behind(text, "own routes of this protocol[^\n]-%]", ": :_files",
    (": :(%s)"):format(protocols))
end

-- Man pages ---------------------------------------------------------------------------------------

local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"))
end

local function option_head(option)
  local names <const> = {}
  for i, alias in ipairs(option._aliases) do names[i] = "\\fB" .. escape(alias) .. "\\fR" end
  local choices <const> = option._choices and table.concat(option._choices, "|")
  local value <const> = option._argname or choices
  local head <const> = table.concat(names, ", ")
  return option._maxargs > 0 and value and ("%s \\fI%s\\fR"):format(head, escape(value)) or head
end

local function description(element)
  local text <const> = element._description or ""
  return element._default and ("%s (default: %s)"):format(text, element._default) or text
end

local function add_items(out, title, items)
  if #items == 0 then return end
  out[#out + 1] = ".SH " .. title
  for _, item in ipairs(items) do
    out[#out + 1] = (".TP\n%s\n%s"):format(item[1], escape(item[2]))
  end
end

local function arguments_of(parser)
  local items <const> = {}
  for _, argument in ipairs(parser._arguments) do
    items[#items + 1] = { ("\\fI%s\\fR"):format(argument._name:upper()), description(argument) }
  end
  return items
end

local function options_of(parser)
  local items <const> = {}
  for _, option in ipairs(parser._options) do
    if not option._hidden then items[#items + 1] = { option_head(option), description(option) } end
  end
  return items
end

local function literal(items)
  local out <const> = {}
  for i, item in ipairs(items or {}) do out[i] =
    { "\\fB" .. escape(item[1]) .. "\\fR", item[2] } end
  return out
end

local STATUS <const> = { { "0", "done" }, { "1", "refused, or failed" }, { "2", "wrong usage" } }

local function usage(parser)
  return escape((parser:get_usage():gsub("^Usage: ", ""):gsub("%s*\n%s*", " ")))
end

-- The day of the last release, as debian/changelog has it, and the version.
local function footer()
  local day <const>, month <const>, year <const> =
    assert(sys.read "debian/changelog"):match "\n %-%- .-  %a+, (%d+) (%a+) (%d+)"
  local months <const> = "JanFebMarAprMayJunJulAugSepOctNovDec"
  return ('%s-%02d-%s "ecmp %s"'):format(year, months:find(month, 1, true) // 3 + 1, day,
    require "ecmp.version")
end

local function page_of(command)
  local parser <const> = command.parser
  local title <const> = "ecmp-" .. command.name
  local out <const> = {
    (".TH %s 1 %s"):format(title:upper(), footer()), ".SH NAME",
    ("%s \\- %s"):format(escape(title), escape(command.summary)), ".SH SYNOPSIS", ".nh", ".ad l",
    usage(parser), ".ad", ".hy",
  }
  if parser._epilog then
    out[#out + 1] = ".SH DESCRIPTION\n" .. escape(parser._epilog)
  end
  add_items(out, "ARGUMENTS", arguments_of(parser))
  add_items(out, "OPTIONS", options_of(parser))
  for _, sub in ipairs(parser._commands) do
    local title_of <const> = ("%s %s"):format(command.name, sub._name):upper()
    add_items(out, title_of .. ": ARGUMENTS", arguments_of(sub))
    add_items(out, title_of .. ": OPTIONS", options_of(sub))
  end
  add_items(out, "EXIT STATUS", STATUS)
  add_items(out, "FILES", literal(files[command.name]))
  add_items(out, "EXAMPLES", literal(examples[command.name]))
  out[#out + 1] = ".SH SEE ALSO\n.BR ecmp (1),\n.BR ip\\-route (8)"
  return table.concat(out, "\n") .. "\n"
end

local function main_page(list)
  local out <const> = {
    ".TH ECMP 1 " .. footer(), ".SH NAME", "ecmp \\- multipath routes and CNI plugins",
    ".SH SYNOPSIS", ".B ecmp\n.I COMMAND\n[...]", ".SH DESCRIPTION",
    "Shows, plans, applies and tries out multipath routes of both IP versions, and is the CNI "
    .. "plugins of its name when a container runtime calls it.",
  }
  local items <const> = {}
  for i, command in ipairs(list) do
    items[i] = { ("\\fB%s\\fR"):format(command.name), command.summary }
  end
  add_items(out, "COMMANDS", items)
  add_items(out, "ENVIRONMENT", {
    { "NO_COLOR", "if it is set and not empty, nothing is coloured; nor is it where nobody looks" },
    { "CNI_COMMAND", "if it is set and there are no arguments, this is the chained CNI plugin" },
  })
  add_items(out, "EXIT STATUS", STATUS)
  local also <const> = {}
  for i, command in ipairs(list) do also[i] = (".BR ecmp\\-%s (1)"):format(command.name) end
  table.move({ ".BR ecmp\\-netconf (5)", ".BR ecmp\\-plugins (8)" }, 1, 2, #also + 1, also)
  out[#out + 1] = ".SH SEE ALSO\n" .. table.concat(also, ",\n")
  return table.concat(out, "\n") .. "\n"
end

-- Pages of the configuration and of the plugins ---------------------------------------------------

-- Text of a document; what stands between backticks is bold.
local function from_markdown(text)
  return (escape(text):gsub("`([^`]+)`", "\\fB%1\\fR"))
end

-- The rows below a heading of a document, each a list of its columns.
local function rows_below(path, heading)
  local text <const> = assert(sys.read(path))
  local _, from <const> = assert(text:find("\n## " .. heading .. "\n", 1, true))
  local rows <const> = {}
  for line in text:sub(from, (text:find("\n## ", from, true))):gmatch "\n(|[^\n]*)" do
    local row <const> = {}
    for column in line:sub(2):gmatch " (.-) |" do row[#row + 1] = column end
    if #row > 0 then rows[#rows + 1] = row end
  end
  return table.move(rows, 2, #rows, 1, {}) -- without their head
end

local function add_section(out, title, text)
  out[#out + 1] = ".SH " .. title
  out[#out + 1] = text
end

local function add_tagged(out, tag, text)
  out[#out + 1] = (".TP\n%s\n%s"):format(tag, text)
end

local function head_of(title, section, summary)
  return {
    (".TH %s %d %s"):format(title:upper(), section, footer()), ".SH NAME",
    ("%s \\- %s"):format(escape(title), summary),
  }
end

-- A file whose words are typed as they are.
local function add_example(out, intro, text)
  out[#out + 1] = escape(intro) .. "\n.PP\n.nf\n.RS 4"
  for line in text:gmatch "[^\n]+" do out[#out + 1] = escape(line) end
  out[#out + 1] = ".RE\n.fi"
end

local ENVIRONMENT <const> = {
  { "CNI_COMMAND", "ADD, DEL, CHECK, GC, STATUS or VERSION" },
  { "CNI_CONTAINERID", "the container" }, { "CNI_NETNS", "the path of its namespace" },
  { "CNI_IFNAME", "the interface in it" },
  { "CNI_ARGS", "KEY=VALUE;...; K8S_POD_NAMESPACE and K8S_POD_NAME go into the record" },
  { "CNI_PATH", "where IPAM plugins that are not ours are looked for" },
}

local EXAMPLE <const> = [==[
{ "cniVersion": "1.1.0", "name": "pods", "plugins": [ {
  "type": "ecmp-bridge", "bridge": "br0", "isGateway": false,
  "multipath": { "hash": "l4" },
  "ipam": { "type": "ecmp-host-local",
    "ranges": [ [ { "subnet": "10.0.0.0/24" } ],
                [ { "subnet": "2001:db8::/64" } ] ],
    "routes": [ { "dst": "0.0.0.0/0", "gw": "10.0.0.1" },
                { "dst": "0.0.0.0/0", "gw": "10.0.0.2" },
                { "dst": "::/0", "gw": "2001:db8::1" },
                { "dst": "::/0", "gw": "2001:db8::2" } ] } } ] }
]==]

local function netconf_page()
  local netconf <const> = dofile "build-aux/netconf.lua"
  local out <const> = head_of("ecmp-netconf", 5, "network configuration of the ecmp CNI plugins")
  add_section(out, "DESCRIPTION", escape("A network is a JSON file below /etc/cni/net.d: a list of "
    .. "plugins where its name ends in .conflist, one plugin where in .conf. Keys match in any "
    .. "case, and null counts as absent. Keys that are not listed belong to others and are left "
    .. "alone; ecmp lint tells of those that are near one of these."))
  for _, one in ipairs(netconf.tables()) do
    out[#out + 1] = ".SH " .. from_markdown(one[1]):gsub("\\f[BR]", ""):upper()
    for _, row in ipairs(netconf.rows_of(one[2])) do
      add_tagged(out, ("\\fB%s\\fR  %s"):format(escape(row[1]), from_markdown(row[2])),
        from_markdown(row[3]))
    end
  end
  out[#out + 1] = ".SH EXAMPLE"
  add_example(out, "Two gateways for the default route, in both families:", EXAMPLE)
  add_section(out, "SEE ALSO", ".BR ecmp\\-plugins (8),\n.BR ecmp\\-lint (1),\n.BR ecmp\\-plan (1)")
  return table.concat(out, "\n") .. "\n"
end

-- The plugins in the order of their types, with what each says of itself and the names of reference
-- plugins that it goes by.
local function plugins()
  local programs <const>, list <const>, by_module <const> = require "ecmp.command.programs", {}, {}
  for _, row in ipairs(programs.types()) do
    local name <const> = row.type == "ecmp" and "ecmp" or "ecmp-" .. row.type
    local module <const> = assert(programs.plugin(name)).module
    if not by_module[module] then
      by_module[module] = { name = name, about = require(module).about, also = {} }
      list[#list + 1] = by_module[module]
    end
    if row.reference then table.insert(by_module[module].also, row.type) end
  end
  return list
end

local function plugins_page()
  local out <const> = head_of("ecmp-plugins", 8, "CNI plugins with one meaning of several gateways")
  add_section(out, "DESCRIPTION", escape("Plugins for the container network interface, versions "
    .. "0.1.0 to 1.1.0: programs that a container runtime calls with a network configuration on "
    .. "standard input and CNI_ variables in the environment. All of them are links to one "
    .. "executable, which is the plugin of the name that it is called by. By a reference plugin's "
    .. "name it does as that one does, unless the configuration says otherwise."))
  out[#out + 1] = ".SH PLUGINS"
  for _, one in ipairs(plugins()) do
    table.insert(one.also, 1, one.name)
    local names <const> = ("\\fB%s\\fR"):format(table.concat(one.also, "\\fR, \\fB"))
    add_tagged(out, names:gsub("%-", "\\-"), escape(one.about))
  end
  out[#out + 1] = ".SH ERROR CODES"
  for _, row in ipairs(rows_below("docs/operations.md", "Numbers")) do
    add_tagged(out, ("\\fB%s\\fR"):format(row[1]),
      from_markdown(row[2]) .. ".\n.br\n" .. from_markdown(row[3]))
  end
  out[#out + 1] = ".SH FILES"
  for _, row in ipairs(rows_below("docs/operations.md", "Where things are")) do
    add_tagged(out, from_markdown(row[1]), from_markdown(row[2]))
  end
  out[#out + 1] = ".SH ENVIRONMENT"
  for _, row in ipairs(ENVIRONMENT) do
    add_tagged(out, ("\\fB%s\\fR"):format(row[1]), escape(row[2]))
  end
  add_section(out, "SEE ALSO", ".BR ecmp\\-netconf (5),\n.BR ecmp (1),\n.BR ecmp\\-install (1)")
  return table.concat(out, "\n") .. "\n"
end

-- ------------------------------------------------------------------------------------------------

local function write(path, text)
  local file <close> = assert(io.open(("%s/%s"):format(TARGET, path), "w"))
  assert(file:write(text))
end

local list <const> = commands()
local parser <const> = parser_of(list)
for _, directory in ipairs { "man", "completion" } do
  sys.mkdir(("%s/%s"):format(TARGET, directory), tonumber("755", 8))
end
write("man/ecmp.1", main_page(list))
for _, command in ipairs(list) do
  write(("man/ecmp-%s.1"):format(command.name), page_of(command))
end
write("man/ecmp-netconf.5", netconf_page())
write("man/ecmp-plugins.8", plugins_page())
for _, command in ipairs(list) do drop_hidden(command.parser) end
write("completion/ecmp.bash", bash_completion(parser, list))
write("completion/_ecmp", zsh_completion(parser))
