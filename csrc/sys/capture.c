/*
 * Collects the output of a child until its end or deadline.
 */
#define _GNU_SOURCE
#include "sys/child.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/export.h"

/*
 * The output of one stream, in a userdata that is replaced by a larger one: two luaL_Buffers cannot
 * grow at the same time on one stack.
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

/* Reads what is available; closes the pipe at its end. -1 when that is more than `limit`. */
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
 * Until the child itself ends, not a grandchild that keeps the pipes open. What is in the pipes by
 * then is read.
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
		int n = poll(items, 3, clock_remaining(deadline));

		if (n < 0 && (errno != EINTR || sys_stopped()))
			return FAILED;
		for (int i = 0; i < STREAMS; i++)
			if (capture_drain(L, captures + i, &child->pipe[i], limit) < 0)
				return TOO_MUCH;
		if (n > 0 && items[0].revents)
			return ENDED;
		if (clock_remaining(deadline) == 0)
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

int child_finish(lua_State *L, struct order *order, size_t limit)
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
