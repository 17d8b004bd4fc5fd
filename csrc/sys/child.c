/*
 * Starts and ends child processes. A child is owned by a userdata from the start, so an error of
 * Lua kills and reaps it and closes its pipes.
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

/* [child] -> []; kills a child that is still running */
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
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	return close_keeping_errno(fd, fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

/* Standard input as a file in memory, so that a child that does not read it blocks nothing. */
static int open_input(const char *text, size_t len)
{
	int fd;

	if (!text)
		return above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
	fd = above_stdio(memfd_create("stdin", MFD_CLOEXEC));
	if (fd < 0)
		return -1;
	if (sys_write_whole(fd, text, len) == 0 && lseek(fd, 0, SEEK_SET) == 0)
		return fd;
	return close_keeping_errno(fd, -1);
}

/* A pipe from the child, non-blocking at our end alone. */
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

/* A detached child writes to /dev/null, except stderr where it is passed on. */
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
	/* the host program may have descriptors without O_CLOEXEC, as of io.open */
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

/* The message of the intermediate process about the child it started. */
struct started {
	int error;
	pid_t pid;
};

/*
 * An intermediate process starts the detached child and exits, so that init reaps the child: a
 * long-lived caller would keep zombies. Returns 0 or an errno.
 */
static int spawn_orphan(const struct order *order, const posix_spawn_file_actions_t *actions,
			const posix_spawnattr_t *attr)
{
	struct started started = {.error = EAGAIN};
	struct child intermediate = {.pid = 0};
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	intermediate.pid = fork();
	if (intermediate.pid == 0) {
		started.error = spawn(order, actions, attr);
		started.pid = order->child->pid;
		_exit(sys_write_whole(ends[1], (const char *)&started, sizeof(started)) < 0);
	}
	if (intermediate.pid < 0)
		started.error = errno;
	close(ends[1]);
	if (intermediate.pid > 0) {
		if (!read_whole(ends[0], &started, sizeof(started)))
			started.error = EAGAIN;
		child_reap(&intermediate);
	}
	close(ends[0]);
	order->child->pid = started.pid;
	return started.error;
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

/* Retries ETXTBSY: the program is being installed and still open for writing. */
int child_start(struct order *order)
{
	double interval = 0.05;
	int result;

	for (int i = 0;; i++, interval *= 2) {
		if (order->nsfd >= 0)
			result = netns_call(order->nsfd, spawn_once, order);
		else
			result = spawn_once(order);
		if (result == 0)
			break;
		if (errno != ETXTBSY || i == BUSY_RETRIES)
			return -1;
		if (order->deadline >= 0 && clock_seconds() + interval >= order->deadline) {
			errno = ETXTBSY;
			return -1;
		}
		sys_pause(interval);
	}
	for (int i = 0; i < 3; i++)
		close_one(&order->child->stdio[i]);
	return 0;
}
