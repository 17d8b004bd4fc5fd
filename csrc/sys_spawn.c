/*
 * Running another program: to its end or to a deadline, with what it wrote, in any namespace.
 *
 * The child is owned by a userdata from its first moment, so an error raised anywhere in between
 * (memory, mostly) kills and reaps it and closes the pipes.
 */
#define _GNU_SOURCE
#include "netns.h"
#include "sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD "ecmp.child"

enum {
	OUT,
	ERR,
	STREAMS
};
enum {
	BUSY_RETRIES = 5
};

struct child {
	pid_t pid; /* 0 when there is none, or it has been waited for */
	int pidfd;
	bool group; /* it leads a process group of its own */
	int pipe[STREAMS];
	int stdio[3]; /* what the child gets; -1 means the caller's own */
};

/* What is to be run: pointers into Lua strings that the options table keeps. */
struct order {
	char **argv;
	char **envp;
	int nsfd;
	bool inherit, detach;
	double deadline;
	struct child *child;
};

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void child_kill(const struct child *child)
{
	kill(child->group ? -child->pid : child->pid, SIGKILL);
}

/* Returns the status as waitpid(2) gives it, or -1 with errno set. */
static int child_reap(struct child *child)
{
	int status = -1;
	pid_t pid;

	do
		pid = waitpid(child->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	child->pid = 0;
	return pid < 0 ? -1 : status;
}

/* [child] -> []; a child that is still there did not get to its end: it goes */
static int child_close(lua_State *L)
{
	struct child *child = luaL_checkudata(L, 1, CHILD);

	if (child->pid > 0) {
		child_kill(child);
		child_reap(child);
	}
	close_one(&child->pidfd);
	for (int i = 0; i < STREAMS; i++)
		close_one(&child->pipe[i]);
	for (int i = 0; i < 3; i++)
		close_one(&child->stdio[i]);
	return 0;
}

void sys_spawn_metatable(lua_State *L)
{
	static const luaL_Reg meta[] = {
		{"__gc", child_close},
		{"__close", child_close},
		{NULL, NULL},
	};

	luaL_newmetatable(L, CHILD);
	luaL_setfuncs(L, meta, 0);
	lua_pop(L, 1);
}

/* [] -> [child] */
static struct child *child_new(lua_State *L)
{
	struct child *child = lua_newuserdatauv(L, sizeof(*child), 0);

	*child = (struct child){
		.pidfd = -1,
		.pipe = {-1, -1},
		.stdio = {-1, -1, -1},
	};
	luaL_setmetatable(L, CHILD);
	lua_toclose(L, -1);
	return child;
}

/* Moves a descriptor out of 0..2, where dup2 in the child would overwrite it. */
static int above_stdio(int fd)
{
	int moved, error;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	error = errno;
	close(fd);
	errno = error;
	return moved;
}

/*
 * Standard input from memory, as a file: nothing to feed, nothing that can block or break when the
 * child does not read it.
 */
static int open_input(const char *text, size_t len)
{
	int fd, error;

	if (!text)
		return above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = above_stdio(memfd_create("stdin", MFD_CLOEXEC));
	if (fd < 0)
		return -1;
	if (sys_write_whole(fd, text, len) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

/* A pipe from the child: only our end is non-blocking, the child finds an ordinary one. */
static int open_pipe(int *ours, int *theirs)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	*ours = above_stdio(ends[0]);
	*theirs = above_stdio(ends[1]);
	if (*ours < 0 || *theirs < 0)
		return -1;
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int spawn_actions(const struct child *child, posix_spawn_file_actions_t *actions)
{
	for (int i = 0; i < 3; i++) {
		int error = 0;

		if (child->stdio[i] >= 0)
			error = posix_spawn_file_actions_adddup2(actions, child->stdio[i], i);
		if (error)
			return error;
	}
	/* what the host program opened without O_CLOEXEC, as Lua's io.open does, is not for it */
	return posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
}

/* The child starts with no signal blocked, ignored or handled, whatever this process does. */
static void spawn_attributes(const struct order *order, posix_spawnattr_t *attr)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t set;

	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attr, &set);
	if (order->detach)
		flags |= POSIX_SPAWN_SETSID;
	else if (order->child->group)
		flags |= POSIX_SPAWN_SETPGROUP;
	posix_spawnattr_setflags(attr, flags);
}

/* Runs in the namespace's thread when there is one: the child inherits that thread's namespace. */
static int spawn_once(void *arg)
{
	struct order *order = arg;
	struct child *child = order->child;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int error = posix_spawn_file_actions_init(&actions);

	if (error) {
		errno = error;
		return -1;
	}
	posix_spawnattr_init(&attr); /* cannot fail in glibc and musl */
	spawn_attributes(order, &attr);
	error = spawn_actions(child, &actions);
	if (!error)
		error = posix_spawnp(&child->pid, order->argv[0], &actions, &attr, order->argv,
				     order->envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (!error)
		return 0;
	child->pid = 0;
	errno = error;
	return -1;
}

/* A file that is being written cannot be run: whoever installs it is done in a moment. */
static int spawn_child(struct order *order)
{
	double distance = 0.05;
	int result;

	for (int i = 0;; i++, distance *= 2) {
		if (order->nsfd >= 0)
			result = netns_call(order->nsfd, spawn_once, order);
		else
			result = spawn_once(order);
		if (result == 0 || errno != ETXTBSY || i == BUSY_RETRIES)
			return result;
		if (order->deadline >= 0 && sys_monotonic() + distance >= order->deadline) {
			errno = ETXTBSY;
			return -1;
		}
		sys_pause(distance);
	}
}

/*
 * What a stream has given so far. It lives in a userdata that is replaced by a bigger one: two of
 * luaL_Buffer cannot grow side by side on one stack.
 */
struct capture {
	size_t len, size;
	char data[];
};

static struct capture *capture_new(lua_State *L, size_t size)
{
	struct capture *capture = lua_newuserdatauv(L, sizeof(*capture) + size, 0);

	capture->len = 0;
	capture->size = size;
	return capture;
}

/* Makes room in the capture at stack index `at`. */
static struct capture *capture_room(lua_State *L, int at)
{
	struct capture *old = lua_touserdata(L, at), *wide;

	if (old->len < old->size)
		return old;
	wide = capture_new(L, old->size * 2);
	memcpy(wide->data, old->data, old->len);
	wide->len = old->len;
	lua_replace(L, at);
	return wide;
}

/* Takes what is there now. Closes the pipe at its end. Returns -1 when it is more than `limit`. */
static int capture_drain(lua_State *L, int at, int *fd, size_t limit)
{
	while (*fd >= 0) {
		struct capture *capture = capture_room(L, at);
		ssize_t n = sys_read_once(*fd, capture->data + capture->len,
					  capture->size - capture->len);

		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			close_one(fd);
		else
			capture->len += (size_t)n;
		if (capture->len > limit)
			return -1;
	}
	return 0;
}

enum outcome {
	ENDED,
	TIMED_OUT,
	TOO_MUCH,
	FAILED
};

/*
 * Until the child itself ends: a grandchild that keeps the pipes open is not waited for. What was
 * in the pipes by then is read.
 */
static enum outcome child_follow(lua_State *L, struct child *child, int captures, size_t limit,
				 double deadline)
{
	for (;;) {
		struct pollfd items[] = {
			{.fd = child->pidfd, .events = POLLIN},
			{.fd = child->pipe[OUT], .events = POLLIN},
			{.fd = child->pipe[ERR], .events = POLLIN},
		};
		int n = poll(items, 3, sys_remaining(deadline));

		if (n < 0 && (errno != EINTR || sys_stopped()))
			return FAILED;
		for (int i = 0; i < STREAMS; i++)
			if (capture_drain(L, captures + i, &child->pipe[i], limit) < 0)
				return TOO_MUCH;
		if (n > 0 && items[0].revents)
			return ENDED;
		if (sys_remaining(deadline) == 0)
			return TIMED_OUT;
	}
}

/* [..., captures] -> [result table] */
static int push_result(lua_State *L, int status, int captures, bool timed_out)
{
	static const char *const names[STREAMS] = {"stdout", "stderr"};

	lua_createtable(L, 0, 4);
	for (int i = 0; i < STREAMS; i++) {
		const struct capture *capture = lua_touserdata(L, captures + i);

		lua_pushlstring(L, capture->data, capture->len);
		lua_setfield(L, -2, names[i]);
	}
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	lua_setfield(L, -2, WIFEXITED(status) ? "status" : "signal");
	lua_pushboolean(L, timed_out);
	lua_setfield(L, -2, "timedout");
	return 1;
}

/* [] -> [result], or as sys_fail */
static int child_finish(lua_State *L, struct order *order, size_t limit)
{
	struct child *child = order->child;
	int captures = lua_gettop(L) + 1, status;
	enum outcome outcome;

	for (int i = 0; i < STREAMS; i++)
		capture_new(L, 4096);
	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0)
		return sys_fail(L, errno, "wait for %s", order->argv[0]);
	outcome = child_follow(L, child, captures, limit, order->deadline);
	if (outcome == FAILED)
		return sys_fail(L, errno, "wait for %s", order->argv[0]);
	if (outcome == TOO_MUCH)
		return sys_fail(L, EFBIG, "%s wrote more than %I bytes", order->argv[0],
				(lua_Integer)limit);
	if (outcome == TIMED_OUT)
		child_kill(child);
	status = child_reap(child);
	if (status < 0)
		return sys_fail(L, errno, "wait for %s", order->argv[0]);
	return push_result(L, status, captures, outcome == TIMED_OUT);
}

/* [list on top] -> [list, pointers]: a NULL-terminated array of its strings, which the list keeps
 */
static char **check_strings(lua_State *L, const char *key, lua_Integer least)
{
	lua_Integer count;
	char **list;

	if (!lua_istable(L, -1))
		luaL_error(L, "%s: a list of strings expected, got %s", key, luaL_typename(L, -1));
	count = (lua_Integer)lua_rawlen(L, -1);
	if (count < least)
		luaL_error(L, "%s: must not be empty", key);
	list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*list), 0);
	for (lua_Integer i = 0; i < count; i++) {
		size_t len;

		if (lua_rawgeti(L, -2, i + 1) != LUA_TSTRING)
			luaL_error(L, "%s[%I]: a string expected, got %s", key, i + 1,
				   luaL_typename(L, -1));
		list[i] = (char *)lua_tolstring(L, -1, &len); /* exec changes nothing */
		if (strlen(list[i]) != len)
			luaL_error(L, "%s[%I]: has a NUL byte", key, i + 1);
		lua_pop(L, 1);
	}
	list[count] = NULL;
	return list;
}

