/*
 * Preloaded: kernels that lack what is asked of them. Built by the spec that uses it.
 *
 *   FAIL_SECCOMP=1     system calls cannot be filtered
 *   FAIL_MEMBERSHIP=1  the first request to join a netlink group fails
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

int prctl(int option, ...)
{
	va_list list;
	unsigned long a[4];
	va_start(list, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	if (option == PR_SET_SECCOMP && getenv("FAIL_SECCOMP")) {
		errno = EINVAL;
		return -1;
	}
	return ((__typeof__(&prctl))dlsym(RTLD_NEXT, "prctl"))(option, a[0], a[1], a[2], a[3]);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	if (level == SOL_NETLINK && name == NETLINK_ADD_MEMBERSHIP && getenv("FAIL_MEMBERSHIP")) {
		unsetenv("FAIL_MEMBERSHIP");
		errno = ENOBUFS;
		return -1;
	}
	return ((__typeof__(&setsockopt))dlsym(RTLD_NEXT, "setsockopt"))(fd, level, name, value, length);
}
