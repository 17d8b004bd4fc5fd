/*
 * The next hops of a route.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"
#include "rtnl/netlink/ifname.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static bool read_gateway(const struct nlattr *a, struct hop *hop)
{
	size_t size = payload_length(a);
	const uint8_t *address = payload(a);
	if (attr_type(a) == RTA_VIA) { /* of the other family, which it says */
		if (size != 2 + 16 || read_uint(address, 2, false) != AF_INET6)
			return false;
		hop->family = AF_INET6;
		size -= 2;
		address += 2;
	}
	if (size != address_size(hop->family))
		return false;
	memcpy(hop->via, address, size);
	return true;
}

/* A hop with a gateway at `via` or `other`, if there is one, that leaves by interface `index`.
 * Whoever names an interface in a table by its number knows more than is known here. */
static bool read_hop(struct route_reader *r, const struct route *route, const struct nlattr *via,
		     const struct nlattr *other, uint32_t index, struct hop *hop)
{
	const struct nlattr *gateway = via ? via : other;
	hop->family = gateway ? route->key.family : 0;
	if ((gateway && !read_gateway(gateway, hop)) || (!route->v && index && index < INVENTED))
		return false;
	if (index) {
		hop->dev = ifnames_name(r->L, route->names, index);
		lua_pop(r->L, 1);
	}
	return true;
}

static bool read_listed_hop(struct route_reader *r, const struct route *route, const struct span *s,
			    bool devices, struct hop *hop)
{
	const struct rtnexthop *n = (const void *)s->data;
	const struct nlattr *a, *via = NULL, *other = NULL;
	size_t at = sizeof(*n);
	*hop = (struct hop){.weight = (uint16_t)(n->rtnh_hops + 1)};
	for (; (a = attr_at(s->data, s->length, at)); at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = attr_type(a);
		if (type == RTA_GATEWAY && !via)
			via = a;
		else if (type == RTA_VIA && !other)
			other = a;
		else if (type == RTA_ENCAP || type == RTA_FLOW)
			hop->says_more = true;
	}
	hop->onlink = (n->rtnh_flags | header_of_route(route)->rtm_flags) & RTNH_F_ONLINK;
	return read_hop(r, route, via, other, devices ? (uint32_t)n->rtnh_ifindex : 0, hop);
}

/* A hop that stands in the route itself. */
static bool read_own_hop(struct route_reader *r, struct route *route, bool devices)
{
	struct hop *hop = &route->hops[0];
	const struct nlattr *via = attr_of(route, RTA_GATEWAY), *other = attr_of(route, RTA_VIA);
	uint32_t index = attr_number(route, RTA_OIF, 0);
	*hop = (struct hop){
		.weight = 1,
		.onlink = header_of_route(route)->rtm_flags & RTNH_F_ONLINK,
		.says_more = route->attr[RTA_ENCAP] != 0,
	};
	route->count = via || other || index;
	return read_hop(r, route, via, other, devices ? index : 0, hop);
}

bool read_held_hops(struct route_reader *r, struct route *route, bool devices)
{
	const struct nlattr *list = attr_of(route, RTA_MULTIPATH);
	if (route->index && route->v) /* views of other operations may have been read meanwhile */
		route->names = names_of_view(r, route->index)->names;
	if (!list)
		return read_own_hop(r, route, devices);
	if (route->attr[RTA_GATEWAY] || route->attr[RTA_VIA] || route->attr[RTA_OIF])
		return false;
	struct span one,
		s = {&schema_route, message_of(route), route->length, route->key.family, NULL};
	struct hop_cursor cursor = {payload(list), payload_length(list), &schema_hop, &s};
	for (route->count = 0; next_hop(&cursor, &one); route->count++)
		if (route->count == HOPS_MAX ||
		    !read_listed_hop(r, route, &one, devices, &route->hops[route->count]))
			return false;
	return route->count > 0;
}

static bool same_way(const struct hop *a, const struct hop *b)
{
	return a->family == b->family && memcmp(a->via, b->via, sizeof(a->via)) == 0 &&
	       (a->dev && b->dev ? strcmp(a->dev, b->dev) == 0 : a->dev == b->dev);
}

/* Whether the kernel takes these hops as they are: of the route's family, each once. */
static bool will_be_kept(const struct route *route)
{
	for (int i = 0; i < route->count; i++) {
		const struct hop *hop = &route->hops[i];
		if (hop->says_more ||
		    (hop->family ? hop->family != route->key.family
				 : route->key.family == AF_INET6 && route->count > 1))
			return false;
		for (int k = 0; k < i; k++)
			if (same_way(hop, &route->hops[k]))
				return false;
	}
	return true;
}

bool read_wanted_hops(struct route_reader *r, struct route *route)
{
	return read_held_hops(r, route, true) && will_be_kept(route);
}
