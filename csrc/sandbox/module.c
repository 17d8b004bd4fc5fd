/*
 * The Lua module ecmp.sandbox.process: starts a sandbox process for a Lua function, sends it
 * requests and receives its answers.
 *
 * The process is owned by a userdata from the start. The parent enforces the deadline, since a hook
 * in the child would not run within a long C call or a finalizer.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/export.h"

#define PROCESS "ecmp.sandbox.process"

EXPORT int luaopen_ecmp_sandbox_process(lua_State *L);

enum {
	CHILD_FD = 3,
};

struct process {
	pid_t pid; /* 0: none, or already waited for */
	int fd;	   /* of the socket to it; -1: it was killed */
};

/* -- the child -- */

/* For a trusted script, which may start programs: signals have their defaults. */
static void reset_signals(void)
{
	struct sigaction by_default = {.sa_handler = SIG_DFL};
	struct sigaction ignored = {.sa_handler = SIG_IGN};
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &by_default, NULL);
	sigaction(SIGPIPE, &ignored, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Keeps the caller's signal handlers from running in the child. */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
}

static void close_range_of(int first, int last)
{
	if (close_range((unsigned)first, (unsigned)last, 0) < 0)
		for (int i = first; i <= last && i < 4096; i++)
			close(i);
}

/* Redirects what a trusted script prints to standard error: the plugin's result is on stdout. */
static bool open_stdio(void)
{
	int null = open("/dev/null", O_RDWR);

	return null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	       (fcntl(STDERR_FILENO, F_GETFD) >= 0 || dup2(null, STDERR_FILENO) >= 0) &&
	       dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

/* Closes the caller's descriptors, so that none of its locks or sockets outlives it. */
static bool keep_descriptors(int fd, bool quiet)
{
	if (fd == CHILD_FD ? fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 : dup3(fd, CHILD_FD, O_CLOEXEC) < 0)
		return false;
	close_range_of(CHILD_FD + 1, INT_MAX);
	if (!quiet)
		return open_stdio();
	close_range_of(STDIN_FILENO, STDERR_FILENO);
	return true;
}

static void limit(int what, rlim_t value)
{
	setrlimit(what, &(struct rlimit){value, value});
}

_Noreturn static void child(lua_State *L, struct budget *budget, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !keep_descriptors(budget->fd, budget->quiet))
		_exit(EXIT_FAILURE);
	budget->fd = CHILD_FD;
	limit(RLIMIT_CORE, 0);
	if (budget->quiet) {
		block_signals();
		budget->unfiltered = !seccomp_install();
	} else {
		reset_signals();
	}
	sandbox_serve(L, budget);
}

/* -- the parent -- */

/* Kills the process without waiting for it. */
static void process_kill(struct process *process)
{
	if (process->fd < 0)
		return;
	close(process->fd);
	process->fd = -1;
	/* A trusted script may have started programs: kill its process group. */
	kill(-process->pid, SIGKILL);
	kill(process->pid, SIGKILL);
}

static void process_end(struct process *process)
{
	pid_t pid = process->pid;

	process_kill(process);
	process->pid = 0;
	while (pid && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int fail(lua_State *L, const char *what, int error)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, strerror(error));
	return 2;
}

/* [function, options] -> [.., values]: reads the options; raises where one is missing */
static void read_budget(lua_State *L, struct budget *budget)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_getfield(L, 2, "path");
	lua_getfield(L, 2, "memory");
	lua_getfield(L, 2, "instructions");
	lua_getfield(L, 2, "quiet");
	budget->path = luaL_checkstring(L, -4);
	budget->memory = (size_t)luaL_checkinteger(L, -3);
	budget->left = luaL_checkinteger(L, -2);
	budget->quiet = lua_toboolean(L, -1);
}

/*
 * start(function, { path, memory, instructions, quiet }) -> process | nil, message
 *
 * The function is called once for each request, all in one process. `path` is the script, for error
 * messages; `quiet` installs the seccomp filter.
 */
static int process_start(lua_State *L)
{
	struct budget budget = {.used = 0};
	struct process *process;
	pid_t parent = getpid();
	int pair[2];

	read_budget(L, &budget);
	process = lua_newuserdatauv(L, sizeof(*process), 0);
	*process = (struct process){.fd = -1};
	luaL_setmetatable(L, PROCESS);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(L, "socketpair", errno);
	/* Buffered output must not be written by the child as well. */
	fflush(stdout);
	process->pid = fork();
	if (process->pid == 0) {
		budget.fd = pair[1];
		lua_settop(L, 2);
		child(L, &budget, parent);
	}
	close(pair[1]);
	if (process->pid < 0) {
		int error = errno;

		process->pid = 0;
		close(pair[0]);
		return fail(L, "fork", error);
	}
	process->fd = pair[0];
	setpgid(process->pid, process->pid);
	return 1;
}

