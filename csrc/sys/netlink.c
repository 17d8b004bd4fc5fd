/*
 * A netlink socket of any family, for what is too seldom asked of the kernel to have a module in C:
 * the script makes the messages. Routes have ecmp.rtnl.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include "common/netlink.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	LARGEST = 1 << 17 /* bytes of a datagram */
};

/* The bytes of the next datagram of the kernel's; -1 with errno set, ETIMEDOUT at the deadline. */
static ssize_t receive_until(int fd, void *buffer, double deadline)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	for (;;) {
		int ready = poll(&item, 1, sys_remaining(deadline));
		ssize_t n;

		if (ready < 0 && (errno != EINTR || sys_stopped()))
			return -1;
		if (ready == 0 && sys_remaining(deadline) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (ready <= 0)
			continue;
		n = netlink_receive(fd, buffer, LARGEST, MSG_DONTWAIT);
		if (n >= 0 || errno != EAGAIN)
			return n;
	}
}

/* handle:receive([seconds]) -> the next datagram of the kernel's */
static int receive(lua_State *L)
{
	int fd = *(int *)luaL_checkudata(L, 1, SYS_NETLINK), error;
	double deadline = sys_deadline(luaL_optnumber(L, 2, -1));
	luaL_Buffer text;
	ssize_t n;

	luaL_argcheck(L, fd >= 0, 1, "handle is closed");
	n = receive_until(fd, luaL_buffinitsize(L, &text, LARGEST), deadline);
	error = errno;
	if (n < 0)
		return sys_fail(L, error, "receive from the kernel");
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
 * netlink(protocol) -> handle with fd, close and receive, in this namespace; a write goes to the
 * kernel
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
