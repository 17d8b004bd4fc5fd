---@meta ecmp.sys
-- What plugins need of the system and Lua lacks. Refusals are nil, a message that says what was
-- tried and on what, and the symbol of the errno. Nothing loads this file.
-- luacheck: ignore 212 241

---@class ecmp.sys
local sys = {}

---@class ecmp.sys.Handle an open descriptor: closed by `close`, at scope exit or by the collector
local Handle = {}

---@return integer descriptor
function Handle:fd() end

---Closing twice is fine.
function Handle:close() end

---@class ecmp.sys.Signals: ecmp.sys.Handle
local Signals = {}

---The name of a signal that came; nil when there is none now.
---@return string? name
function Signals:read() end

---@class ecmp.sys.Stat
---@field type "file"|"dir"|"link"|"char"|"block"|"fifo"|"socket"
---@field mode integer
---@field uid integer
---@field gid integer
---@field size integer
---@field ino integer
---@field dev integer
---@field nlink integer
---@field mtime number seconds
---@field mtime_ns integer nanoseconds
---@field ctime_ns integer nanoseconds
---@field fstype? integer the magic number of the file system

---@class ecmp.sys.Order
---@field argv string[] the program and its arguments
---@field env? string[] "NAME=value"; absent: this process's
---@field stdin? string
---@field timeout? number seconds, after which the child and its group are killed
---@field netns? string|integer where it runs
---@field stderr? "capture"|"pass" "pass": it goes where ours goes
---@field inherit? boolean it uses our terminal
---@field detach? boolean it goes on without us
---@field limit? integer bytes of output that are too many

---@class ecmp.sys.Outcome
---@field status? integer
---@field signal? integer what ended it
---@field stdout string
---@field stderr string
---@field timedout? boolean
---@field pid? integer with `detach`, and nothing else

-- Files -------------------------------------------------------------------------------------------

---Reads a file whole. A pipe, a device or a socket in its place is refused with EOPNOTSUPP, and
---nobody waits for it; /dev/null is an empty file.
---@param path string
---@param limit? integer bytes; a longer file is refused
---@return string|nil text
---@return string? message
---@return string? code
function sys.read(path, limit) end

---Reads what a person named to its end: a file, a pipe such as the shell's `<(command)`, a
---terminal.
---@param path string
---@param limit? integer bytes; what is longer is refused
---@return string|nil text
---@return string? message
---@return string? code
function sys.read_stream(path, limit) end

---Writes into a file that is there, in one write(2), as sysctls want it.
---@param path string
---@param text string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.write(path, text) end

---Makes a file that nobody sees before the text is all there; EEXIST when the name is taken.
---@param path string
---@param text string
---@param mode? integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.create(path, text, mode) end

---Appends to a file, made if it is not there, in one write, so that what several processes append
---stays apart. What is no file, a pipe say, is refused.
---@param path string
---@param text string
---@param mode? integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.append(path, text, mode) end

---Puts a text in a file's place: readers see the old or the new, also after a crash.
---@param path string
---@param text string|fun(): string? all of it, or what returns it in pieces, and nil at its end
---@param mode? integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.replace(path, text, mode) end

---Sees to it that a file or directory outlives the power.
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.fsync(path) end

---Locks a file or directory, against other handles of this process too.
---@param path string
---@param options? { timeout: number?, mode: integer?, create: boolean? }
---@return ecmp.sys.Handle|nil lock
---@return string? message
---@return string? code
function sys.lock(path, options) end

---Removes a file.
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.unlink(path) end

---Removes an empty directory.
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.rmdir(path) end

---Renames in one step.
---@param from string
---@param to string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.rename(from, to) end

---Gives a file another name.
---@param path string
---@param name string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.link(path, name) end

---Makes a symbolic link.
---@param target string
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.symlink(target, path) end

---Sets the mode.
---@param path string
---@param mode integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.chmod(path, mode) end

---Where a symbolic link leads.
---@param path string
---@return string|nil target
---@return string? message
---@return string? code
function sys.readlink(path) end

---The path without links and dots.
---@param path string
---@return string|nil path
---@return string? message
---@return string? code
function sys.realpath(path) end

---Makes a directory that only its owner may enter.
---@param prefix string
---@return string|nil path
---@return string? message
---@return string? code
function sys.mkdtemp(prefix) end

---Makes a directory with its parents; one that is there already is fine.
---@param path string
---@param mode? integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.mkdir(path, mode) end

---What there is at a path, behind links.
---@param path string
---@return ecmp.sys.Stat|nil
---@return string? message
---@return string? code
function sys.stat(path) end

---The same of a link itself, without `fstype`.
---@param path string
---@return ecmp.sys.Stat|nil
---@return string? message
---@return string? code
function sys.lstat(path) end

