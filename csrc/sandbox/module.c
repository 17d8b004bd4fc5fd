/*
 * Running a Lua function in a process of its own, so that nothing it does can hurt: neither the
 * caller's state, nor the machine, nor the caller's patience.
 *
 * The child is owned by a userdata from its first moment. Its deadline is kept here, by the parent:
 * that holds inside one long C call and in finalizers, where no hook of Lua's would fire.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

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
#include <time.h>
#include <unistd.h>

#include "common/export.h"

#define CAGE "ecmp.sandbox.process"

EXPORT int luaopen_ecmp_sandbox_process(lua_State *L);

enum {
	CHILD_FD = 3,
};

struct cage {
	pid_t pid; /* 0 when there is none, or it has been waited for */
	int fd;	   /* -1 when nothing more is asked of it */
};

/* -- the child -- */

/* For a script that may start programs: they are to find the signals as they usually are. */
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

/* No handler of the caller's is to run in here. */
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

/* What a trusted script prints goes to standard error: standard output is the result's. */
static bool open_stdio(void)
{
	int null = open("/dev/null", O_RDWR);

	return null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	       (fcntl(STDERR_FILENO, F_GETFD) >= 0 || dup2(null, STDERR_FILENO) >= 0) &&
	       dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

/* No lock or socket of the caller's is to outlive the caller in here. */
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
		budget->bare = !cage_filter();
	} else {
		reset_signals();
	}
	cage_serve(L, budget);
}

/* -- the parent -- */

/* Ends the process; the kernel may take its time to clear it away. */
static void cage_kill(struct cage *cage)
{
	if (cage->fd < 0)
		return;
	close(cage->fd);
	cage->fd = -1;
	/* A trusted script may have children of its own; the group goes with it. */
	kill(-cage->pid, SIGKILL);
	kill(cage->pid, SIGKILL);
}

static void cage_end(struct cage *cage)
{
	pid_t pid = cage->pid;

	cage_kill(cage);
	cage->pid = 0;
	while (pid && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int fail(lua_State *L, const char *what, int error)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, strerror(error));
	return 2;
}

/* [function, options] -> what the options say; throws where they say too little */
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
 * start(function, { path, memory, instructions, quiet }) -> cage | nil, message
 *
 * The function runs once for each request that is told, in one process that stays. `path` is the
 * script to which faults are put down; `quiet` leaves the process no system call but those that its
 * memory and its answers need.
 */
