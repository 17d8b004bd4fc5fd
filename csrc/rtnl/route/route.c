/*
 * Reads one route from its message: attributes, key and scope.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"
#include "rtnl/netlink/ifname.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- the reader ------------------------------------------------------------------------------ */

static const struct field *field_named(const char *key)
{
	const struct field *f = schema_route.fields;
	while (strcmp(f->key, key) != 0)
		f++;
	return f;
}

static uint64_t bit_of(const char *key)
{
	return (uint64_t)1 << (field_named(key) - schema_route.fields);
}

void find_route_fields(struct route_reader *r)
{
	memset(r, 0, sizeof(*r));
	r->proto = field_named("proto");
	r->src = field_named("src");
	r->nhid = field_named("nhid");
	r->pref = field_named("pref");
	r->metrics = schema_route.fields;
	while (r->metrics->type != FIELD_NEST)
		r->metrics++;
	r->of_proto = bit_of("proto");
	r->of_scope = bit_of("scope");
	r->of_table = bit_of("table");
	r->of_from = bit_of("from");
	r->of_dst = bit_of("dst");
	r->of_hops = bit_of("via") | bit_of("nexthops") | bit_of("nhid");
	r->of_key = bit_of("family") | r->of_dst | bit_of("metric") | bit_of("tos") |
		    bit_of("type") | r->of_table | r->of_scope;
}

void read_with(struct route_reader *r, lua_State *L)
{
	r->L = L;
	luaL_checkstack(L, 40, "too many values");
	r->encoder.L = L;
	r->encoder.room = 0;
	r->encoder.names = lua_gettop(L) - 1;
	r->encoder.verb = VERB_PRINT;
	r->encoder.out = lua_touserdata(L, -1);
	for (int i = 0; i < 2; i++) {
		lua_pushnil(L);
		r->views[i] = (struct view_names){NULL, lua_gettop(L)};
	}
}

void start_reading(struct route_reader *r, lua_State *L)
{
	ifnames_new(L, 0);
	buffer_new(L);
	r->encoder.link_index = 0;
	read_with(r, L);
}

/* Views of one operation follow each other, so most are known by their metatable. */
const struct view_names *names_of_view(struct route_reader *r, int index)
{
	lua_State *L = r->L;
	if (!lua_isuserdata(L, index) || !lua_getmetatable(L, index))
		return NULL;
	const void *metatable = lua_topointer(L, -1);
	lua_pop(L, 1);
	struct view_names *views = &r->views[metatable == r->views[1].metatable];
	if (views->metatable == metatable)
		return views;
	if (!view_test(L, index))
		return NULL;
	views = &r->views[r->views[0].metatable && !r->views[1].metatable];
	view_ifnames(L, index);
	lua_replace(L, views->names);
	views->metatable = metatable;
	return views;
}

/* --- a message ------------------------------------------------------------------------------- */

/* Where each attribute of the message is; of several of one number the first. */
static void find_attrs(struct route *route)
{
	size_t at = NLA_ALIGN(sizeof(struct rtmsg));
	const uint8_t *message = message_of(route);
	const struct nlattr *a;
	memset(route->attr, 0, sizeof(route->attr));
	for (; (a = attr_at(message, route->length, at)); at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = attr_type(a);
		if (type <= RTA_MAX && !route->attr[type])
			route->attr[type] = (uint32_t)at;
	}
}

uint32_t attr_number(const struct route *route, uint16_t type, uint32_t otherwise)
{
	const struct nlattr *a = attr_of(route, type);
	return a && payload_length(a) == 4 ? (uint32_t)read_uint(payload(a), 4, false) : otherwise;
}

/* An IPv4-mapped IPv6 address, which ecmp.ip reads as IPv4. */
static bool is_v4_mapped(const uint8_t *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* --- the key --------------------------------------------------------------------------------- */

/* The destination; false where it is none, or the route has a source prefix as well. */
static bool read_dst(const struct route *route, struct route_key *key)
{
	const struct rtmsg *m = header_of_route(route);
	const struct nlattr *dst = attr_of(route, RTA_DST);
	size_t size = address_size(m->rtm_family);
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || m->rtm_src_len ||
	    m->rtm_dst_len > 8 * size || (dst && payload_length(dst) != size) ||
	    (!dst && m->rtm_dst_len) || (dst && size == 16 && is_v4_mapped(payload(dst))))
		return false;
	key->family = m->rtm_family;
	key->length = m->rtm_dst_len;
	if (dst)
		memcpy(key->dst, payload(dst), size);
	mask_bytes(key->dst, size, key->length);
	return true;
}