---The names in a directory, sorted by bytes, without "." and "..".
---@param path string
---@return string[]|nil names
---@return string? message
---@return string? code
function sys.list(path) end

---Sets the time of the last change, counted as `mtime_ns`.
---@param path string
---@param nanoseconds integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.set_mtime(path, nanoseconds) end

-- Descriptors -------------------------------------------------------------------------------------

---Everything until the end of input.
---@param fd integer|ecmp.sys.Handle
---@param limit? integer
---@return string|nil text
---@return string? message
---@return string? code
function sys.read_fd(fd, limit) end

---What one read(2) gives; "" at the end of input.
---@param fd integer|ecmp.sys.Handle
---@param limit? integer
---@return string|nil text
---@return string? message
---@return string? code
function sys.read_some(fd, limit) end

---Writes all of a text.
---@param fd integer|ecmp.sys.Handle
---@param text string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.write_fd(fd, text) end

---Waits until one of several can be read or has ended.
---@param items any[] descriptors, or what has a method `fd`
---@param seconds? number for ever without
---@return any[]|nil ready in their order; none when the time is up
---@return string? message
---@return string? code
function sys.poll(items, seconds) end

---Whether it is a terminal.
---@param fd integer
---@return boolean
function sys.isatty(fd) end

---The size of a terminal.
---@param fd? integer standard output's without
---@return integer|nil columns
---@return integer|string rows_or_message
---@return string? code
function sys.winsize(fd) end

-- Processes ---------------------------------------------------------------------------------------

---Runs a program and waits for it. With `detach` nobody waits, and the result is `{ pid }`.
---@param order ecmp.sys.Order
---@return ecmp.sys.Outcome|nil
---@return string? message
---@return string? code
function sys.spawn(order) end

---Sends a signal.
---@param pid integer a negative one is a group
---@param signal? integer|string "TERM" without; 0 only asks
---@return true|nil ok
---@return string? message
---@return string? code
function sys.kill(pid, signal) end

---Turns signals into something to read: while the handle is open they do nothing else.
---@param names string[] such as `{ "INT", "TERM" }`
---@return ecmp.sys.Signals|nil
---@return string? message
---@return string? code
function sys.signals(names) end

---As pcall; an interrupt from the terminal ends `f` with an error.
---@param f function
---@param ... any
---@return boolean ok
---@return any ...
function sys.interruptible(f, ...) end

---As pcall, with a number in front: SIGINT, SIGTERM and SIGHUP end `f` with an error, so that what
---it has open is closed; the number is that of the signal, 0 where none came. For a program that
---ends then.
---@param f function
---@param ... any
---@return integer signal
---@return boolean ok
---@return any ...
function sys.unwinding(f, ...) end

---The coroutine that an interrupt stops from now on, within `interruptible`.
---@param thread thread
function sys.stoppable(thread) end

---Calls what must not be left half done: an interrupt meanwhile counts when it is done, unless `f`
---asks for it with `interrupted`.
---@param f function
---@param ... any
---@return any ... what `f` returns
function sys.deferred(f, ...) end

---Whether an interrupt was deferred, which is seen to by that.
---@return boolean
function sys.interrupted() end

---This process.
---@return integer
function sys.getpid() end

---Its parent.
---@return integer
function sys.getppid() end

---The effective user.
---@return integer
function sys.getuid() end

---A variable of the environment.
---@param name string
---@return string?
function sys.getenv(name) end

---Sets a variable; nil takes it away.
---@param name string
---@param value? string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.setenv(name, value) end

---The environment as `spawn` takes it.
---@return string[] variables "NAME=value"
function sys.environ() end

---Seconds since some moment, never set back.
---@return number
function sys.monotonic() end

---Seconds since 1970.
---@return number
function sys.realtime() end

---Waits.
---@param seconds number
function sys.sleep(seconds) end

---Bytes of chance from the kernel.
---@param count integer
---@return string bytes
function sys.random(count) end

---The reason and the symbol of an errno.
---@param number integer
---@return string reason
---@return string symbol
function sys.strerror(number) end

-- Namespaces. A reference is a path, a name below /run/netns, or a pid --------------------------

---Opens a network namespace.
---@param ref string|integer
---@return ecmp.sys.Handle|nil
---@return string? message
---@return string? code
function sys.netns_open(ref) end

---Makes one without a name; it goes with its last handle.
---@return ecmp.sys.Handle|nil
---@return string? message
---@return string? code
function sys.netns_new() end

---Whether two references are one namespace.
---@param a string|integer
---@param b string|integer
---@return boolean|nil
---@return string? message
---@return string? code
function sys.same_netns(a, b) end

---The number of the namespace that a socket is in; not given again when the namespace is gone.
---@param socket integer its descriptor
---@return integer|nil cookie
---@return string? message
---@return string? code
function sys.netns_cookie(socket) end

