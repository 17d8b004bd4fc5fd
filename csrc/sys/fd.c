/*
 * Owns, reads, writes and polls descriptors.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/export.h"

#define SCOPED "ecmp.fd"

enum {
	FIRST_READ = 4096,
	LARGEST_READ = 1024 * 1024
};

/* The methods of a handle have its name as upvalue, so that none works on another type. */
static int *check_handle(lua_State *L)
{
	return luaL_checkudata(L, 1, lua_tostring(L, lua_upvalueindex(1)));
}

/* [handle] -> []; closing twice is fine. For a lock, closing is what gives it back. */
static int handle_close(lua_State *L)
{
	int *fd = check_handle(L);
	int owned = *fd;

	*fd = -1;
	if (owned >= 0)
		close(owned);
	return 0;
}

/* [handle] -> [integer] */
static int handle_fd(lua_State *L)
{
	int *fd = check_handle(L);

	luaL_argcheck(L, *fd >= 0, 1, "handle is closed");
	lua_pushinteger(L, *fd);
	return 1;
}

/* [handle] -> [text] */
static int handle_tostring(lua_State *L)
{
	int *fd = check_handle(L);
	const char *name = lua_tostring(L, lua_upvalueindex(1));

	if (*fd < 0)
		lua_pushfstring(L, "%s (closed)", name);
	else
		lua_pushfstring(L, "%s (fd %d)", name, *fd);
	return 1;
}

static const luaL_Reg handle_meta[] = {
	{"__gc", handle_close},	 {"__close", handle_close}, {"__tostring", handle_tostring},
	{"close", handle_close}, {"fd", handle_fd},	    {NULL, NULL},
};

void sys_fd_metatables(lua_State *L)
{
	static const char *const names[] = {SCOPED,  SYS_LOCK,	  SYS_NETNS,
					    SYS_UDP, SYS_NETLINK, SYS_PROBE};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		luaL_newmetatable(L, names[i]);
		lua_pushstring(L, names[i]);
		luaL_setfuncs(L, handle_meta, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, -2, "__index");
		lua_pop(L, 1);
	}
}

int *sys_fd_handle(lua_State *L, const char *name)
{
	int *fd = lua_newuserdatauv(L, sizeof(*fd), 0);

	*fd = -1;
	luaL_setmetatable(L, name);
	return fd;
}

int *sys_fd_scoped(lua_State *L)
{
	int *fd = sys_fd_handle(L, SCOPED);

	lua_toclose(L, -1);
	return fd;
}

ssize_t sys_read_once(int fd, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Waits for a descriptor that another program made non-blocking; false where an interrupt ends the
 * wait, with errno set. */
static bool wait_ready(int fd, short events)
{
	struct pollfd item = {.fd = fd, .events = events};

	return poll(&item, 1, -1) >= 0 || errno != EINTR || !sys_stopped();
}

static int write_loop(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n >= 0) {
			text += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (!wait_ready(fd, POLLOUT))
				return -1;
		} else if (errno != EINTR || sys_stopped()) {
			return -1;
		}
	}
	return 0;
}

/*
 * SIGPIPE is blocked and removed from the queue, so that the program's own disposition stays as it
 * is. One that was pending before is left.
 */
