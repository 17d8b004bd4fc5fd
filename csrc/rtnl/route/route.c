/*
 * One route as a value: its slot and its next hops, from a table or from a view.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static const struct field *row_named(const struct schema *schema, const char *key)
{
	const struct field *f = schema->fields;
	while (!*f->key || *f->key != *key || strcmp(f->key, key) != 0)
		f++;
	return f;
}

void know_rows(struct route_reader *r)
{
	static const char *const names[ROUTE_KEYS] = {
		"family", "dst",      "table", "metric", "tos",	   "type",  "via",   "dev",
		"onlink", "nexthops", "from",  "scope",	 "nhid",   "encap", "proto", "src",
		"pref",	  "via",      "dev",   "weight", "onlink", "encap",
	};
	memset(r, 0, sizeof(*r));
	for (int i = 0; i < ROUTE_KEYS; i++) {
		const struct schema *schema = i < H_VIA ? &schema_route : &schema_hop;
		r->field[i] = row_named(schema, names[i]);
		r->number[i] = (uint8_t)(r->field[i] - schema->fields);
		if (i <= R_NEXTHOPS)
			r->settled |= (uint64_t)1 << r->number[i];
	}
	r->metrics = schema_route.fields;
	while (r->metrics->type != FIELD_NEST)
		r->metrics++;
}

void start_reading(struct route_reader *r, lua_State *L)
{
	r->L = L;
	luaL_checkstack(L, 8 * FIELDS_MAX, "too many values");
	for (int i = 0; i < 2; i++) {
		lua_pushnil(L);
		r->kin[i] = (struct kin){NULL, lua_gettop(L)};
	}
}

/* --- the slot -------------------------------------------------------------------------------- */

static void start_route(struct route_reader *r, struct plain_route *route)
{
	route->count = -1;
	memset(&route->slot, 0, sizeof(route->slot));
	route->fields.top = lua_gettop(r->L);
	route->fields.strange = false;
	route->fields.fields = 0;
}

static void start_value(struct route_reader *r, struct plain_route *route, int index)
{
	start_route(r, route);
	route->index = index;
	route->v = known_view(r, index, &route->names);
}

bool read_route(struct route_reader *r, struct plain_route *route, int index)
{
	start_value(r, route, index);
	if (route->v)
		return route->v->object->schema == &schema_route && slot_of_view(route);
	return lua_type(r->L, index) == LUA_TTABLE && slot_of_table(r, route);
}

bool read_message(struct route_reader *r, struct plain_route *route, const struct view *v,
		  int names)
{
	start_route(r, route);
	route->index = 0;
	route->v = v;
	route->names = names;
	return slot_of_view(route);
}

void read_again(struct route_reader *r, struct plain_route *route, int index, struct slot slot)
{
	uint32_t type = RTN_UNICAST;
	start_value(r, route, index);
	if (route->v) {
		slot_of_view(route);
		return;
	}
	route->slot = slot;
	fields_of_table(r, route);
	read_number(r, route, R_TYPE, &type);
	route->slot.type = (uint8_t)type;
}

/* --- the scope of an IPv4 route -------------------------------------------------------------- */

/* One made of a table that leaves its table or type out says global without meaning it. */
bool says_scope(const struct route_reader *r, const struct plain_route *route)
{
	if (!route->v)
		return field_value(r, route, R_SCOPE);
	if (route->v->flags & ANY_SCOPE)
		return false;
	return header_of_route(route->v)->rtm_scope != RT_SCOPE_UNIVERSE || is_whole(route);
}

bool has_hops(const struct route_reader *r, const struct plain_route *route)
{
	if (route->v)
		return route->attr[RTA_GATEWAY] || route->attr[RTA_VIA] ||
		       route->attr[RTA_MULTIPATH] || route->attr[RTA_NH_ID];
	return field_value(r, route, R_VIA) || field_value(r, route, R_NEXTHOPS) ||
	       field_value(r, route, R_NHID);
}

static uint32_t implied_scope(const struct route_reader *r, const struct plain_route *route)
{
	static const uint8_t of_type[] = {
		[RTN_LOCAL] = RT_SCOPE_HOST,   [RTN_BROADCAST] = RT_SCOPE_LINK,
		[RTN_ANYCAST] = RT_SCOPE_LINK, [RTN_MULTICAST] = RT_SCOPE_LINK,
		[RTN_NAT] = RT_SCOPE_HOST,     [RTN_XRESOLVE] = 0};
	uint8_t type = route->slot.type;
	if (type != RTN_UNICAST)
		return type < sizeof(of_type) ? of_type[type] : 0;
	return has_hops(r, route) ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
}

bool read_scope(struct route_reader *r, struct plain_route *route)
{
	uint32_t scope = 0;
	if (route->slot.family == AF_INET6)
		return true;
	if (!says_scope(r, route))
		scope = implied_scope(r, route);
	else if (route->v)
		scope = header_of_route(route->v)->rtm_scope;
	else if (!read_number(r, route, R_SCOPE, &scope) || scope > 255)
		return false;
	route->slot.scope = (uint8_t)scope;
	return true;
}

/* --- next hops ------------------------------------------------------------------------------- */

static bool same_way(const struct plain_hop *a, const struct plain_hop *b)
{
	return a->family == b->family && memcmp(a->via, b->via, sizeof(a->via)) == 0 &&
	       (a->dev && b->dev ? strcmp(a->dev, b->dev) == 0 : a->dev == b->dev);
}

/* Whether the kernel takes these hops as they are: of the route's family, each once. */
static bool will_be_kept(const struct plain_route *route)
{
	for (int i = 0; i < route->count; i++) {
		const struct plain_hop *hop = &route->hops[i];
		if (hop->says_more ||
		    (hop->family ? hop->family != route->slot.family
				 : route->slot.family == AF_INET6 && route->count > 1))
			return false;
		for (int k = 0; k < i; k++)
			if (same_way(hop, &route->hops[k]))
				return false;
	}
	return true;
}

bool read_wanted_hops(struct route_reader *r, struct plain_route *route)
{
	bool plain = route->v ? hops_of_view(r, route, true) : hops_of_table(r, route);
	return plain && will_be_kept(route);
}

bool read_held_hops(struct route_reader *r, struct plain_route *route, bool devices)
{
	return route->v ? hops_of_view(r, route, devices) : hops_of_table(r, route);
}
