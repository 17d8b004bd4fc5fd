/*
 * Moves the process into a network namespace where nothing can be harmed. A library never does
 * this; `ecmp repl` does, as its first act, so that whatever is typed there, `os.execute` too, is
 * confined.
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
	int result, error;

	if (fd < 0)
		return -1;
	result = sys_write_whole(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return result;
}

/* Root inside is the user outside: the only mapping that takes no rights. */
static int map_user(uid_t uid, gid_t gid)
{
	char line[32];

	/* an old kernel has no setgroups file, and wants none */
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
 * Names for namespaces are mounts, and would outlive a process that is killed: here they are the
 * process's own. A machine that lets nobody mount keeps them; that is no reason to refuse.
 */
static void hide_names(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return;
	if (mkdir(NAMES, 0755) == 0 || errno == EEXIST)
		mount("tmpfs", NAMES, "tmpfs", 0, "mode=755");
}

/*
 * leave_network() -> true: the process moves into a fresh network namespace with no named ones
 * beside it, and where it lacks the right to, into a user namespace in which it has it. Only while
 * it has one thread.
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
		hide_names();
	return sys_done(L, result, "unshare", "the network namespace");
}

/* enter_network(ref) -> true: the process moves into a namespace that is there */
static int sys_enter_network(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	int *fd = sys_fd_scoped(L);

	*fd = netns_open(ref);
	if (*fd < 0)
		return sys_done(L, -1, "open network namespace", ref);
	return sys_done(L, setns(*fd, CLONE_NEWNET), "enter network namespace", ref);
}

const luaL_Reg sys_confine_functions[] = {
	{"leave_network", sys_leave_network},
	{"enter_network", sys_enter_network},
	{NULL, NULL},
};
