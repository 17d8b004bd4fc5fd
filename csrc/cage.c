/*
 * Running a Lua function in a process of its own, so that nothing it does can hurt: neither the
 * caller's state, nor the machine, nor the caller's patience.
 *
 * The child is owned by a userdata from its first moment. Its deadline is kept here, by the parent:
 * that holds inside one long C call and in finalizers, where no hook of Lua's would fire.
 */
#define _GNU_SOURCE
#include "cage.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
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

#define CAGE "ecmp.cage"

int luaopen_ecmp_cage(lua_State *L);

enum {
	CHILD_FD = 3,
	MAX_ANSWER = 64 << 20,
};

struct cage {
	pid_t pid; /* 0 when there is none */
	int fd;
};

/* -- the child -- */

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

/*
 * The answer's descriptor alone is left, so that no lock or socket of the caller's outlives the
 * caller in here. What a trusted script prints goes to standard error: standard output is the
 * result's.
 */
static bool keep_descriptor(int fd, bool quiet)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return false;
	if (quiet && dup2(null, STDERR_FILENO) < 0)
		return false;
	if (dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || dup2(fd, CHILD_FD) < 0)
		return false;
	if (close_range(CHILD_FD + 1, ~0U, 0) < 0)
		for (int i = CHILD_FD + 1; i < 4096; i++)
			close(i);
	return true;
}

static void limit(int what, rlim_t value)
{
	setrlimit(what, &(struct rlimit){value, value});
}

_Noreturn static void child(lua_State *L, struct budget *budget, bool quiet, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || !keep_descriptor(budget->fd, quiet))
		_exit(EXIT_FAILURE);
	reset_signals();
	limit(RLIMIT_CORE, 0);
	budget->fd = CHILD_FD;
	if (quiet)
		cage_filter();
	cage_serve(L, budget);
}

/* -- the parent -- */

static void cage_end(struct cage *cage)
{
	pid_t pid = cage->pid;

	cage->pid = 0;
	if (cage->fd >= 0)
		close(cage->fd);
	cage->fd = -1;
	if (!pid)
		return;
	/* A trusted script may have children of its own; the group goes with it. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
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
	budget->path = luaL_checkstring(L, -3);
	budget->memory = (size_t)luaL_checkinteger(L, -2);
	budget->left = luaL_checkinteger(L, -1);
}

/*
 * start(function, { path, memory, instructions, quiet }) -> cage | nil, message
 *
 * The function runs once for each request that is asked, in one process that stays. `path` is the
 * script to which faults are put down; `quiet` leaves the process no system call but those that its
 * memory and its answers need.
 */
static int cage_start(lua_State *L)
{
	struct budget budget = {.used = 0};
	struct cage *cage;
	pid_t parent = getpid();
	bool quiet;
	int pair[2];

	read_budget(L, &budget);
	lua_getfield(L, 2, "quiet");
	quiet = lua_toboolean(L, -1);
	cage = lua_newuserdatauv(L, sizeof(*cage), 0);
	*cage = (struct cage){.fd = -1};
	luaL_setmetatable(L, CAGE);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(L, "socketpair", errno);
	/* What is still in the buffer must come out once, and from here. */
	fflush(stdout);
	cage->fd = pair[0];
	cage->pid = fork();
	if (cage->pid == 0) {
		budget.fd = pair[1];
		lua_settop(L, 2);
		child(L, &budget, quiet, parent);
	}
	close(pair[1]);
	if (cage->pid < 0) {
		int error = errno;

		cage->pid = 0;
		cage_end(cage);
		return fail(L, "fork", error);
	}
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
		ssize_t n;

		if (!wait_for(fd, is_write ? POLLOUT : POLLIN, deadline))
			return LATE;
		n = is_write ? send(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL)
			     : recv(fd, bytes, length, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return GONE;
		bytes += n;
		length -= (size_t)n;
	}
	return DONE;
}

/* [] -> [bytes of the answer] */
static enum outcome receive(lua_State *L, int fd, double deadline, size_t *size)
{
	uint64_t length;
	enum outcome outcome = exchange(fd, false, (char *)&length, sizeof(length), deadline);

	if (outcome != DONE)
		return outcome;
	if (length < 1 || length > MAX_ANSWER)
		return GONE;
	*size = (size_t)length;
	return exchange(fd, false, lua_newuserdatauv(L, *size, 0), *size, deadline);
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

/*
 * cage:ask(request, seconds) -> answer | nil, message, "fault" | nil, nil, "late" | nil, nil,
 * "gone"
 *
 * A cage that was late, or whose process is gone, is at its end.
 */
static int cage_ask(lua_State *L)
{
	struct cage *cage = luaL_checkudata(L, 1, CAGE);
	double deadline = now() + luaL_checknumber(L, 3);
	enum outcome outcome;
	size_t length = 0;
	uint64_t size;
	const char *bytes;

	if (!cage->pid)
		return refuse(L, NULL, 0, "gone");
	lua_settop(L, 2);
	cage_encode(L, 2);
	bytes = lua_tolstring(L, -1, &length);
	size = length;
	outcome = exchange(cage->fd, true, (char *)&size, sizeof(size), deadline);
	if (outcome == DONE)
		outcome = exchange(cage->fd, true, (char *)bytes, length, deadline);
	if (outcome != LATE)
		outcome = receive(L, cage->fd, deadline, &length);
	if (outcome != DONE) {
		cage_end(cage);
		return refuse(L, NULL, 0, outcome == LATE ? "late" : "gone");
	}
	bytes = lua_touserdata(L, -1);
	if (bytes[0] == 'F')
		return refuse(L, bytes + 1, length - 1, "fault");
	if (bytes[0] == 'R' && cage_decode(L, bytes + 1, length - 1))
		return 1;
	cage_end(cage);
	return refuse(L, NULL, 0, "gone");
}

static int cage_close(lua_State *L)
{
	cage_end(luaL_checkudata(L, 1, CAGE));
	return 0;
}

static const luaL_Reg cage_methods[] = {
	{"ask", cage_ask},
	{"close", cage_close},
	{NULL, NULL},
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

int luaopen_ecmp_cage(lua_State *L)
{
	luaL_newmetatable(L, CAGE);
	luaL_setfuncs(L, cage_meta, 0);
	luaL_newlib(L, cage_methods);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
