/*
 * A route as a view: its slot, its next hops, and what else it says. The attributes are walked
 * once.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "rtnl/netlink/ifname.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* Views of one operation follow each other, so most are known by their metatable. */
const struct view *known_view(struct route_reader *r, int index, int *names)
{
	lua_State *L = r->L;
	struct view *v = lua_touserdata(L, index);
	if (!v || !lua_getmetatable(L, index))
		return NULL;
	const void *metatable = lua_topointer(L, -1);
	lua_pop(L, 1);
	struct kin *kin = &r->kin[metatable == r->kin[1].metatable];
	if (kin->metatable != metatable) {
		v = view_test(L, index);
		if (!v)
			return NULL;
		kin = &r->kin[r->kin[0].metatable && !r->kin[1].metatable];
		view_ifnames(L, index);
		lua_replace(L, kin->names);
		kin->metatable = metatable;
	}
	*names = kin->names;
	return v;
}

/* --- attributes ------------------------------------------------------------------------------ */

/* Where each attribute of a message is; of several of one kind the first. */
static void find_attrs(const struct view *v, uint32_t found[RTA_MAX + 1])
{
	size_t at = NLA_ALIGN(sizeof(struct rtmsg));
	const struct nlattr *a;
	memset(found, 0, (RTA_MAX + 1) * sizeof(*found));
	for (; (a = attr_at(v->data, v->length, at)); at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = a->nla_type & NLA_TYPE_MASK;
		if (type <= RTA_MAX && !found[type])
			found[type] = (uint32_t)at;
	}
}

const struct nlattr *attr_of(const struct plain_route *route, uint16_t type)
{
	uint32_t at = route->attr[type];
	return at ? (const void *)(route->v->data + at) : NULL;
}

/* The number in an attribute, or what stands for none. */
static uint32_t number_of(const struct plain_route *route, uint16_t type, uint32_t otherwise)
{
	const struct nlattr *a = attr_of(route, type);
	return a && a->nla_len == NLA_HDRLEN + 4 ? (uint32_t)read_uint(payload(a), 4, false)
						 : otherwise;
}

/* --- the slot -------------------------------------------------------------------------------- */

bool is_whole(const struct plain_route *route)
{
	const struct rtmsg *m = header_of_route(route->v);
	return m->rtm_type != RTN_UNSPEC &&
	       number_of(route, RTA_TABLE, m->rtm_table) != RT_TABLE_UNSPEC;
}

bool slot_of_view(struct plain_route *route)
{
	const struct rtmsg *m = header_of_route(route->v);
	struct slot *slot = &route->slot;
	size_t size = m->rtm_family == AF_INET6 ? 16 : 4;
	find_attrs(route->v, route->attr);
	const struct nlattr *dst = attr_of(route, RTA_DST);
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || m->rtm_src_len ||
	    m->rtm_dst_len > 8 * size || (dst && dst->nla_len != NLA_HDRLEN + size) ||
	    (!dst && m->rtm_dst_len) || (dst && size == 16 && is_v4_mapped(payload(dst))))
		return false;
	slot->family = m->rtm_family;
	slot->length = m->rtm_dst_len;
	if (dst)
		memcpy(slot->dst, payload(dst), size);
	mask_bytes(slot->dst, size, slot->length);
	slot->type = m->rtm_type == RTN_UNSPEC ? RTN_UNICAST : m->rtm_type;
	slot->table = number_of(route, RTA_TABLE, m->rtm_table);
	if (slot->table == RT_TABLE_UNSPEC)
		slot->table = table_of_type(slot->type);
	set_metric(slot, number_of(route, RTA_PRIORITY, 0));
	slot->tos = slot->family == AF_INET ? m->rtm_tos : 0;
	return true;
}

/* --- next hops ------------------------------------------------------------------------------- */

static bool read_gateway(const struct nlattr *a, struct plain_hop *hop)
{
	size_t size = a->nla_len - (size_t)NLA_HDRLEN;
	const uint8_t *address = payload(a);
	if ((a->nla_type & NLA_TYPE_MASK) == RTA_VIA) { /* of the other family, which it says */
		if (size != 2 + 16 || read_uint(address, 2, false) != AF_INET6)
			return false;
		hop->family = AF_INET6;
		size -= 2;
		address += 2;
	}
	if (size != (hop->family == AF_INET6 ? 16 : 4))
		return false;
	memcpy(hop->via, address, size);
	return true;
}

/* A hop with a gateway at `via` or `other`, if there is one, that leaves by interface `index`. */
static bool read_hop(struct route_reader *r, const struct plain_route *route,
		     const struct nlattr *via, const struct nlattr *other, uint32_t index,
		     struct plain_hop *hop)
{
	const struct nlattr *gateway = via ? via : other;
	hop->family = gateway ? route->slot.family : 0;
	if (gateway && !read_gateway(gateway, hop))
		return false;
	if (index) {
		hop->dev = ifnames_name(r->L, route->names, index);
		lua_pop(r->L, 1);
	}
	return true;
}

