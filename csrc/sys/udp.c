/*
 * Sends one datagram for each of many UDP flows from a network namespace, and receives them, to see
 * which path flows take.
 */
#define _GNU_SOURCE
#include "common/netns.h"
#include "sys/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/export.h"

enum {
	RECEIVE_BUFFER = 4 * 1024 * 1024 /* the kernel limits it to net.core.rmem_max */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct flow {
	union address from, to;
	int error;
};

struct flows {
	size_t count;
	struct flow list[];
};

static socklen_t address_size(const union address *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

/* Parses an address without a prefix length; family 0: either. */
static bool address_parse(const char *text, int family, lua_Integer port, union address *address)
{
	*address = (union address){0};
	if (family != AF_INET6 && inet_pton(AF_INET, text, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)port);
		return true;
	}
	if (family != AF_INET && inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons((uint16_t)port);
		return true;
	}
	return false;
}

static lua_Integer check_port(lua_State *L, int table, lua_Integer index, const char *key)
{
	lua_Integer port = sys_optint(L, table, key, 0);

	if (port < 0 || port > UINT16_MAX)
		luaL_error(L, "[%I].%s: a port is a number from 0 to 65535", index, key);
	return port;
}

/* [flow on top] -> the same; reads { src =, sport =, dst =, dport = } */
static void check_flow(lua_State *L, lua_Integer index, struct flow *flow)
{
	int table = lua_gettop(L);
	const char *to, *from;
	lua_Integer dport, sport;

	if (!lua_istable(L, table))
		luaL_error(L, "[%I]: a flow is a table, not a %s", index, luaL_typename(L, table));
	dport = check_port(L, table, index, "dport");
	sport = check_port(L, table, index, "sport");
	to = sys_optstring(L, table, "dst", NULL);
	if (!to || !address_parse(to, 0, dport, &flow->to))
		luaL_error(L, "[%I].dst: an address is due here", index);
	from = sys_optstring(L, table, "src", NULL);
	if (!from)
		from = flow->to.any.sa_family == AF_INET6 ? "::" : "0.0.0.0";
	if (!address_parse(from, flow->to.any.sa_family, sport, &flow->from))
		luaL_error(L, "[%I].src: an address of the family of dst is due here", index);
	lua_settop(L, table);
}

/* A connected socket for every flow, which is routed as a program's would be. */
static int flow_send(const struct flow *flow)
{
	int on = 1;
	int fd = socket(flow->to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0)
		return errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &flow->from.any, address_size(&flow->from)) < 0 ||
	    connect(fd, &flow->to.any, address_size(&flow->to)) < 0 ||
	    send(fd, "ecmp", 4, MSG_NOSIGNAL) < 0)
		error = errno;
	close(fd);
	return error;
}

static int flows_send(void *arg)
{
	struct flows *flows = arg;

	for (size_t i = 0; i < flows->count; i++)
		flows->list[i].error = flow_send(&flows->list[i]);
	return 0;
}

/* [flows] -> sent [, message and code of the first that could not be sent] */
static int push_sent(lua_State *L, const struct flows *flows)
{
	lua_Integer sent = 0;
	int first = 0;

	for (size_t i = 0; i < flows->count; i++) {
		int error = flows->list[i].error;

		sent += error == 0;
		if (!first)
			first = error;
	}
	if (!first) {
		lua_pushinteger(L, sent);
		return 1;
	}
	sys_fail(L, first, "send a datagram");
	lua_pushinteger(L, sent);
	lua_replace(L, -4);
	return 3;
}

/*
 * udp_send(ref, flows) -> number sent [, message, code]: one datagram for each of the flows
 * { dst =, dport =, src =, sport = }, all but dst optional, sent in their order in the namespace.
 */
static int sys_udp_send(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	struct flows *flows;
	lua_Integer count;
	int *fd;

	luaL_checktype(L, 2, LUA_TTABLE);
	count = luaL_len(L, 2);
	luaL_argcheck(L, count >= 0 && count <= 1 << 20, 2, "too many flows");
	flows = lua_newuserdatauv(L, sizeof(*flows) + (size_t)count * sizeof(*flows->list), 0);
	flows->count = (size_t)count;
	for (lua_Integer i = 0; i < count; i++) {
		lua_geti(L, 2, i + 1);
		check_flow(L, i + 1, &flows->list[i]);
		lua_pop(L, 1);
	}
	fd = sys_fd_scoped(L);
	*fd = netns_open(ref);
	if (*fd < 0 || netns_call(*fd, flows_send, flows) < 0)
		return sys_done(L, -1, "send in namespace %s", ref);
	return push_sent(L, flows);
}

static int udp_open(void *arg)
{
	const union address *address = arg;
	int room = RECEIVE_BUFFER, on = 1;
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (address->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, &address->any, address_size(address)) == 0)
		return fd;
	return close_keeping_errno(fd, -1);
}

/* udp_bind(ref, address, port) -> handle with fd and close, bound in the namespace */
static int sys_udp_bind(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	const char *text = luaL_checkstring(L, 2);
	lua_Integer port = luaL_checkinteger(L, 3);
	union address address;
	int *handle, *fd;

	luaL_argcheck(L, port >= 0 && port <= UINT16_MAX, 3, "port out of range");
	luaL_argcheck(L, address_parse(text, 0, port, &address), 2, "not an address");
	handle = sys_fd_handle(L, SYS_UDP);
	fd = sys_fd_scoped(L);
	*fd = netns_open(ref);
	if (*fd < 0)
		return sys_done(L, -1, "open namespace %s", ref);
	*handle = netns_call(*fd, udp_open, &address);
	if (*handle < 0)
		return sys_done(L, -1, "bind %s", text);
	lua_pushvalue(L, -2);
	return 1;
}

/* udp_drain(handle) -> the number of datagrams that had arrived; they are dropped */
static int sys_udp_drain(lua_State *L)
{
	int *handle = luaL_checkudata(L, 1, SYS_UDP);
	lua_Integer count = 0;
	char byte;

	luaL_argcheck(L, *handle >= 0, 1, "handle is closed");
	while (recv(*handle, &byte, 1, MSG_DONTWAIT) >= 0)
		count++;
	lua_pushinteger(L, count);
	return 1;
}

const luaL_Reg sys_udp_functions[] = {
	{"udp_send", sys_udp_send},
	{"udp_bind", sys_udp_bind},
	{"udp_drain", sys_udp_drain},
	{NULL, NULL},
};
