/*
 * Reads, writes, creates and replaces files atomically, and locks them.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/export.h"

enum {
	TEMPORARY_NAME = 32,
	TEMPORARY_TRIES = 16
};

/* Whether reading does not block: a file, or /dev/null in its place. */
static bool is_file(const struct stat *st)
{
	return S_ISREG(st->st_mode) || (S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3));
}

/*
 * Opens a file, with `or_directory` a directory as well. Opening a fifo does not wait. -1 with
 * errno set: EISDIR, and EOPNOTSUPP for anything that is no file.
 */
static int open_file(const char *path, int flags, mode_t mode, bool or_directory)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
	struct stat st;
	int error = 0;

	if (fd < 0) {
		if (errno == ENXIO) /* a fifo without a reader, a socket */
			errno = EOPNOTSUPP;
		return -1;
	}
	if (fstat(fd, &st) < 0)
		error = errno;
	else if (S_ISDIR(st.st_mode))
		error = or_directory ? 0 : EISDIR;
	else if (!is_file(&st))
		error = EOPNOTSUPP;
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* [] -> [nil, message, code]: the error of open_file; returns 3 */
static int no_file(lua_State *L, const char *verb, const char *path)
{
	int error = errno;

	if (error == EOPNOTSUPP)
		return sys_fail(L, error, "%s %s: this is no file", verb, path);
	return sys_fail(L, error, "%s %s", verb, path);
}

/* read(path [, limit]) -> text; an error for more than limit bytes, and for anything but a file */
static int sys_read(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t limit = sys_optlimit(L, 2);
	int *fd = sys_fd_scoped(L);

	*fd = open_file(path, O_RDONLY, 0, false);
	if (*fd < 0)
		return no_file(L, "read", path);
	return sys_slurp(L, *fd, limit, lua_pushfstring(L, "read %s", path));
}

/* read_stream(path [, limit]) -> text to its end; of a fifo or a terminal as well */
static int sys_read_stream(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t limit = sys_optlimit(L, 2);
	int *fd = sys_fd_scoped(L);

	do
		*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	while (*fd < 0 && errno == EINTR && !sys_stopped());
	if (*fd < 0)
		return sys_fail(L, errno, "read %s", path);
	return sys_slurp(L, *fd, limit, lua_pushfstring(L, "read %s", path));
}

/* write(path, text) -> true; to an existing file in one write(2), as sysctls need it */
static int sys_write(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	int *fd = sys_fd_scoped(L);
	ssize_t n;

	*fd = open_file(path, O_WRONLY | O_TRUNC, 0, false);
	if (*fd < 0)
		return no_file(L, "write", path);
	n = write(*fd, text, len);
	if (n >= 0 && (size_t)n < len)
		return sys_fail(L, EIO, "write %s: %d of %d bytes were taken", path, (int)n,
				(int)len);
	return sys_done(L, n < 0 ? -1 : 0, "write %s", path);
}

/*
 * append(path, text [, mode]) -> true; at the end of a file, made if it is not there, in one
 * write(2), so that what several processes append stays apart
 */
static int sys_append(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	mode_t mode = sys_optmode(L, 3, 0644);
	int *fd = sys_fd_scoped(L);
	ssize_t n;

	*fd = open_file(path, O_WRONLY | O_APPEND | O_CREAT, mode, false);
	if (*fd < 0)
		return no_file(L, "append to", path);
	n = write(*fd, text, len);
	if (n >= 0 && (size_t)n < len)
		return sys_fail(L, ENOSPC, "append to %s: %d of %d bytes were taken", path, (int)n,
				(int)len);
	return sys_done(L, n < 0 ? -1 : 0, "append to %s", path);
}

/* The length of the directory part of `path`, its last slash included; 0 for a bare name. */
static int directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path) + 1 : 0;
}

