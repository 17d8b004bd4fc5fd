/*
 * A route in the form in which routes are compared, as lua/ecmp/fib/route.lua describes it: for
 * those who look at many. What is not sure is left to Lua.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"
#include "rtnl/view/view.h"

#include <lauxlib.h>
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
	const char *word = words ? word_by_value(words, n) : NULL;
	if (!word) {
		set_number(L, key, n);
		return;
	}
	lua_pushstring(L, word);
	lua_setfield(L, -2, key);
}

/* --- next hops ------------------------------------------------------------------------------- */

/* [table] -> [table]; an IPv6 gateway of an IPv4 route says that it is one */
static void set_via(lua_State *L, const struct hop *hop, uint8_t family)
{
	char text[64] = "inet6 ";
	size_t before = hop->family == family ? 0 : strlen(text);
	size_t size = before + ip_to_text(hop->family, hop->via, text + before);
	lua_pushlstring(L, text, size);
	lua_setfield(L, -2, "via");
}

/* [] -> [list] */
static void push_hops(lua_State *L, const struct route *route)
{
	lua_createtable(L, route->count, 0);
	for (int i = 0; i < route->count; i++) {
		const struct hop *hop = &route->hops[i];
		lua_createtable(L, 0, 4);
		if (hop->family)
			set_via(L, hop, route->key.family);
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

/* A table says `via inet6` where it means a gateway of the other family, which is not read here. */
static bool are_of_family(const struct route *route)
{
	for (int i = 0; i < route->count; i++) {
		const struct hop *hop = &route->hops[i];
		bool other = hop->family && hop->family != route->key.family;
		if (hop->says_more || (other && !route->v))
			return false;
	}
	return true;
}

static bool read_hops(struct route_reader *r, struct route *route, bool wanted)
{
	if (is_blackhole_type(route->key.type)) {
		/* the kernel hangs those of IPv6 on a device of its own choice */
		route->count = 0;
		return !route->attr[RTA_GATEWAY] && !route->attr[RTA_VIA] &&
		       !route->attr[RTA_MULTIPATH];
	}
	bool read = wanted ? read_wanted_hops(r, route) : read_held_hops(r, route, true);
	return read && are_of_family(route);
}

/* --- the rest -------------------------------------------------------------------------------- */

/* [table] -> [table] */
static void set_key(lua_State *L, const struct route_key *key)
{
	char text[PREFIX_TEXT];
	lua_pushlstring(L, text, prefix_to_text(key->family, key->dst, key->length, text));
	lua_setfield(L, -2, "dst");
	set_number(L, "family", key->family == AF_INET6 ? 6 : 4);
	set_number(L, "table", key->table);
	set_number(L, "metric", key->metric);
	set_word(L, "type", WORDS_TYPE, key->type);
	if (key->tos)
		set_number(L, "tos", key->tos);
	if (key->family == AF_INET)
		set_word(L, "scope", WORDS_SCOPE, key->scope);
}

struct writing {
	lua_State *L;
	uint8_t family;
};

/* [table] -> [table] */
static bool set_attr(void *arg, const struct route_attr *a)
{
	const struct writing *w = arg;
	char text[48];
	if (a->value.type == NUMBER) {
		set_word(w->L, a->f->key, a->f->words, a->value.number);
		return true;
	}
	lua_pushlstring(w->L, text, ip_to_text(w->family, a->value.address, text));
	lua_setfield(w->L, -2, a->f->key);
	return true;
}

/* Whether the kernel will delete the route by itself. */
static bool expires(const struct route *route)
{
	const struct nlattr *a = route->v ? attr_of(route, RTA_CACHEINFO) : NULL;
	struct rta_cacheinfo info = {.rta_expires = 0};
	if (a && payload_length(a) >= sizeof(info))
		memcpy(&info, payload(a), sizeof(info));
	return info.rta_expires != 0;
}

/* --- the reader ------------------------------------------------------------------------------ */

enum {
	NAMES_USES = 256, /* then new ones are begun: a long-lived process meets ever more */
	NAMES = 1,	  /* user values */
	BUFFER = 2
};

/* What is kept in a Lua state, so that its fields are looked for once. */
struct kept_reader {
	struct route_reader reader;
	unsigned uses; /* of its names */
};

/* [] -> [kept reader] */
static struct kept_reader *push_kept_reader(lua_State *L)
{
	static const char key;
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) {
		lua_pop(L, 1);
		struct kept_reader *kept = lua_newuserdatauv(L, sizeof(*kept), 2);
		kept->uses = 0;
		find_route_fields(&kept->reader);
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
	}
	return lua_touserdata(L, -1);
}

/* Takes its names and its buffer, so that a metamethod or a finalizer that comes to read another
 * route meanwhile has its own. [kept reader] -> [.., names, buffer, values] */
static void take_reader(lua_State *L, const struct kept_reader *kept, struct route_reader *r)
{
	int at = lua_gettop(L);
	*r = kept->reader;
	if (lua_getiuservalue(L, at, BUFFER) == LUA_TNIL || kept->uses == 0) {
		lua_settop(L, at);
		start_reading(r, L);
		return;
	}
	lua_getiuservalue(L, at, NAMES);
	lua_insert(L, -2);
	lua_pushnil(L);
	lua_setiuservalue(L, at, BUFFER);
	read_with(r, L);
}

/* [kept reader, names, buffer, ..] -> the same */
static void give_back(lua_State *L, struct kept_reader *kept, const struct route_reader *r, int at)
{
	kept->reader.encoder = r->encoder;
	kept->reader.encoder.out->length = 0;
	kept->uses = (kept->uses + 1) % NAMES_USES;
	lua_pushvalue(L, at + 1);
	lua_setiuservalue(L, at, NAMES);
	lua_pushvalue(L, at + 2);
	lua_setiuservalue(L, at, BUFFER);
}

/* [route, .., kept reader, names, buffer, ..] -> [.., table]; false where Lua has to look */
static bool push_read(struct route_reader *r, bool wanted)
{
	struct route route;
	if (!read_route(r, &route, 1, WHOLE) || route.unclear || expires(&route) ||
	    !read_hops(r, &route, wanted))
		return false;
	if (wanted && route.key.type == RTN_UNICAST && route.count == 0 && !route.attr[RTA_NH_ID])
		return false;
	read_scope(r, &route);
	struct writing w = {r->L, route.key.family};
	lua_createtable(r->L, 0, 12);
	set_key(r->L, &route.key);
	push_hops(r->L, &route);
	lua_setfield(r->L, -2, "nexthops");
	return each_attr(r, &route, set_attr, &w);
}

/*
 * rtnl.canonical(route, wanted) -> table | nil
 * The canonical form of a route; of one that is wanted only where it can be one as it is written.
 * nil: Lua has to look.
 */
int push_canonical(lua_State *L)
{
	struct route_reader r;
	bool wanted = lua_toboolean(L, 2);
	lua_settop(L, 1);
	if (lua_istable(L, 1) && !view_is_fields(L, 1) && lua_getmetatable(L, 1))
		return 0; /* it may say more than stands in it */
	struct kept_reader *kept = push_kept_reader(L);
	int at = lua_gettop(L);
	take_reader(L, kept, &r);
	bool read = push_read(&r, wanted);
	give_back(L, kept, &r, at);
	return read ? 1 : 0;
}
