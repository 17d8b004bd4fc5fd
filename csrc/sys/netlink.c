/*
 * A netlink socket of any family, for what is too seldom asked of the kernel to have a module in C:
 * the script makes the messages. Routes have ecmp.rtnl.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/*
 * netlink(protocol) -> handle with fd and close, in this namespace; a write goes to the kernel, a
 * read gives one datagram
 */
static int sys_netlink(lua_State *L)
{
	lua_Integer protocol = luaL_checkinteger(L, 1);
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	int *fd;

	luaL_argcheck(L, protocol >= 0 && protocol < 32, 1, "protocol out of range");
	fd = sys_fd_handle(L, SYS_NETLINK);
	*fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)protocol);
	if (*fd < 0 || bind(*fd, (struct sockaddr *)&self, sizeof(self)) < 0)
		return sys_fail(L, errno, "open netlink socket of protocol %d", (int)protocol);
	return 1;
}

/* strerror(errno) -> reason, symbol: netlink reports refusals as numbers */
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
