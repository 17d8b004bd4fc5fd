/*
 * Opens, makes and compares network namespaces, and reads and writes files within one.
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
		return sys_done(L, -1, "open namespace %s", ref);
	return 1;
}

/* netns_new() -> handle of a new namespace without a name */
static int sys_netns_new(lua_State *L)
{
	int *fd = sys_fd_handle(L, SYS_NETNS);

	*fd = netns_new();
	if (*fd < 0)
		return sys_fail(L, errno, "unshare");
	return 1;
}

/* bind(source, target) -> true; a bind mount */
static int sys_bind(lua_State *L)
{
	const char *source = sys_checkpath(L, 1), *target = sys_checkpath(L, 2);

	return sys_done(L, mount(source, target, NULL, MS_BIND, NULL), "mount %s", target);
}

/* share(path) -> true; shared mount propagation below path */
static int sys_share(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, mount(NULL, path, NULL, MS_SHARED | MS_REC, NULL), "share mount %s",
			path);
}

/* umount(path) -> true; lazily */
static int sys_umount(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW), "umount %s", path);
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
			return sys_done(L, -1, "open namespace %s", ref);
	}
	lua_pushboolean(L, st[0].st_dev == st[1].st_dev && st[0].st_ino == st[1].st_ino);
	return 1;
}

/*
 * The file is opened and used in the namespace: some handlers of /proc/sys/net look at the
 * namespace of the thread that reads or writes, not of the one that opened.
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

	if (fd < 0)
		return -1;
	while (total < in->size && (n = read(fd, in->buffer + total, in->size - total)) > 0)
		total += (size_t)n;
	return close_keeping_errno(fd, n < 0 ? -1 : (int)total);
}

static int write_inside(void *arg)
{
	struct inside *in = arg;
	int fd = open(in->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -1;
	return close_keeping_errno(fd, write(fd, in->text, in->size) < 0 ? -1 : 0);
}

/* netns_read(ref, path [, limit]) -> text; 64 KiB at most when no limit is given */
static int sys_netns_read(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	struct inside in = {.path = sys_checkpath(L, 2)};
	lua_Integer limit = luaL_optinteger(L, 3, 65536);
	luaL_Buffer text;
	int *fd, n;

	luaL_argcheck(L, limit >= 0 && limit <= SYS_LIMIT, 3, "limit out of range");
	fd = sys_fd_scoped(L);
	in.size = (size_t)limit + 1; /* one more than allowed, to notice a longer file */
	in.buffer = luaL_buffinitsize(L, &text, in.size);
	*fd = netns_open(ref);
	n = *fd < 0 ? -1 : netns_call(*fd, read_inside, &in);
	if (n < 0 || n > limit)
		return sys_fail(L, n < 0 ? errno : EFBIG, "read %s in namespace %s", in.path, ref);
	luaL_pushresultsize(&text, (size_t)n);
	return 1;
}

/* netns_write(ref, path, text) -> true */
static int sys_netns_write(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	struct inside in = {.path = sys_checkpath(L, 2)};
	int *fd, result;

	in.text = luaL_checklstring(L, 3, &in.size);
	fd = sys_fd_scoped(L);
	*fd = netns_open(ref);
	result = *fd < 0 ? -1 : netns_call(*fd, write_inside, &in);
	return sys_done(L, result, "write %s in namespace %s", in.path, ref);
}

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71 /* Linux 5.14 */
#endif

/*
 * netns_cookie(socket) -> the cookie of the socket's namespace, which unlike an inode number is
 * never used again.
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
