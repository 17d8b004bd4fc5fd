/*
 * Moves the process into another network namespace for good. `ecmp repl` does so at its start, so
 * that everything typed there, os.execute as well, stays in that namespace.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include "common/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/export.h"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -1 : close_keeping_errno(fd, sys_write_whole(fd, text, strlen(text)));
}

/* Maps root to the user, the only mapping that needs no privilege. */
static int map_user(uid_t uid, gid_t gid)
{
	char line[32];

	/* old kernels have no setgroups file */
	if (write_file("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return -1;
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)uid);
	if (write_file("/proc/self/uid_map", line) < 0)
		return -1;
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)gid);
	return write_file("/proc/self/gid_map", line);
}

#define NAMES "/run/netns"

/*
 * Names of namespaces are mounts, which would outlive the process: a tmpfs in its own mount
 * namespace takes their place. Failing to mount is not an error.
 */
static void hide_netns_names(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return;
	if (mkdir(NAMES, 0755) == 0 || errno == EEXIST)
		mount("tmpfs", NAMES, "tmpfs", 0, "mode=755");
}

/*
 * leave_network() -> true: moves the process into a new network namespace without names of others;
 * without the privilege into a new user namespace as well. Only for single-threaded processes.
 */
static int sys_leave_network(lua_State *L)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int result = unshare(CLONE_NEWNET | CLONE_NEWNS);

	if (result < 0 && errno == EPERM) {
		result = unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS);
		if (result == 0)
			result = map_user(uid, gid);
	}
	if (result == 0)
		hide_netns_names();
	return sys_done(L, result, "unshare %s", "the network namespace");
}

/* enter_network(ref) -> true: moves the process into an existing namespace */
static int sys_enter_network(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	int *fd = sys_fd_scoped(L);

	*fd = netns_open(ref);
	if (*fd < 0)
		return sys_done(L, -1, "open network namespace %s", ref);
	return sys_done(L, setns(*fd, CLONE_NEWNET), "enter network namespace %s", ref);
}

const luaL_Reg sys_confine_functions[] = {
	{"leave_network", sys_leave_network},
	{"enter_network", sys_enter_network},
	{NULL, NULL},
};