/* [] -> [values that must stay]: reads argv and env */
static void check_program(lua_State *L, struct order *order)
{
	lua_getfield(L, 1, "argv");
	order->argv = check_strings(L, "argv", 1);
	order->envp = environ;
	if (lua_getfield(L, 1, "env") != LUA_TNIL)
		order->envp = check_strings(L, "env", 0);
}

/* [] -> [captured?]; whether the child's stderr is to be kept for the result */
static bool check_stderr(lua_State *L)
{
	const char *word = sys_optstring(L, 1, "stderr", NULL);

	if (word && strcmp(word, "pass") && strcmp(word, "capture"))
		luaL_error(L, "stderr: must be \"pass\" or \"capture\", got \"%s\"", word);
	return !word || !strcmp(word, "capture");
}

/* A detached child writes nowhere unless its stderr is passed on. */
static int open_streams(const struct order *order, struct child *child, bool capture)
{
	if (order->detach) {
		child->stdio[1] = above_stdio(open("/dev/null", O_WRONLY | O_CLOEXEC));
		if (child->stdio[1] < 0 || !capture)
			return child->stdio[1];
		child->stdio[2] = fcntl(child->stdio[1], F_DUPFD_CLOEXEC, 3);
		return child->stdio[2];
	}
	if (open_pipe(&child->pipe[OUT], &child->stdio[1]) < 0)
		return -1;
	return capture ? open_pipe(&child->pipe[ERR], &child->stdio[2]) : 0;
}

