/*
 * A child process: what it gets, how it starts, how it is left alone, how it ends.
 *
 * It is owned by a userdata from its first moment, so an error raised anywhere in between (memory,
 * mostly) kills and reaps it and closes the pipes.
 */
#define _GNU_SOURCE
#include "sys/child.h"

#include "common/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/export.h"

#define CHILD "ecmp.child"

enum {
	BUSY_RETRIES = 5
};

void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void child_kill(const struct child *child)
{
	kill(child->group ? -child->pid : child->pid, SIGKILL);
}

int child_reap(struct child *child)
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

struct child *child_new(lua_State *L)
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

/* A detached child writes nowhere unless its stderr is passed on. */
static int open_outputs(const struct order *order, struct child *child, bool capture)
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

int child_streams(const struct order *order, const char *input, size_t len, bool capture)
{
	struct child *child = order->child;

	if (order->inherit && !input)
		return 0;
	child->stdio[0] = open_input(input, len);
	if (child->stdio[0] < 0)
		return -1;
	return order->inherit ? 0 : open_outputs(order, child, capture);
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

/* Returns 0 or an errno. */
static int spawn(const struct order *order, const posix_spawn_file_actions_t *actions,
		 const posix_spawnattr_t *attr)
{
	return posix_spawnp(&order->child->pid, order->argv[0], actions, attr, order->argv,
			    order->envp);
}

/* What the process in between says of the one it started. */
struct birth {
	int error;
	pid_t pid;
};

/*
 * A process in between starts the one that is left alone and ends at once, so that init gets to
 * reap it: a caller that lives on would keep each as a zombie. Returns 0 or an errno.
 */
static int spawn_orphan(const struct order *order, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr)
{
	struct birth birth = {.error = EAGAIN};
	struct child between = {.pid = 0};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	between.pid = fork();
	if (between.pid == 0) {
		birth.error = spawn(order, actions, attr);
		birth.pid = order->child->pid;
		_exit(sys_write_whole(ends[1], (const char *)&birth, sizeof(birth)) < 0);
	}
	if (between.pid < 0)
		birth.error = errno;
	close(ends[1]);
	if (between.pid > 0) {
		if (sys_read_once(ends[0], &birth, sizeof(birth)) != sizeof(birth))
			birth.error = EAGAIN;
		child_reap(&between);
	}
	close(ends[0]);
	order->child->pid = birth.pid;
	return birth.error;
}

/* The child inherits the namespace in which this runs. */
static int spawn_once(void *arg)
{
	const struct order *order = arg;
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
		error = (order->detach ? spawn_orphan : spawn)(order, &actions, &attr);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (!error)
		return 0;
	child->pid = 0;
	errno = error;
	return -1;
}

/* A file that is being written cannot be run: whoever installs it is done in a moment. */
int child_start(struct order *order)
{
	double distance = 0.05;
	int result;

	for (int i = 0;; i++, distance *= 2) {
		if (order->nsfd >= 0)
			result = netns_call(order->nsfd, spawn_once, order);
		else
			result = spawn_once(order);
		if (result == 0)
			break;
		if (errno != ETXTBSY || i == BUSY_RETRIES)
			return -1;
		if (order->deadline >= 0 && sys_monotonic() + distance >= order->deadline) {
			errno = ETXTBSY;
			return -1;
		}
		sys_pause(distance);
	}
	for (int i = 0; i < 3; i++)
		close_one(&order->child->stdio[i]);
	return 0;
}