---Reads a file, such as a sysctl, in a namespace.
---@param ref string|integer
---@param path string
---@param limit? integer
---@return string|nil text
---@return string? message
---@return string? code
function sys.netns_read(ref, path, limit) end

---Writes one.
---@param ref string|integer
---@param path string
---@param text string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.netns_write(ref, path, text) end

---Moves the process into a namespace.
---@param ref string|integer
---@return true|nil ok
---@return string? message
---@return string? code
function sys.enter_network(ref) end

---Moves the process into a fresh one, and into a user namespace where it lacks the right to.
---@return true|nil ok
---@return string? message
---@return string? code
function sys.leave_network() end

---What is at `source` is at `target` too (a bind mount).
---@param source string
---@param target string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.bind(source, target) end

---Mounts below `path` are seen in mount namespaces made from this one.
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.share(path) end

---Takes a mount away; who still uses it may go on.
---@param path string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.umount(path) end

-- Sockets -----------------------------------------------------------------------------------------

---@class ecmp.sys.Netlink: ecmp.sys.Handle
local Netlink = {}

---The next datagram that the kernel sent; what other processes send is dropped.
---@param seconds? number how long to wait; for ever when absent
---@return string|nil datagram
---@return string? message
---@return string? code ETIMEDOUT when none came
function Netlink:receive(seconds) end

---The speed of an interface, as its driver says it.
---@param fd integer a socket in the interface's namespace, `nl:fd()` of a handle
---@param name string
---@return integer? speed Mbit/s
---@return string? message, string? code "ENODATA" without carrier, "EOPNOTSUPP" where a driver
---knows none
function sys.link_speed(fd, name) end

---A netlink socket: a write goes to the kernel.
---@param protocol integer
---@return ecmp.sys.Netlink|nil
---@return string? message
---@return string? code
function sys.netlink(protocol) end

---Sends one datagram for each flow, in their order, in a namespace.
---@param ref string|integer
---@param flows { dst: string, dport: integer?, src: string?, sport: integer? }[]
---@return integer sent
---@return string? message
---@return string? code
function sys.udp_send(ref, flows) end

---Sends one datagram to a socket in the file system, whole or not at all, without waiting.
---@param path string
---@param text string
---@return true|nil ok
---@return string? message
---@return string? code
function sys.unix_send(path, text) end

---A socket bound in a namespace.
---@param ref string|integer
---@param address string
---@param port integer
---@return ecmp.sys.Handle|nil
---@return string? message
---@return string? code
function sys.udp_bind(ref, address, port) end

---Takes the datagrams that have arrived.
---@param socket ecmp.sys.Handle
---@return integer|nil count
---@return string? message
---@return string? code
function sys.udp_drain(socket) end

---A socket that asks whether a gateway is there. What it can depends on its kind.
---@class ecmp.sys.Probe: ecmp.sys.Handle
local Probe = {}

---Kinds "echo4" and "echo6": sends an echo request.
---@param address string
---@param id integer 0 to 65535
---@param seq integer of which 16 bits are sent
---@return true|nil ok
---@return string? message
---@return string? code
function Probe:echo(address, id, seq) end

---Kinds "arp" and "nd": asks who has an address.
---@param address string
---@param source? string the IPv4 address that asks; 0.0.0.0 unless given
---@return true|nil ok
---@return string? message
---@return string? code
function Probe:ask(address, source) end

---Kind "routed": sends an echo request to a target through a neighbour; its answer comes to a
---socket of kind "echo4" or "echo6".
---@param mac string hardware address of the neighbour
---@param source string
---@param target string
---@param id integer
---@param seq integer
---@return true|nil ok
---@return string? message
---@return string? code
function Probe:through(mac, source, target, id, seq) end

---Kind "bfd-out": sends a control packet (RFC 5880); times in microseconds.
---@param address string
---@param packet { state: integer, multiplier: integer, mine: integer, yours: integer?,
---desired_tx: integer, required_rx: integer, diagnostic: integer?, poll: boolean?,
---final: boolean? }
---@return true|nil ok
---@return string? message
---@return string? code
function Probe:control(address, packet) end

---The next answer that has arrived; nil when there is none. Kinds "echo4", "echo6": sender, id
---and seq; "arp", "nd": the address that was asked for; "bfd-in": sender and packet.
---@return string|nil address
---@return integer|table|nil id
---@return integer? seq
function Probe:receive() end

---Opens a socket inside a namespace, in which it stays.
---@param ref string|integer
---@param kind "echo4"|"echo6"|"arp"|"nd"|"routed"|"bfd-in"|"bfd-out"
---@param options? { dev: string, source: string } dev: the device to ask on; source: with BFD, the
---address of this side
---@return ecmp.sys.Probe|nil
---@return string? message
---@return string? code
function sys.probe(ref, kind, options) end

return sys