/* [] -> [input]; opens what the child's 0, 1, 2 will be. Returns 0, or -1 with errno set. */
static int open_stdio(lua_State *L, const struct order *order, struct child *child)
{
	bool capture = check_stderr(L);
	size_t len = 0;
	const char *input = sys_optstring(L, 1, "stdin", &len);

	if (order->inherit && !input)
		return 0;
	child->stdio[0] = open_input(input, len);
	if (child->stdio[0] < 0)
		return -1;
	return order->inherit ? 0 : open_streams(order, child, capture);
}

/* [] -> [nsfd owner?]; opens the namespace the child is to run in. Returns NULL, or its reference.
 */
static const char *open_namespace(lua_State *L, struct order *order)
{
	const char *ref;
	int *fd;

	order->nsfd = -1;
	if (lua_getfield(L, 1, "netns") == LUA_TNIL)
		return NULL;
	ref = sys_checkref(L, lua_gettop(L));
	fd = sys_fd_scoped(L);
	*fd = order->nsfd = netns_open(ref);
	return ref;
}

/* Leaves the child to itself: it is init's to reap once we are gone, and ours to forget now. */
static int child_leave(lua_State *L, struct child *child)
{
	pid_t pid = child->pid;

	child->pid = 0;
	lua_createtable(L, 0, 1);
	lua_pushinteger(L, pid);
	lua_setfield(L, -2, "pid");
	return 1;
}

