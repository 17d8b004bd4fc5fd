/*
 * A route in the form in which routes are compared, as lua/ecmp/fib/route.lua describes it: for
 * those who look at many. What is not written plainly is left to Lua.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static void set_number(lua_State *L, const char *key, uint32_t n)
{
	lua_pushinteger(L, n);
	lua_setfield(L, -2, key);
}

/* A word where the number has one. */
static void set_word(lua_State *L, const char *key, enum word_list words, uint32_t n)
{
	const char *word = word_by_value(words, n);
	if (!word) {
		set_number(L, key, n);
		return;
	}
	lua_pushstring(L, word);
	lua_setfield(L, -2, key);
}

/* --- next hops ------------------------------------------------------------------------------- */

/* [table] -> [table]; an IPv6 gateway of an IPv4 route says that it is one */
static void set_via(lua_State *L, const struct plain_hop *hop, uint8_t family)
{
	char text[64] = "inet6 ";
	size_t before = hop->family == family ? 0 : strlen(text);
	size_t size = before + ip_to_text(hop->family == AF_INET6 ? AF_INET6 : AF_INET, hop->via,
					  text + before);
	lua_pushlstring(L, text, size);
	lua_setfield(L, -2, "via");
}

/* [] -> [list] */
static void push_hops(lua_State *L, const struct plain_route *route)
{
	lua_createtable(L, route->count, 0);
	for (int i = 0; i < route->count; i++) {
		const struct plain_hop *hop = &route->hops[i];
		lua_createtable(L, 0, 4);
		if (hop->family)
			set_via(L, hop, route->slot.family);
		if (hop->dev) {
			lua_pushstring(L, hop->dev);
			lua_setfield(L, -2, "dev");
		}
		set_number(L, "weight", hop->weight);
		if (hop->onlink) {
			lua_pushboolean(L, 1);
			lua_setfield(L, -2, "onlink");
		}
		lua_rawseti(L, -2, i + 1);
	}
}

/* The kernel hangs IPv6 routes that lead nowhere on a device of its own choice. */
static bool read_no_hops(const struct route_reader *r, struct plain_route *route)
{
	route->count = 0;
	if (route->v)
		return !route->attr[RTA_GATEWAY] && !route->attr[RTA_VIA] &&
		       !route->attr[RTA_MULTIPATH];
	return !field_value(r, route, R_VIA) && !field_value(r, route, R_NEXTHOPS) &&
	       !field_value(r, route, R_ENCAP);
}

/* A table says `via inet6` where it means a gateway of the other family, which is not read here. */
static bool are_of_family(const struct plain_route *route)
{
	for (int i = 0; i < route->count; i++) {
		const struct plain_hop *hop = &route->hops[i];
		bool other = hop->family && hop->family != route->slot.family;
		if (hop->says_more || (other && !route->v))
			return false;
	}
	return true;
}

static bool read_hops(struct route_reader *r, struct plain_route *route, bool wanted)
{
	if (is_blackhole_type(route->slot.type))
		return read_no_hops(r, route);
	bool read = wanted ? read_wanted_hops(r, route) : read_held_hops(r, route, true);
	return read && are_of_family(route);
}

/* --- the rest -------------------------------------------------------------------------------- */

/* [table] -> [table] */
static void set_place(lua_State *L, const struct plain_route *route)
{
	const struct slot *s = &route->slot;
	char text[64];
	size_t size = ip_to_text(s->family, s->dst, text);
	size += (size_t)snprintf(text + size, sizeof(text) - size, "/%d", s->length);
	lua_pushlstring(L, text, size);
	lua_setfield(L, -2, "dst");
	set_number(L, "family", s->family == AF_INET6 ? 6 : 4);
	set_number(L, "table", s->table);
	set_number(L, "metric", s->metric);
	set_word(L, "type", WORDS_TYPE, s->type);
	if (s->tos)
		set_number(L, "tos", s->tos);
	if (s->family == AF_INET)
		set_word(L, "scope", WORDS_SCOPE, s->scope);
}

struct writing {
	lua_State *L;
	uint8_t family;
};

/* [table] -> [table] */
static bool set_said(void *arg, const struct said *one)
{
	const struct writing *w = arg;
	char text[48];
	if (one->value.type == NUMBER && one->f->words) {
		set_word(w->L, one->f->key, one->f->words, one->value.number);
	} else if (one->value.type == NUMBER) {
		set_number(w->L, one->f->key, one->value.number);
	} else {
		size_t size = ip_to_text(w->family, one->value.address, text);
		lua_pushlstring(w->L, text, size);
		lua_setfield(w->L, -2, one->f->key);
	}
	return true;
}

/* A route that goes by itself says when. */
static bool expires(const struct plain_route *route)
{
	const struct nlattr *a = route->v ? attr_of(route, RTA_CACHEINFO) : NULL;
	struct rta_cacheinfo info = {.rta_expires = 0};
	if (a && payload_length(a) >= sizeof(info))
		memcpy(&info, payload(a), sizeof(info));
	return info.rta_expires != 0;
}

/* --- the reader ------------------------------------------------------------------------------ */

/* One for a Lua state, so that its fields are looked for once. Who reads takes a copy: a metamethod
 * or a finalizer may come to read another route meanwhile. */
static struct route_reader *reader_of(lua_State *L)
{
	static const char key;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
		lua_pop(L, 1);
		know_rows(lua_newuserdatauv(L, sizeof(struct route_reader), 0));
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	}
	struct route_reader *r = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return r;
}

/*
 * rtnl.canonical(route, wanted) -> table | nil
 * The canonical form of a route; of one that is wanted only where it can be one as it is written.
 * nil: Lua has to look.
 */
int push_canonical(lua_State *L)
{
	struct plain_route route;
	struct route_reader *shared = reader_of(L), own = *shared, *r = &own;
	bool wanted = lua_toboolean(L, 2);
	lua_settop(L, 1);
	if (lua_istable(L, 1) && lua_getmetatable(L, 1)) /* may say more than stands in it */
		return 0;
	start_reading(r, L);
	if (!read_route(r, &route, 1) || route.fields.strange || expires(&route) ||
	    !read_scope(r, &route) || !read_hops(r, &route, wanted))
		return 0;
	bool by_object = route.v ? route.attr[RTA_NH_ID] != 0 : field_value(r, &route, R_NHID) != 0;
	if (wanted && route.slot.type == RTN_UNICAST && route.count == 0 && !by_object)
		return 0;
	struct writing w = {L, route.slot.family};
	lua_createtable(L, 0, 12);
	set_place(L, &route);
	push_hops(L, &route);
	lua_setfield(L, -2, "nexthops");
	shared->keys = own.keys;
	return each_said(r, &route, set_said, &w) ? 1 : 0;
}