static bool read_next(struct route_reader *r, const struct plain_route *route, const struct span *s,
		      bool devices, struct plain_hop *hop)
{
	const struct rtnexthop *n = (const void *)s->data;
	const struct nlattr *a, *via = NULL, *other = NULL;
	size_t at = sizeof(*n);
	for (; (a = attr_at(s->data, s->length, at)); at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = a->nla_type & NLA_TYPE_MASK;
		if (type == RTA_GATEWAY && !via)
			via = a;
		else if (type == RTA_VIA && !other)
			other = a;
		else if (type == RTA_ENCAP || type == RTA_FLOW)
			hop->says_more = true;
	}
	hop->weight = (uint16_t)(n->rtnh_hops + 1);
	hop->onlink = (n->rtnh_flags | header_of_route(route->v)->rtm_flags) & RTNH_F_ONLINK;
	return read_hop(r, route, via, other, devices ? (uint32_t)n->rtnh_ifindex : 0, hop);
}

static bool read_own_hop(struct route_reader *r, struct plain_route *route, bool devices)
{
	struct plain_hop *hop = &route->hops[0];
	const struct nlattr *via = attr_of(route, RTA_GATEWAY), *other = attr_of(route, RTA_VIA);
	uint32_t index = number_of(route, RTA_OIF, 0);
	*hop = (struct plain_hop){
		.weight = 1,
		.onlink = header_of_route(route->v)->rtm_flags & RTNH_F_ONLINK,
		.says_more = route->attr[RTA_ENCAP] != 0,
	};
	route->count = via || other || index;
	return read_hop(r, route, via, other, devices ? index : 0, hop);
}

bool hops_of_view(struct route_reader *r, struct plain_route *route, bool devices)
{
	const struct nlattr *list = attr_of(route, RTA_MULTIPATH);
	if (route->index) /* views of other operations may have been read meanwhile */
		known_view(r, route->index, &route->names);
	if (!list)
		return read_own_hop(r, route, devices);
	if (route->attr[RTA_GATEWAY] || route->attr[RTA_VIA] || route->attr[RTA_OIF])
		return false;
	struct span s = view_span(route->v), one;
	struct hop_cursor cursor = {payload(list), list->nla_len - (size_t)NLA_HDRLEN, &schema_hop,
				    &s};
	route->count = 0;
	while (next_hop(&cursor, &one)) {
		struct plain_hop *hop = &route->hops[route->count];
		if (route->count == HOPS_MAX)
			return false;
		*hop = (struct plain_hop){.weight = 1};
		if (!read_next(r, route, &one, devices, hop))
			return false;
		route->count++;
	}
	return route->count > 0;
}

/* --- everything else ------------------------------------------------------------------------- */

/* The attribute of a field, which may be one of the metrics. */
static const struct nlattr *find_value(const struct plain_route *route, const struct field *f,
				       bool metric)
{
	if (!metric)
		return attr_of(route, f->attr);
	const struct nlattr *nest = attr_of(route, RTA_METRICS), *a = NULL;
	size_t at = 0, size = nest ? nest->nla_len - (size_t)NLA_HDRLEN : 0;
	while (nest && (a = attr_at(payload(nest), size, at)) &&
	       (a->nla_type & NLA_TYPE_MASK) != f->attr)
		at += NLA_ALIGN(a->nla_len);
	return a;
}

struct plain_value value_of_attr(const struct field *f, const struct nlattr *a, uint8_t family)
{
	struct plain_value v = {.type = NOTHING};
	size_t size = a ? a->nla_len - (size_t)NLA_HDRLEN : 0;
	if (!a)
		return v;
	v.type = ODD;
	if (f->type == FIELD_INT && size == f->size) {
		v.type = NUMBER;
		v.number = (uint32_t)read_uint(payload(a), size, f->flags & F_BE);
	} else if (f->type == FIELD_ADDRESS && size == (family == AF_INET6 ? 16 : 4)) {
		v.type = ADDRESS;
		memcpy(v.address, payload(a), size);
	}
	return v;
}

struct plain_value value_in_view(const struct plain_route *route, const struct field *f,
				 bool metric)
{
	if (!(f->flags & F_HEADER))
		return value_of_attr(f, find_value(route, f, metric), route->slot.family);
	struct plain_value v = {.number = route->v->data[f->offset]};
	v.type = f->type != FIELD_INT			    ? ODD
		 : v.number == 0 && (f->flags & F_DEFAULT0) ? NOTHING
							    : NUMBER;
	return v;
}