static void check_order(lua_State *L, struct order *order)
{
	static const char *const known[] = {"argv",   "env",	 "stdin",  "timeout", "netns",
					    "stderr", "inherit", "detach", "limit",   NULL};

	sys_checkoptions(L, 1, known);
	order->inherit = sys_optbool(L, 1, "inherit", false);
	order->detach = sys_optbool(L, 1, "detach", false);
	if (order->inherit && order->detach)
		luaL_error(L, "detach: a child that is left alone cannot inherit the terminal");
	check_program(L, order);
}

/*
 * spawn { argv =, env =, stdin =, timeout =, netns =, stderr =, inherit =, detach =, limit = }
 *   -> { status | signal, stdout, stderr, timedout }
 *
 * With `inherit` the child stays in the caller's process group, so that it may use the terminal,
 * unless there is a deadline: what is killed then must be a group of its own. With `detach` it gets
 * a session of its own, nobody waits for it, and the result is { pid = }.
 */
static int sys_spawn(lua_State *L)
{
	struct order order = {0};
	struct child *child;
	lua_Number timeout;
	lua_Integer limit;
	const char *ref;

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	check_order(L, &order);
	timeout = sys_optseconds(L, 1, "timeout", -1);
	limit = sys_optint(L, 1, "limit", SYS_LIMIT);
	if (limit < 0)
		return luaL_error(L, "limit: must not be negative");
	order.deadline = sys_deadline(timeout);
	ref = open_namespace(L, &order);
	if (ref && order.nsfd < 0)
		return sys_fail(L, errno, "spawn %s: open namespace %s", order.argv[0], ref);
	child = order.child = child_new(L);
	child->group = !order.inherit || order.deadline >= 0;
	if (open_stdio(L, &order, child) < 0 || spawn_child(&order) < 0)
		return sys_fail(L, errno, "spawn %s", order.argv[0]);
	for (int i = 0; i < 3; i++)
		close_one(&child->stdio[i]);
	return order.detach ? child_leave(L, child) : child_finish(L, &order, (size_t)limit);
}

const luaL_Reg sys_spawn_functions[] = {
	{"spawn", sys_spawn},
	{NULL, NULL},
};
