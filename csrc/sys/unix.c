/*
 * Sends a datagram to a unix socket, such as that of systemd's journal.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/export.h"

/* unix_send(path, text) -> true; whole or not at all, and without waiting for the receiver */
static int sys_unix_send(lua_State *L)
{
	const char *path = sys_checkpath(L, 1);
	size_t len;
	const char *text = luaL_checklstring(L, 2, &len);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int *fd = sys_fd_scoped(L);
	int result = -1;

	if (strlen(path) >= sizeof(to.sun_path))
		return sys_fail(L, ENAMETOOLONG, "send to %s", path);
	memcpy(to.sun_path, path, strlen(path) + 1);
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd >= 0 && sendto(*fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL,
			       (const struct sockaddr *)&to, sizeof(to)) >= 0)
		result = 0;
	return sys_done(L, result, "send to %s", path);
}

const luaL_Reg sys_unix_functions[] = {
	{"unix_send", sys_unix_send},
	{NULL, NULL},
};