static int cage_start(lua_State *L)
{
	struct budget budget = {.used = 0};
	struct cage *cage;
	pid_t parent = getpid();
	int pair[2];

	read_budget(L, &budget);
	cage = lua_newuserdatauv(L, sizeof(*cage), 0);
	*cage = (struct cage){.fd = -1};
	luaL_setmetatable(L, CAGE);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(L, "socketpair", errno);
	/* What is still in the buffer must come out once, and from here. */
	fflush(stdout);
	cage->pid = fork();
	if (cage->pid == 0) {
		budget.fd = pair[1];
		lua_settop(L, 2);
		child(L, &budget, parent);
	}
	close(pair[1]);
	if (cage->pid < 0) {
		int error = errno;

		cage->pid = 0;
		close(pair[0]);
		return fail(L, "fork", error);
	}
	cage->fd = pair[0];
	setpgid(cage->pid, cage->pid);
	return 1;
}

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Waits until the other end is ready; false at the deadline. */
static bool wait_for(int fd, short events, double deadline)
{
	for (;;) {
		struct pollfd poll_fd = {.fd = fd, .events = events};
		double left = deadline - now();
		int n;

		if (left <= 0)
			return false;
		n = poll(&poll_fd, 1, (int)(left * 1000) + 1);
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

enum outcome {
	DONE,
	LATE,
	GONE
};

static enum outcome exchange(int fd, bool is_write, char *bytes, size_t length, double deadline)
{
	while (length) {
		ssize_t n = is_write ? send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
				     : recv(fd, bytes, length, MSG_DONTWAIT);
		bool waits = n < 0 && errno == EAGAIN;

		if (n == 0 || (n < 0 && !waits && errno != EINTR))
			return GONE;
		if (waits ? !wait_for(fd, is_write ? POLLOUT : POLLIN, deadline) : now() > deadline)
			return LATE;
		if (n > 0) {
			bytes += n;
			length -= (size_t)n;
		}
	}
	return DONE;
}

/* [] -> [bytes of the answer from its tag on]; a finalizer may close the cage meanwhile */
static enum outcome receive(lua_State *L, struct cage *cage, double deadline, size_t *size)
{
	uint64_t length;
	enum outcome outcome = exchange(cage->fd, false, (char *)&length, sizeof(length), deadline);
	char *bytes;

	if (outcome != DONE)
		return outcome;
	if (length < 1 || length > CAGE_ANSWER)
		return GONE;
	*size = (size_t)length;
	bytes = lua_newuserdatauv(L, *size, 0);
	return exchange(cage->fd, false, bytes, *size, deadline);
}

/* [..] -> [nil, message or nil, what] */
static int refuse(lua_State *L, const char *message, size_t length, const char *what)
{
	lua_pushnil(L);
	if (message)
		lua_pushlstring(L, message, length);
	else
		lua_pushnil(L);
	lua_pushstring(L, what);
	return 3;
}

/* A cage that was late, or whose process is gone, is at its end. */
static int ended(lua_State *L, struct cage *cage, enum outcome outcome)
{
	cage_end(cage);
	return refuse(L, NULL, 0, outcome == LATE ? "late" : "gone");
}

/*
 * cage:tell(request, seconds) -> true | nil, nil, "late" | nil, nil, "gone"
 *
 * Each request is answered once; the caller may do something else before it asks for the answer.
 */
static int cage_tell(lua_State *L)
{
	struct cage *cage = luaL_checkudata(L, 1, CAGE);
	double deadline = now() + luaL_checknumber(L, 3);
	size_t length = 0;
	const char *bytes;

	lua_settop(L, 2);
	if (cage->fd < 0)
		return ended(L, cage, GONE);
	cage_encode(L, 2, SIZE_MAX);
	bytes = lua_tolstring(L, -1, &length);
	/* A process that is gone may have left word of why. */
	if (exchange(cage->fd, true, (char *)bytes, length, deadline) == LATE)
		return ended(L, cage, LATE);
	lua_pushboolean(L, true);
	return 1;
}

/*
 * cage:hear(seconds) -> answer, nil, nil or "unfiltered" | nil, message, "fault"
 *	| nil, nil, "late" | nil, nil, "gone"
 *
 * "unfiltered": the process was to be left hardly a system call, and this kernel took none away.
 */
static int cage_hear(lua_State *L)
{
	struct cage *cage = luaL_checkudata(L, 1, CAGE);
	double deadline = now() + luaL_checknumber(L, 2);
	enum outcome outcome = GONE;
	size_t length = 0;
	const char *bytes;
	bool bare;

	if (cage->fd >= 0)
		outcome = receive(L, cage, deadline, &length);
	if (outcome != DONE)
		return ended(L, cage, outcome);
	bytes = lua_touserdata(L, -1);
	if (bytes[0] == 'F')
		return refuse(L, bytes + 1, length - 1, "fault");
	bare = bytes[0] == 'U';
	if ((bytes[0] == 'R' || bare) && cage_decode(L, bytes + 1, length - 1, CAGE_ANSWER)) {
		lua_pushnil(L);
		lua_pushstring(L, bare ? "unfiltered" : NULL);
		return 3;
	}
	return ended(L, cage, GONE);
}

/* cage:kill(): ends the process; it is waited for when the cage is closed or collected */
static int cage_stop(lua_State *L)
{
	cage_kill(luaL_checkudata(L, 1, CAGE));
	return 0;
}

static int cage_close(lua_State *L)
{
	cage_end(luaL_checkudata(L, 1, CAGE));
	return 0;
}

static const luaL_Reg cage_methods[] = {
	{"tell", cage_tell},   {"hear", cage_hear}, {"kill", cage_stop},
	{"close", cage_close}, {NULL, NULL},
};

static const luaL_Reg cage_meta[] = {
	{"__gc", cage_close},
	{"__close", cage_close},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"start", cage_start},
	{NULL, NULL},
};

int luaopen_ecmp_sandbox_process(lua_State *L)
{
	luaL_newmetatable(L, CAGE);
	luaL_setfuncs(L, cage_meta, 0);
	luaL_newlib(L, cage_methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
