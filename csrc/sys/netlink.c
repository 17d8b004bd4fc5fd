/*
 * Netlink sockets of any protocol, for messages that are encoded in Lua, such as those of nftables.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include "common/netlink.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	LARGEST = 1 << 17 /* bytes of a datagram */
};

/* handle:receive([seconds]) -> the next datagram from the kernel; ETIMEDOUT at the deadline */
static int receive(lua_State *L)
{
	int fd = *(int *)luaL_checkudata(L, 1, SYS_NETLINK);
	double deadline = sys_deadline(luaL_optnumber(L, 2, -1));
	luaL_Buffer text;
	ssize_t n;

	luaL_argcheck(L, fd >= 0, 1, "handle is closed");
	char *buffer = luaL_buffinitsize(L, &text, LARGEST);
	do
		n = netlink_receive_until(fd, buffer, LARGEST, deadline);
	while (n < 0 && errno == EINTR && !sys_stopped());
	if (n < 0)
		return sys_fail(L, errno, "receive from the kernel");
	luaL_pushresultsize(&text, (size_t)n);
	return 1;
}

void sys_netlink_metatable(lua_State *L)
{
	luaL_getmetatable(L, SYS_NETLINK);
	lua_pushcfunction(L, receive);
	lua_setfield(L, -2, "receive");
	lua_pop(L, 1);
}

/*
 * netlink(protocol) -> handle with fd, close and receive, in the current namespace; a write sends
 * to the kernel
 */
static int sys_netlink(lua_State *L)
{
	lua_Integer protocol = luaL_checkinteger(L, 1);
	int *fd;

	luaL_argcheck(L, protocol >= 0 && protocol < 32, 1, "protocol out of range");
	fd = sys_fd_handle(L, SYS_NETLINK);
	*fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)protocol);
	if (*fd < 0 || netlink_connect(*fd) < 0)
		return sys_fail(L, errno, "open netlink socket of protocol %d", (int)protocol);
	return 1;
}

/* strerror(errno) -> reason, symbol, for the errors in netlink messages */
static int sys_strerror(lua_State *L)
{
	lua_Integer error = luaL_checkinteger(L, 1);
	const char *symbol;
	char reason[128];

	luaL_argcheck(L, error > 0 && error <= INT_MAX, 1, "not an error number");
	symbol = strerrorname_np((int)error);
	symbol = symbol ? symbol : "EUNKNOWN";
	lua_pushfstring(L, "%s (%s)", strerror_r((int)error, reason, sizeof(reason)), symbol);
	lua_pushstring(L, symbol);
	return 2;
}

const luaL_Reg sys_netlink_functions[] = {
	{"netlink", sys_netlink},
	{"strerror", sys_strerror},
	{NULL, NULL},
};
