/*
 * Network namespaces for scripts: handles, comparison, and files seen from inside one.
 */
#define _GNU_SOURCE
#include "common/netns.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/export.h"

const char *sys_checkref(lua_State *L, int arg)
{
	size_t len;
	const char *ref = luaL_tolstring(L, arg, &len);
	int type = lua_type(L, arg);

	lua_replace(L, arg);
	luaL_argexpected(L, type == LUA_TSTRING || type == LUA_TNUMBER, arg,
			 "path, name or pid of a namespace");
	luaL_argcheck(L, len > 0 && strlen(ref) == len, arg, "not a namespace reference");
	return ref;
}

/* netns_open(ref) -> handle with fd and close */
static int sys_netns_open(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	int *fd = sys_fd_handle(L, SYS_NETNS);

	*fd = netns_open(ref);
	if (*fd < 0)
		return sys_done(L, -1, "open namespace", ref);
	return 1;
}

/* netns_new() -> handle of a fresh namespace without a name; it goes with its last handle */
static int sys_netns_new(lua_State *L)
{
	int *fd = sys_fd_handle(L, SYS_NETNS);
	int error;

	*fd = netns_new();
	error = errno;
	if (*fd < 0)
		return sys_fail(L, error, "unshare");
	return 1;
}

/* bind(source, target) -> true; what is at source is at target too */
static int sys_bind(lua_State *L)
{
	const char *source = sys_checkpath(L, 1), *target = sys_checkpath(L, 2);

	return sys_done(L, mount(source, target, NULL, MS_BIND, NULL), "mount", target);
}

/* share(path) -> true; mounts below path are seen in the mount namespaces made from this one */
static int sys_share(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL), "share mount", path);
}

/* umount(path) -> true; who still uses it may go on */
static int sys_umount(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW), "umount", path);
}

/* same_netns(a, b) -> boolean */
static int sys_same_netns(lua_State *L)
{
	struct stat st[2];

	for (int i = 0; i < 2; i++) {
		const char *ref = sys_checkref(L, i + 1);
		int *fd = sys_fd_scoped(L);

		*fd = netns_open(ref);
		if (*fd < 0 || fstat(*fd, &st[i]) < 0)
			return sys_done(L, -1, "open namespace", ref);
	}
	lua_pushboolean(L, st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino);
	return 1;
}

/*
 * The file is opened *and* used by the one that is inside: some handlers of /proc/sys/net ask
 * for the namespace of the one who reads or writes, not of the one who opened.
 */
struct inside {
	const char *path;
	char *buffer;
	const char *text;
	size_t size;
};

static int read_inside(void *arg)
{
	struct inside *in = arg;
	int fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t total = 0;
	ssize_t n = -1;
	int error;

	if (fd < 0)
		return -1;
	while (total < in->size && (n = read(fd, in->buffer + total, in->size - total)) > 0)
		total += (size_t)n;
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : (int)total;
}

static int write_inside(void *arg)
{
	struct inside *in = arg;
	int fd = open(in->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n;
	int error;

	if (fd < 0)
		return -1;
	n = write(fd, in->text, in->size);
	error = errno;
	close(fd);
	errno = error;
	return n < 0 ? -1 : 0;
}

static int fail_inside(lua_State *L, int error, const char *verb, const char *path)
{
	return sys_fail(L, error, "%s %s in namespace %s", verb, path, lua_tostring(L, 1));
}

/* netns_read(ref, path [, limit]) -> text; 64 KiB at most when no limit is given */
static int sys_netns_read(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	struct inside in = {.path = sys_checkpath(L, 2)};
	lua_Integer limit = luaL_optinteger(L, 3, 65536);
	luaL_Buffer text;
	int *fd, n, error;

	luaL_argcheck(L, limit >= 0 && limit <= SYS_LIMIT, 3, "limit out of range");
	fd = sys_fd_scoped(L);
	in.size = (size_t)limit + 1; /* one more shows that there is more */
	in.buffer = luaL_buffinitsize(L, &text, in.size);
	*fd = netns_open(ref);
	n = *fd < 0 ? -1 : netns_call(*fd, read_inside, &in);
	error = errno;
	if (n < 0)
		return fail_inside(L, error, "read", in.path);
	if (n > limit)
		return fail_inside(L, EFBIG, "read", in.path);
	luaL_pushresultsize(&text, (size_t)n);
	return 1;
}

/* netns_write(ref, path, text) -> true */
static int sys_netns_write(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	struct inside in = {.path = sys_checkpath(L, 2)};
	int *fd, n, error;

	in.text = luaL_checklstring(L, 3, &in.size);
	fd = sys_fd_scoped(L);
	*fd = netns_open(ref);
	n = *fd < 0 ? -1 : netns_call(*fd, write_inside, &in);
	error = errno;
	if (n < 0)
		return fail_inside(L, error, "write", in.path);
	lua_pushboolean(L, true);
	return 1;
}

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/*
 * netns_cookie(socket) -> the number of the namespace that a socket is in. Unlike an inode it is
 * not given again when the namespace is gone.
 */
static int sys_netns_cookie(lua_State *L)
{
	int fd = (int)luaL_checkinteger(L, 1);
	uint64_t cookie;
	socklen_t size = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) < 0)
		return sys_fail(L, errno, "netns_cookie of descriptor %d", fd);
	lua_pushinteger(L, (lua_Integer)cookie);
	return 1;
}

const luaL_Reg sys_netns_functions[] = {
	{"netns_open", sys_netns_open},
	{"netns_new", sys_netns_new},
	{"bind", sys_bind},
	{"share", sys_share},
	{"umount", sys_umount},
	{"same_netns", sys_same_netns},
	{"netns_cookie", sys_netns_cookie},
	{"netns_read", sys_netns_read},
	{"netns_write", sys_netns_write},
	{NULL, NULL},
};