/* Opens the directory that holds `path`. */
static int open_directory(const char *path)
{
	char directory[4096] = ".";
	int len = directory_length(path);

	if ((size_t)len >= sizeof(directory)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (len > 0)
		snprintf(directory, sizeof(directory), "%.*s", len, path);
	return open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Creates a file with a random name in directory `at`; stores the name. */
static int open_temporary(int at, mode_t mode, char name[TEMPORARY_NAME])
{
	for (int i = 0; i < TEMPORARY_TRIES; i++) {
		uint64_t number;
		int fd;

		if (getrandom(&number, sizeof(number), 0) != sizeof(number))
			return -1;
		snprintf(name, TEMPORARY_NAME, ".ecmp-%016" PRIx64, number);
		fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
	}
	return -1;
}

/* Gives an O_TMPFILE its name. EEXIST when the name is taken. */
static int name_file(int fd, int at, const char *name)
{
	char self[64];

	/* AT_EMPTY_PATH needs CAP_DAC_READ_SEARCH before Linux 6.10, the other way needs procfs */
	if (linkat(fd, "", at, name, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EPERM)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, at, name, AT_SYMLINK_FOLLOW);
}

/* For file systems without O_TMPFILE: a temporary name is visible for a moment. */
static int create_by_link(int *fd, int at, const char *name, mode_t mode, const char *text,
			  size_t len)
{
	char temporary[TEMPORARY_NAME];
	int result, error;

	*fd = open_temporary(at, mode, temporary);
	if (*fd < 0)
		return -1;
	result = sys_write_whole(*fd, text, len);
	if (result == 0)
		result = linkat(at, temporary, at, name, 0);
	error = errno;
	unlinkat(at, temporary, 0);
	errno = error;
	return result;
}

static int create_whole(int *fd, int at, const char *name, mode_t mode, const char *text,
			size_t len)
{
	*fd = openat(at, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	/* without support kernels return EISDIR, file systems EOPNOTSUPP or EINVAL */
	if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return create_by_link(fd, at, name, mode, text, len);
	if (*fd < 0 || sys_write_whole(*fd, text, len) < 0)
		return -1;
	if (name_file(*fd, at, name) == 0)
		return 0;
	if (errno != ENOENT)
		return -1;
	close(*fd); /* neither procfs nor the capability */
	return create_by_link(fd, at, name, mode, text, len);
}

/*
 * create(path, text [, mode]) -> true; EEXIST when the name is taken. The name appears with the
 * whole text. Not synced: it survives the process, not a power failure.
 */
static int sys_create(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	mode_t mode = sys_optmode(L, 3, 0644);
	int *at = sys_fd_scoped(L), *fd = sys_fd_scoped(L);
	int result = -1;

	*at = open_directory(path);
	if (*at >= 0)
		result = create_whole(fd, *at, path + directory_length(path), mode, text, len);
	return sys_done(L, result, "create %s", path);
}

/* A text, or the results of a function until it returns nil. [content] -> [..] */
static int write_all(lua_State *L, int fd)
{
	size_t len;
	bool pieces = lua_isfunction(L, 1);
	int result = 0;

	while (result == 0) {
		lua_pushvalue(L, 1);
		if (pieces)
			lua_call(L, 0, 1);
		if (lua_isnil(L, -1))
			break;
		const char *piece = luaL_checklstring(L, -1, &len);
		result = sys_write_whole(fd, piece, len);
		if (!pieces)
			break;
		lua_pop(L, 1);
	}
	return result;
}

/* [content, descriptor] -> [errno or 0] */
static int write_protected(lua_State *L)
{
	int fd = (int)lua_tointeger(L, 2);

	lua_settop(L, 1);
	lua_pushinteger(L, write_all(L, fd) < 0 ? errno : 0);
	return 1;
}

/* errno, 0, or -1 and [message] */
static int write_content(lua_State *L, int content, int fd)
{
	lua_pushcfunction(L, write_protected);
	lua_pushvalue(L, content);
	lua_pushinteger(L, fd);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK)
		return -1;
	int error = (int)lua_tointeger(L, -1);
	lua_pop(L, 1);
	return error;
}

/* Syncs content, renames, syncs the directory: in this order a crash leaves the old or the new. */
static int give_name(int *fd, int at, const char *temporary, const char *name)
{
	int result = fsync(*fd);
	/* closed before the rename: a program that is open for writing cannot be executed */
	if (result == 0) {
		result = close(*fd);
		*fd = -1;
	}
	if (result == 0)
		result = renameat(at, temporary, at, name);
	return result == 0 ? fsync(at) : result;
}

static int replace_whole(lua_State *L, int *fd, int at, const char *name, mode_t mode, int content)
{
	char temporary[TEMPORARY_NAME];
	*fd = open_temporary(at, mode, temporary);
	if (*fd < 0)
		return -1;
	int error = write_content(L, content, *fd);
	if (error == 0 && give_name(fd, at, temporary, name) < 0)
		error = errno;
	if (error == 0)
		return 0;
	unlinkat(at, temporary, 0);
	if (error < 0)
		return lua_error(L);
	errno = error;
	return -1;
}

/*
 * replace(path, text [, mode]) -> true; readers see the old text or the new, also after a crash.
 * The text may be a function that returns it in pieces, and nil at its end.
 */
static int sys_replace(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	mode_t mode = sys_optmode(L, 3, 0644);
	int result = -1;

	if (!lua_isfunction(L, 2))
		luaL_checkstring(L, 2);
	int *at = sys_fd_scoped(L), *fd = sys_fd_scoped(L);
	*at = open_directory(path);
	if (*at >= 0)
		result = replace_whole(L, fd, *at, path + directory_length(path), mode, 2);
	return sys_done(L, result, "replace %s", path);
}

/* fsync(path) -> true; of a file or a directory */
static int sys_fsync(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	int *fd = sys_fd_scoped(L);

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return sys_done(L, *fd < 0 ? -1 : fsync(*fd), "fsync %s", path);
}

/*
 * flock(2) has no timeout, and signals that would interrupt it belong to the host program. So it is
 * repeated, at growing intervals: short at first, since locks are held for a few system calls, and
 * bounded.
 */
static int flock_until(int fd, double deadline)
{
	double interval = 0.0005;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int left = clock_remaining(deadline);

		if (errno != EWOULDBLOCK && errno != EINTR)
			return -1;
		if (sys_stopped()) {
			errno = EINTR;
			return -1;
		}
		if (left == 0) {
			errno = EAGAIN;
			return -1;
		}
		sys_pause(left > 0 && left < interval * 1e3 ? left / 1e3 : interval);
		if (interval < 0.01)
			interval *= 1.5;
	}
	return 0;
}

/*
 * lock(path [, { timeout =, mode =, create = }]) -> handle. The lock is on the open file, so it
 * ends with the handle or the process, and a second handle in this process waits like any other.
 */
static int sys_lock(lua_State *L)
{
	static const char *const known[] = {"timeout", "mode", "create", NULL};
	const char *path = sys_checkpath(L, 1);
	lua_Number timeout = -1;
	lua_Integer mode = 0600;
	bool create = false;
	int *fd;

	if (!lua_isnoneornil(L, 2)) {
		sys_checkoptions(L, 2, known);
		timeout = sys_optseconds(L, 2, "timeout", -1);
		mode = sys_optint(L, 2, "mode", mode);
		create = sys_optbool(L, 2, "create", false);
	}
	if (mode < 0 || mode > 07777)
		return luaL_error(L, "mode: out of range");
	fd = sys_fd_handle(L, SYS_LOCK);
	*fd = open_file(path, O_RDONLY | (create ? O_CREAT : 0), (mode_t)mode, true);
	if (*fd < 0)
		return no_file(L, "lock", path);
	if (flock_until(*fd, sys_deadline(timeout)) == 0)
		return 1;
	return sys_done(L, -1, "lock %s", path);
}

const luaL_Reg sys_file_functions[] = {
	{"read", sys_read},	{"read_stream", sys_read_stream},
	{"write", sys_write},	{"append", sys_append},
	{"create", sys_create}, {"replace", sys_replace},
	{"fsync", sys_fsync},	{"lock", sys_lock},
	{NULL, NULL},
};