static bool read_key(struct route *route)
{
	const struct rtmsg *m = header_of_route(route);
	struct route_key *key = &route->key;
	find_attrs(route);
	if (!read_dst(route, key))
		return false;
	key->type = m->rtm_type == RTN_UNSPEC ? RTN_UNICAST : m->rtm_type;
	key->table = attr_number(route, RTA_TABLE, m->rtm_table);
	if (key->table == RT_TABLE_UNSPEC)
		key->table = default_table(key->type);
	key->metric = attr_number(route, RTA_PRIORITY, 0);
	if (key->metric == 0 && key->family == AF_INET6)
		key->metric = 1024;
	key->tos = key->family == AF_INET ? m->rtm_tos : 0;
	return true;
}

static void start_route(struct route *route)
{
	route->v = NULL;
	route->count = -1;
	route->unclear = false;
	memset(&route->key, 0, sizeof(route->key));
}

/* Encodes the table at `index`, or of its fields those in `only`; false where one is wrong. */
static bool encode_table(struct route_reader *r, struct route *route, int index, uint64_t only)
{
	struct encoder *e = &r->encoder;
	size_t at = e->out->length;
	int top = lua_gettop(r->L);
	jmp_buf escape;
	e->only = only;
	e->unknown = false;
	e->escape = &escape;
	if (setjmp(escape)) {
		e->escape = NULL;
		e->out->length = at;
		lua_settop(r->L, top);
		return false;
	}
	encode_message(e, &schema_route, index);
	e->escape = NULL;
	route->bytes = e->out;
	route->at = e->start;
	route->length = e->out->length - e->start;
	route->names = e->names;
	route->given = e->given;
	route->unclear = e->unknown;
	return true;
}

/* A table that is given as 0 is main whatever the type. */
static void settle_table(const struct route_reader *r, const struct route *route)
{
	struct rtmsg *m = (void *)(route->bytes->base + route->at);
	if (route->given & r->of_table && m->rtm_table == RT_TABLE_UNSPEC &&
	    !attr_of(route, RTA_TABLE))
		m->rtm_table = RT_TABLE_MAIN;
}

static bool read_table(struct route_reader *r, struct route *route, int index, enum read_what what)
{
	bool whole = what == WHOLE && encode_table(r, route, index, 0);
	if (!whole && !encode_table(r, route, index, r->of_key))
		return false;
	route->unclear = route->unclear || whole != (what == WHOLE);
	find_attrs(route);
	settle_table(r, route);
	return route->given & r->of_dst && !(route->given & r->of_from) && read_key(route);
}

/* The explicit fields of a view. In one made of a table without `table` or `type` (the kernel's
 * routes have both), scope global counts as not given. */
static uint64_t given_in_view(const struct route_reader *r, const struct route *route)
{
	const struct rtmsg *m = header_of_route(route);
	bool whole = m->rtm_type != RTN_UNSPEC &&
		     attr_number(route, RTA_TABLE, m->rtm_table) != RT_TABLE_UNSPEC;
	bool any = route->v->flags & ANY_SCOPE || (m->rtm_scope == RT_SCOPE_UNIVERSE && !whole);
	return ~(any ? r->of_scope : 0) & ~(route->v->flags & ANY_PROTO ? r->of_proto : 0);
}

bool read_message(const struct route_reader *r, struct route *route, const struct view *v,
		  int names)
{
	start_route(route);
	route->index = 0;
	route->v = v;
	route->length = v->length;
	route->names = names;
	if (!read_key(route))
		return false;
	route->given = given_in_view(r, route);
	return true;
}

bool read_route(struct route_reader *r, struct route *route, int index, enum read_what what)
{
	const struct view_names *views = names_of_view(r, index);
	if (views) {
		const struct view *v = lua_touserdata(r->L, index);
		bool read = v->object->schema == &schema_route &&
			    read_message(r, route, v, views->names);
		route->index = index;
		return read;
	}
	start_route(route);
	route->index = index;
	return lua_istable(r->L, index) && read_table(r, route, index, what);
}

/* --- the scope ------------------------------------------------------------------------------- */

bool has_hops(const struct route_reader *r, const struct route *route)
{
	return route->attr[RTA_GATEWAY] || route->attr[RTA_VIA] || route->attr[RTA_MULTIPATH] ||
	       route->attr[RTA_NH_ID] || (!route->v && route->given & r->of_hops);
}

void read_scope(const struct route_reader *r, struct route *route)
{
	if (route->key.family == AF_INET6)
		return;
	route->key.scope = route->given & r->of_scope
				   ? header_of_route(route)->rtm_scope
				   : scope_of_type(route->key.type, has_hops(r, route));
}