/* Waits until the socket is ready; false at the deadline. */
static bool wait_for(int fd, short events, double deadline)
{
	struct pollfd item = {.fd = fd, .events = events};
	int left, n;

	do {
		left = clock_remaining(deadline);
		n = left > 0 ? poll(&item, 1, left) : 0;
	} while ((n < 0 && errno == EINTR) || (n == 0 && left > 0));
	return n > 0;
}

enum outcome {
	DONE,
	TIMED_OUT,
	EXITED
};

static enum outcome exchange(int fd, bool is_write, char *bytes, size_t length, double deadline)
{
	while (length) {
		ssize_t n = is_write ? send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : recv(fd, bytes, length, MSG_DONTWAIT);
		bool waits = n < 0 && errno == EAGAIN;

		if (n == 0 || (n < 0 && !waits && errno != EINTR))
			return EXITED;
		if (waits ? !wait_for(fd, is_write ? POLLOUT : POLLIN, deadline)
			  : clock_seconds() > deadline)
			return TIMED_OUT;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return DONE;
}

/* [] -> [bytes of the answer from its tag on]; a finalizer may close the process meanwhile */
static enum outcome receive(lua_State *L, struct process *process, double deadline, size_t *size)
{
	uint64_t length;
	enum outcome outcome =
		exchange(process->fd, false, (char *)&length, sizeof(length), deadline);
	char *bytes;

	if (outcome != DONE)
		return outcome;
	if (length < 1 || length > ANSWER_MAX)
		return EXITED;
	*size = (size_t)length;
	bytes = lua_newuserdatauv(L, *size, 0);
	return exchange(process->fd, false, bytes, *size, deadline);
}

/* [..] -> [nil, message or nil, reason] */
static int push_failure(lua_State *L, const char *message, size_t length, const char *what)
{
	lua_pushnil(L);
	if (message)
		lua_pushlstring(L, message, length);
	else
		lua_pushnil(L);
	lua_pushstring(L, what);
	return 3;
}

/* Closes a process that exceeded its deadline or has exited. */
static int ended(lua_State *L, struct process *process, enum outcome outcome)
{
	process_end(process);
	return push_failure(L, NULL, 0, outcome == TIMED_OUT ? "timeout" : "exited");
}

/*
 * process:send(request, seconds) -> true | nil, nil, "timeout" | nil, nil, "exited"
 *
 * Each request has one answer, which the caller may receive later.
 */
static int process_send(lua_State *L)
{
	struct process *process = luaL_checkudata(L, 1, PROCESS);
	double deadline = clock_seconds() + luaL_checknumber(L, 3);
	size_t length = 0;
	const char *bytes;

	lua_settop(L, 2);
	if (process->fd < 0)
		return ended(L, process, EXITED);
	sandbox_encode(L, 2, SIZE_MAX);
	bytes = lua_tolstring(L, -1, &length);
	/* A process that has exited may have sent an error message before. */
	if (exchange(process->fd, true, (char *)bytes, length, deadline) == TIMED_OUT)
		return ended(L, process, TIMED_OUT);
	lua_pushboolean(L, true);
	return 1;
}

/*
 * process:receive(seconds) -> answer, nil, nil or "unfiltered" | nil, message, "fault"
 *	| nil, nil, "timeout" | nil, nil, "exited"
 *
 * "unfiltered": `quiet` was set, and the kernel has no seccomp filters.
 */
static int process_receive(lua_State *L)
{
	struct process *process = luaL_checkudata(L, 1, PROCESS);
	double deadline = clock_seconds() + luaL_checknumber(L, 2);
	enum outcome outcome = EXITED;
	size_t length = 0;
	const char *bytes;
	bool unfiltered;

	if (process->fd >= 0)
		outcome = receive(L, process, deadline, &length);
	if (outcome != DONE)
		return ended(L, process, outcome);
	bytes = lua_touserdata(L, -1);
	if (bytes[0] == 'F')
		return push_failure(L, bytes + 1, length - 1, "fault");
	unfiltered = bytes[0] == 'U';
	if ((bytes[0] == 'R' || unfiltered) &&
	    sandbox_decode(L, bytes + 1, length - 1, ANSWER_MAX)) {
		lua_pushnil(L);
		lua_pushstring(L, unfiltered ? "unfiltered" : NULL);
		return 3;
	}
	return ended(L, process, EXITED);
}

/* process:kill(); it is waited for when it is closed or collected */
static int process_stop(lua_State *L)
{
	process_kill(luaL_checkudata(L, 1, PROCESS));
	return 0;
}

static int process_close(lua_State *L)
{
	process_end(luaL_checkudata(L, 1, PROCESS));
	return 0;
}

static const luaL_Reg process_methods[] = {
	{"send", process_send}, {"receive", process_receive},
	{"kill", process_stop}, {"close", process_close},
	{NULL, NULL},
};

static const luaL_Reg process_meta[] = {
	{"__gc", process_close},
	{"__close", process_close},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", process_start},
	{NULL, NULL},
};

int luaopen_ecmp_sandbox_process(lua_State *L)
{
	luaL_newmetatable(L, PROCESS);
	luaL_setfuncs(L, process_meta, 0);
	luaL_newlib(L, process_methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
