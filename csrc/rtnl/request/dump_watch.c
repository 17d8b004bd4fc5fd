/*
 * Receives the notifications of IPv6 routes that change during a dump.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include "common/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

int start_watch(struct sock *s)
{
	int group = RTNLGRP_IPV6_ROUTE;
	if (s->watch)
		return 0;
	if (!(s->watch = open_in(s->ns, false)))
		return -1;
	if (mnl_socket_setsockopt(s->watch, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
		return 0;
	int error = errno;
	close_socket(&s->watch);
	errno = error;
	return -1;
}

static void read_change(lua_State *L, struct changes *c, const struct nlmsghdr *h)
{
	c->any = true;
	if (h->nlmsg_type != RTM_DELROUTE || mnl_nlmsg_get_payload_len(h) < sizeof(struct rtmsg))
		return;
	struct deletion deletion = {table_of(h), position_of(h)};
	memcpy(buffer_room(L, c->deleted, sizeof(deletion)), &deletion, sizeof(deletion));
}

/* Reads all pending notifications; with L NULL they are discarded. */
void read_changes(lua_State *L, struct sock *s, struct changes *c)
{
	for (;;) {
		ssize_t n = netlink_receive(mnl_socket_get_fd(s->watch), s->buffer, RECEIVE_SIZE,
					    MSG_DONTWAIT);
		int left = (int)n;
		if (n < 0 && errno != ENOBUFS && errno != ENOSPC)
			return;
		if (!L)
			continue;
		c->any = true;
		c->lost = c->lost || n < 0;
		for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			read_change(L, c, h);
	}
}

void discard_changes(struct sock *s)
{
	read_changes(NULL, s, NULL);
}
