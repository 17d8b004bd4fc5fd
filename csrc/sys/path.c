/*
 * Lists, makes, moves and removes files and directories, and reads their attributes.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/export.h"

/* A system call with one path. */
static int on_path(lua_State *L, int (*call)(const char *), const char *verb)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, call(path), "%s %s", verb, path);
}

static int sys_unlink(lua_State *L)
{
	return on_path(L, unlink, "unlink");
}

static int sys_rmdir(lua_State *L)
{
	return on_path(L, rmdir, "rmdir");
}

/* A system call with two paths. */
static int on_paths(lua_State *L, int (*call)(const char *, const char *), const char *verb)
{
	const char *from = sys_checkpath(L, 1), *to = sys_checkpath(L, 2);

	return sys_done(L, call(from, to), "%s %s %s", verb, from, to);
}

static int sys_rename(lua_State *L)
{
	return on_paths(L, rename, "rename");
}

static int sys_link(lua_State *L)
{
	return on_paths(L, link, "link");
}

/* symlink(target, path) */
static int sys_symlink(lua_State *L)
{
	return on_paths(L, symlink, "symlink");
}

static int sys_chmod(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	luaL_checkinteger(L, 2);
	return sys_done(L, chmod(path, sys_optmode(L, 2, 0)), "chmod %s", path);
}

static int sys_readlink(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target));

	if (n < 0)
		return sys_done(L, -1, "readlink %s", path);
	lua_pushlstring(L, target, (size_t)n);
	return 1;
}

static int sys_realpath(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	char resolved[PATH_MAX];

	if (!realpath(path, resolved))
		return sys_done(L, -1, "realpath %s", path);
	lua_pushstring(L, resolved);
	return 1;
}

/* mkdtemp(prefix) -> the path of a new directory that only its owner may enter */
static int sys_mkdtemp(lua_State *L)
{
	const char *prefix = sys_checkpath(L, 1);
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%sXXXXXX", prefix);

	if (len < 0 || (size_t)len >= sizeof(path))
		return sys_fail(L, ENAMETOOLONG, "mkdtemp %s", prefix);
	if (!mkdtemp(path))
		return sys_done(L, -1, "mkdtemp %s", prefix);
	lua_pushstring(L, path);
	return 1;
}

/* An existing directory is fine. */
static int make_one(const char *path, mode_t mode)
{
	struct stat st;
	int error;

	if (mkdir(path, mode) == 0)
		return 0;
	error = errno;
	/* some file systems return EROFS or EACCES instead of EEXIST */
	errno = error;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	/* where something is there that cannot be looked at, this is the reason */
	if (error != EEXIST || errno == ENOENT)
		errno = error;
	return -1;
}

static int make_all(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (make_one(path, mode) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	memcpy(part, path, len + 1);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (make_one(part, mode) < 0)
			return -1;
		*slash = '/';
	}
	return make_one(path, mode);
}

/* mkdir(path [, mode]) -> true; with its parents, true if it exists */
static int sys_mkdir(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);

	return sys_done(L, make_all(path, sys_optmode(L, 2, 0755)), "mkdir %s", path);
}

static const char *type_name(mode_t mode)
{
	static const struct {
		mode_t type;
		const char *name;
	} types[] = {
		{S_IFREG, "file"},    {S_IFDIR, "dir"},	 {S_IFLNK, "link"},  {S_IFIFO, "fifo"},
		{S_IFSOCK, "socket"}, {S_IFCHR, "char"}, {S_IFBLK, "block"},
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((mode & S_IFMT) == types[i].type)
			return types[i].name;
	return "unknown";
}

static lua_Integer nanoseconds(struct timespec moment)
{
	return (lua_Integer)moment.tv_sec * 1000000000 + moment.tv_nsec;
}

/* [] -> [table] */
static void push_stat(lua_State *L, const struct stat *st)
{
	const struct {
		const char *name;
		lua_Integer value;
	} fields[] = {
		{"mode", st->st_mode & 07777},
		{"uid", st->st_uid},
		{"gid", st->st_gid},
		{"size", st->st_size},
		{"ino", (lua_Integer)st->st_ino},
		{"dev", (lua_Integer)st->st_dev},
		{"nlink", (lua_Integer)st->st_nlink},
		{"mtime_ns", nanoseconds(st->st_mtim)},
		{"ctime_ns", nanoseconds(st->st_ctim)},
	};

	lua_createtable(L, 0, 12);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		lua_pushinteger(L, fields[i].value);
		lua_setfield(L, -2, fields[i].name);
	}
	lua_pushnumber(L, (lua_Number)nanoseconds(st->st_mtim) / 1e9);
	lua_setfield(L, -2, "mtime");
	lua_pushstring(L, type_name(st->st_mode));
	lua_setfield(L, -2, "type");
}

