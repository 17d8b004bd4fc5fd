/*
 * Preloaded into a plugin: the n-th of its calls that change or ask something fails, or is its last.
 * Built by the spec that uses it.
 *
 *   FAIL_AT=n      which call, from 1; 0 lets all pass
 *   FAIL_WITH=e    the error number it fails with, or 0 to be killed there
 *   FAIL_REPORT=f  the file that says, when the process ends by itself, how many calls there were
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;

static long number(const char *name)
{
	const char *text = getenv(name);
	return text ? atol(text) : 0;
}

/* Whether this call is to fail; errno says why. */
static int fails(void)
{
	if (atomic_fetch_add(&calls, 1) + 1 != number("FAIL_AT"))
		return 0;
	if (number("FAIL_WITH") == 0)
		kill(getpid(), SIGKILL);
	errno = (int)number("FAIL_WITH");
	return 1;
}

__attribute__((destructor)) static void report(void)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld", (long)calls);
	const char *path = getenv("FAIL_REPORT");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
	if (fd >= 0 && syscall(SYS_write, fd, text, length) == length)
		close(fd);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CALL(type, name, parameters, ...)                                                          \
	type name parameters                                                                       \
	{                                                                                          \
		return fails() ? -1 : NEXT(name)(__VA_ARGS__);                                     \
	}

CALL(ssize_t, sendto,
     (int fd, const void *data, size_t size, int flags, __CONST_SOCKADDR_ARG to, socklen_t length),
     fd, data, size, flags, to, length)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
CALL(int, socket, (int family, int type, int protocol), family, type, protocol)
CALL(ssize_t, write, (int fd, const void *data, size_t size), fd, data, size)
CALL(int, fsync, (int fd), fd)
CALL(int, mkdir, (const char *path, mode_t mode), path, mode)
CALL(int, unlink, (const char *path), path)
CALL(int, rename, (const char *from, const char *to), from, to)
CALL(int, renameat, (int from, const char *old, int to, const char *new), from, old, to, new)
CALL(int, linkat, (int from, const char *old, int to, const char *new, int flags), from, old, to, new,
     flags)

static mode_t mode_of(int flags, va_list list)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return fails() ? -1 : NEXT(open)(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
	va_list list;
	va_start(list, flags);
	mode_t mode = mode_of(flags, list);
	va_end(list);
	return fails() ? -1 : NEXT(openat)(at, path, flags, mode);
}