int sys_write_whole(int fd, const char *text, size_t len)
{
	const struct timespec now = {0, 0};
	sigset_t pipe, before, pending;
	int result, error;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	result = write_loop(fd, text, len);
	error = errno;
	if (result < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
			continue;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return result;
}

int sys_slurp(lua_State *L, int fd, size_t limit, const char *what)
{
	luaL_Buffer text;
	size_t total = 0, size = FIRST_READ;

	luaL_buffinit(L, &text);
	for (;;) {
		ssize_t n = read(fd, luaL_prepbuffsize(&text, size), size);
		int error = errno;

		if (n < 0 &&
		    (error == EAGAIN ? wait_ready(fd, POLLIN) : error == EINTR && !sys_stopped()))
			continue;
		if (n < 0)
			return sys_fail(L, error, "%s", what);
		if (n == 0)
			break;
		total += (size_t)n;
		if (total > limit)
			return sys_fail(L, EFBIG, "%s: more than %I bytes", what,
					(lua_Integer)limit);
		luaL_addsize(&text, (size_t)n);
		if ((size_t)n == size && size < LARGEST_READ)
			size *= 2;
	}
	luaL_pushresult(&text);
	return 1;
}

static int check_fd(lua_State *L, int arg)
{
	lua_Integer fd = luaL_checkinteger(L, arg);

	luaL_argcheck(L, fd >= 0 && fd <= INT32_MAX, arg, "descriptor out of range");
	return (int)fd;
}

size_t sys_optlimit(lua_State *L, int arg)
{
	lua_Integer limit = luaL_optinteger(L, arg, SYS_LIMIT);

	luaL_argcheck(L, limit >= 0, arg, "limit must not be negative");
	return (size_t)limit;
}

/* read_fd(fd [, limit]) -> everything until the end of input */
static int sys_read_fd(lua_State *L)
{
	int fd = check_fd(L, 1);
	size_t limit = sys_optlimit(L, 2);

	return sys_slurp(L, fd, limit, lua_pushfstring(L, "read descriptor %d", fd));
}

/* read_some(fd [, limit]) -> what one read(2) gives, "" at the end of input */
static int sys_read_some(lua_State *L)
{
	int fd = check_fd(L, 1);
	lua_Integer limit = luaL_optinteger(L, 2, 65536);
	luaL_Buffer text;
	ssize_t n;

	luaL_argcheck(L, limit > 0, 2, "limit must be positive");
	luaL_buffinitsize(L, &text, (size_t)limit);
	do
		n = read(fd, luaL_buffaddr(&text), (size_t)limit);
	while (n < 0 && errno == EINTR && !sys_stopped());
	if (n < 0)
		return sys_fail(L, errno, "read descriptor %d", fd);
	luaL_pushresultsize(&text, (size_t)n);
	return 1;
}

/* write_fd(fd, text) -> true, all of it written */
static int sys_write_fd(lua_State *L)
{
	int fd = check_fd(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);

	return sys_done(L, sys_write_whole(fd, text, len), "write descriptor %d", fd);
}

/* [..., item] -> []; a number, or anything with a method fd */
static int item_fd(lua_State *L, lua_Integer index)
{
	lua_Integer fd;
	int isint = true;

	if (lua_type(L, -1) == LUA_TUSERDATA || lua_type(L, -1) == LUA_TTABLE) {
		lua_getfield(L, -1, "fd");
		lua_insert(L, -2);
		lua_call(L, 1, 1);
	}
	fd = lua_tointegerx(L, -1, &isint);
	if (!isint || fd < 0 || fd > INT32_MAX)
		luaL_error(L, "[%I]: a descriptor or a handle expected, got %s", index,
			   luaL_typename(L, -1));
	lua_pop(L, 1);
	return (int)fd;
}

static int poll_until(struct pollfd *items, size_t count, double deadline)
{
	int n;

	do
		n = poll(items, count, clock_remaining(deadline));
	while ((n < 0 && errno == EINTR && !sys_stopped()) ||
	       (n == 0 && clock_remaining(deadline) != 0));
	return n;
}

/*
 * poll(items [, seconds]) -> the items that are readable or at their end, in order; none at the
 * deadline.
 */
static int sys_poll(lua_State *L)
{
	lua_Number seconds = luaL_optnumber(L, 2, -1);
	struct pollfd *items;
	lua_Integer count;
	int n;

	luaL_checktype(L, 1, LUA_TTABLE);
	count = luaL_len(L, 1);
	items = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*items), 0);
	for (lua_Integer i = 0; i < count; i++) {
		lua_geti(L, 1, i + 1);
		items[i] = (struct pollfd){.fd = item_fd(L, i + 1), .events = POLLIN};
	}
	n = poll_until(items, (size_t)count, sys_deadline(seconds));
	if (n < 0)
		return sys_fail(L, errno, "poll");
	lua_createtable(L, n, 0);
	for (lua_Integer i = 0, ready = 0; i < count; i++) {
		if (!items[i].revents)
			continue;
		lua_geti(L, 1, i + 1);
		lua_seti(L, -2, ++ready);
	}
	return 1;
}

/* isatty(fd) -> boolean */
static int sys_isatty(lua_State *L)
{
	lua_pushboolean(L, isatty(check_fd(L, 1)));
	return 1;
}

/* winsize([fd]) -> columns, rows of the terminal; standard output's by default */
static int sys_winsize(lua_State *L)
{
	struct winsize size;
	int fd = lua_isnoneornil(L, 1) ? STDOUT_FILENO : check_fd(L, 1);

	if (ioctl(fd, TIOCGWINSZ, &size) < 0)
		return sys_fail(L, errno, "window size of descriptor %d", fd);
	lua_pushinteger(L, size.ws_col);
	lua_pushinteger(L, size.ws_row);
	return 2;
}

const luaL_Reg sys_fd_functions[] = {
	{"read_fd", sys_read_fd},
	{"read_some", sys_read_some},
	{"write_fd", sys_write_fd},
	{"poll", sys_poll},
	{"isatty", sys_isatty},
	{"winsize", sys_winsize},
	{NULL, NULL},
};