/* stat(path) -> { type, mode, uid, gid, size, ino, dev, nlink, mtime, mtime_ns, ctime_ns, fstype }
 */
static int sys_stat(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	struct statfs fs;
	struct stat st;

	if (stat(path, &st) < 0 || statfs(path, &fs) < 0)
		return sys_done(L, -1, "stat %s", path);
	push_stat(L, &st);
	lua_pushinteger(L, (lua_Integer)(unsigned long)fs.f_type);
	lua_setfield(L, -2, "fstype");
	return 1;
}

/* lstat(path): of a symbolic link itself; without fstype */
static int sys_lstat(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	struct stat st;

	if (lstat(path, &st) < 0)
		return sys_done(L, -1, "lstat %s", path);
	push_stat(L, &st);
	return 1;
}

/* [table] -> [table]: adds the names in one block of directory entries; returns how many */
static lua_Integer add_names(lua_State *L, const char *block, ssize_t size, lua_Integer count)
{
	for (ssize_t at = 0; at < size;) {
		const struct dirent64 *entry = (const void *)(block + at);

		at += entry->d_reclen;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		lua_pushstring(L, entry->d_name);
		lua_rawseti(L, -2, ++count);
	}
	return count;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* [table] -> [sorted table]: the old table keeps the strings alive */
static void sort_names(lua_State *L, lua_Integer count)
{
	const char **names = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*names), 0);

	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, -2, i + 1);
		names[i] = lua_tostring(L, -1);
		lua_pop(L, 1);
	}
	qsort(names, (size_t)count, sizeof(*names), by_bytes);
	lua_createtable(L, (int)count, 0);
	for (lua_Integer i = 0; i < count; i++) {
		lua_pushstring(L, names[i]);
		lua_rawseti(L, -2, i + 1);
	}
}

/* list(path) -> the names in a directory, sorted by bytes, without "." and ".." */
static int sys_list(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	_Alignas(struct dirent64) char block[32768];
	int *fd = sys_fd_scoped(L);
	lua_Integer count = 0;
	ssize_t n = -1;

	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	lua_newtable(L);
	/* by getdents64, since an error of Lua would leak a DIR */
	while (*fd >= 0 && (n = getdents64(*fd, block, sizeof(block))) > 0)
		count = add_names(L, block, n, count);
	if (n < 0)
		return sys_done(L, -1, "list %s", path);
	sort_names(L, count);
	return 1;
}

/* set_mtime(path, nanoseconds) -> true; as stat's mtime_ns, the access time stays */
static int sys_set_mtime(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	lua_Integer moment = luaL_checkinteger(L, 2);
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000},
	};

	luaL_argcheck(L, moment >= 0, 2, "time before 1970");
	return sys_done(L, utimensat(AT_FDCWD, path, times, 0), "set_mtime %s", path);
}

const luaL_Reg sys_path_functions[] = {
	{"unlink", sys_unlink},	    {"rmdir", sys_rmdir},	  {"rename", sys_rename},
	{"link", sys_link},	    {"symlink", sys_symlink},	  {"chmod", sys_chmod},
	{"readlink", sys_readlink}, {"realpath", sys_realpath},	  {"mkdtemp", sys_mkdtemp},
	{"mkdir", sys_mkdir},	    {"stat", sys_stat},		  {"lstat", sys_lstat},
	{"list", sys_list},	    {"set_mtime", sys_set_mtime}, {NULL, NULL},
};
