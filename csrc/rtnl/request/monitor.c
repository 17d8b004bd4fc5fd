/*
 * Subscribes to notifications and receives them.
 */
#define _GNU_SOURCE
#include "rtnl/request/request.h"

#include "common/clock.h"
#include "common/netlink.h"
#include "rtnl/base/error.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/view/view.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static const struct {
	const char *object;
	int groups[2];
} groups[] = {
	{"route", {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE}},
	{"nexthop", {RTNLGRP_NEXTHOP, 0}},
	{"link", {RTNLGRP_LINK, 0}},
	{"addr", {RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR}},
	{"neigh", {RTNLGRP_NEIGH, 0}},
	{"rule", {RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}},
};

/* socket:subscribe(object) -> true | nil, message, code */
int socket_subscribe(lua_State *L)
{
	struct sock *s = check_socket(L);
	const char *object = luaL_checkstring(L, 2);
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (strcmp(groups[i].object, object) != 0)
			continue;
		for (int j = 0; j < 2; j++) {
			int group = groups[i].groups[j];
			if (group && mnl_socket_setsockopt(s->nl, NETLINK_ADD_MEMBERSHIP, &group,
							   sizeof(group)) < 0) {
				lua_pushfstring(L, "monitor %s", object);
				return push_errno(L, lua_tostring(L, -1), NULL, errno);
			}
		}
		lua_pushboolean(L, 1);
		return 1;
	}
	return luaL_argerror(L, 2, "no notifications of this kind");
}

/*
 * socket:receive(timeout?, names?, gone?)
 *	-> list of views | nil, message, "EAGAIN" | nil, message, "ENOBUFS"
 * Waits for the next notifications: for ever without a timeout (seconds), not at all with 0. Names
 * of interfaces are looked up over `names`, another socket; `gone` names removed links by index.
 */
int socket_receive(lua_State *L)
{
	struct sock *s = check_socket(L);
	double timeout = luaL_optnumber(L, 2, -1);
	lua_settop(L, 4);
	if (!lua_isnil(L, 3))
		luaL_checkudata(L, 3, RTNL_SOCKET);
	ssize_t n = netlink_receive_until(mnl_socket_get_fd(s->nl), s->buffer, RECEIVE_SIZE,
					  timeout < 0 ? -1 : clock_seconds() + timeout);
	if (n < 0 && errno == ETIMEDOUT)
		return push_errno(L, "monitor", "nothing happened in time", EAGAIN);
	if (n < 0)
		return push_errno(L, "monitor", errno == ENOBUFS ? "events were lost" : NULL,
				  errno);
	ifnames_new(L, lua_isnil(L, 3) ? 0 : 3);
	if (lua_istable(L, 4))
		ifnames_gone(L, 5, 4);
	lua_newtable(L);
	int left = (int)n;
	lua_Integer count = 0;
	for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		const struct object *o = object_by_type(h->nlmsg_type);
		if (!o || mnl_nlmsg_get_payload_len(h) < o->schema->header_size)
			continue;
		view_push(L, o, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
			  mnl_nlmsg_get_payload_len(h), 5);
		lua_rawseti(L, 6, ++count);
	}
	return 1;
}

/* socket:buffer(bytes): room for notifications; a small one forces overruns in tests */
int socket_buffer(lua_State *L)
{
	struct sock *s = check_socket(L);
	int bytes = (int)luaL_checkinteger(L, 2);
	if (setsockopt(mnl_socket_get_fd(s->nl), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)) < 0)
		return push_errno(L, "monitor buffer", NULL, errno);
	lua_pushboolean(L, 1);
	return 1;
}
