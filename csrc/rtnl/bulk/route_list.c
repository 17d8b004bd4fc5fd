/*
 * Lists of desired routes. Each route is kept as the message that adds it, eighty
 * bytes where a table takes several hundred. Reading one makes a table of its explicit fields.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"
#include "common/addr.h"
#include "rtnl/codec/decoder.h"
#include "rtnl/codec/value.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/request/request.h"
#include "rtnl/text/parser.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

#define LIST "ecmp.rtnl.list"

enum {
	GRAIN = 8, /* views lie at multiples of it */
	NAMES = 1  /* user values */
};

static const char metatable_key;

/* Where a route lies, and the line it was read from. */
struct listed {
	uint32_t at; /* in grains */
	uint32_t line : 31;
	uint32_t missing : 1; /* it names a device there is not */
};

/* As luaL_testudata, which looks for its name among all: this is asked once for each route. */
struct route_list *list_test(lua_State *L, int index)
{
	void *list = lua_touserdata(L, index);
	if (!list || !lua_getmetatable(L, index))
		return NULL;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &metatable_key);
	bool ours = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return ours ? list : NULL;
}

struct route_list *list_check(lua_State *L, int index)
{
	return luaL_checkudata(L, index, LIST);
}

size_t list_count(const struct route_list *l)
{
	return l->places->length / sizeof(struct listed);
}

static struct listed *listed_at(const struct route_list *l, size_t i)
{
	return (struct listed *)(void *)l->places->base + i - 1;
}

struct view *list_view(const struct route_list *l, size_t i)
{
	return (struct view *)(void *)(l->bytes->base + (size_t)listed_at(l, i)->at * GRAIN);
}

void list_ifnames(lua_State *L, int index)
{
	lua_getiuservalue(L, index, NAMES);
}

/* Counts in what was written behind the used bytes. */
static void count_in(lua_State *L, struct route_list *l, uint32_t line)
{
	struct listed one = {(uint32_t)(l->used / GRAIN), line, l->encoder.missing_errno != 0};
	if (l->used / GRAIN > UINT32_MAX)
		luaL_error(L, "more routes than a list can hold");
	buffer_reserve(L, l->bytes, (GRAIN - l->bytes->length % GRAIN) % GRAIN);
	memcpy(buffer_room(L, l->places, sizeof(one)), &one, sizeof(one));
	l->used = l->bytes->length;
}

/* Whether the route added last surely is one as it is written. */
static bool is_sure(lua_State *L, struct route_list *l, int names)
{
	struct route route;
	const struct view *v = list_view(l, list_count(l));
	l->reader.L = L;
	return read_message(&l->reader, &route, v, names) &&
	       compare_routes(&l->reader, NULL, &route, false) == DIFFERENT;
}

/* Room for a view, with the message to be encoded behind it. */
static struct encoder *begin_route(lua_State *L, struct route_list *l, int names)
{
	struct encoder *e = &l->encoder;
	l->bytes->length = l->used;
	buffer_reserve(L, l->bytes, sizeof(struct view));
	e->L = L;
	e->names = names;
	e->room = e->missing_errno = 0;
	return e;
}

/* Counts in the message that was encoded. */
static void end_route(lua_State *L, struct route_list *l, uint32_t line, bool proto, bool scope)
{
	const struct object *o = object_by_name("route");
	struct view head = {.object = o, .type = o->add};
	head.length = (uint32_t)(l->bytes->length - l->encoder.start);
	head.flags = (uint16_t)((proto ? 0 : ANY_PROTO) | (scope ? 0 : ANY_SCOPE));
	memcpy(l->bytes->base + l->used, &head, sizeof(head));
	count_in(L, l, line);
}

static bool has_key(lua_State *L, int table, const char *key)
{
	bool there = lua_getfield(L, table, key) != LUA_TNIL;
	lua_pop(L, 1);
	return there;
}

/* A route of several hops has no flag of its own, as far as the kernel is concerned. */
static void hand_on_onlink(struct parts *t, const struct value *route)
{
	const struct value none = {.type = VALUE_NONE};
	struct value onlink = part_get(t->bytes, route, "onlink");
	struct value hops = part_get(t->bytes, route, "nexthops");
	if (onlink.type == VALUE_NONE || hops.type != VALUE_PART)
		return;
	for (uint32_t at = part_first(t->bytes, &hops); at;) {
		struct value hop = part_next(t->bytes, &at, NULL);
		part_set(t, &hop, "onlink", &onlink);
	}
	part_set(t, route, "onlink", &none);
}

/* The kernel takes the hops of a route, or the number of the object that they are of. */
static void keep_number_alone(struct parts *t, const struct value *route)
{
	static const char *const of_object[] = {"via", "dev", "nexthops", "onlink", "encap"};
	const struct value none = {.type = VALUE_NONE};
	if (part_get(t->bytes, route, "nhid").type == VALUE_NONE)
		return;
	for (size_t i = 0; i < sizeof(of_object) / sizeof(of_object[0]); i++)
		part_set(t, route, of_object[i], &none);
}

/* Gives a route the protocol at a stack index, unless it names one. */
static void fill_in_proto(struct parts *t, const struct value *route, int index)
{
	struct value v = lua_value(t->L, index);
	if (v.type == VALUE_NONE || part_get(t->bytes, route, "proto").type != VALUE_NONE)
		return;
	if (is_text(&v))
		v = part_text(t, v.text, v.length);
	part_set(t, route, "proto", &v);
}

/* Where the next word begins. */
static size_t next_word(const char *text, size_t length, size_t at)
{
	while (at < length && !strchr(" \t", text[at]))
		at++;
	while (at < length && strchr(" \t", text[at]))
		at++;
	return at;
}

/* Passes over the command of a line for ip -batch that makes a route; raises for others. */
static size_t command_of(lua_State *L, const char *text, size_t length)
{
	static const char *const verbs[] = {"add ", "append ", "replace "};
	if (length < 6 || memcmp(text, "route", 5) != 0 || !strchr(" \t", text[5]))
		return 0;
	size_t at = next_word(text, length, 0), rest = next_word(text, length, at);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		size_t n = strlen(verbs[i]) - 1;
		if (length - at > n && memcmp(text + at, verbs[i], n) == 0 &&
		    strchr(" \t", text[at + n]))
			return rest;
	}
	lua_pushliteral(L, "of the commands of ip -batch route add, append and replace are taken");
	lua_error(L);
	return 0;
}

bool list_add_words(lua_State *L, int list, const char *text, size_t length, uint32_t line,
		    int proto)
{
	size_t command = command_of(L, text, length);
	text += command;
	length -= command;

	struct route_list *l = lua_touserdata(L, list);
	struct parts t = {L, l->parts};
	struct value route;
	int top = lua_gettop(L);
	if (!parse_words(L, l->parts, &l->words, object_by_name("route"), text, length, &route))
		lua_error(L);
	if (part_get(t.bytes, &route, "dst").type == VALUE_NONE) {
		lua_pushliteral(L, "dst: missing");
		lua_error(L);
	}
	keep_number_alone(&t, &route);
	hand_on_onlink(&t, &route);
	fill_in_proto(&t, &route, proto);
	list_ifnames(L, list);
	struct encoder *e = begin_route(L, l, top + 1);
	e->without_line = true;
	encode_part(e, &schema_route, l->parts, &route);
	end_route(L, l, line, part_get(t.bytes, &route, "proto").type != VALUE_NONE,
		  part_get(t.bytes, &route, "scope").type != VALUE_NONE);
	bool sure = is_sure(L, l, top + 1);
	lua_settop(L, top);
	return sure;
}

/* [list, route, line] */
static bool add_table(lua_State *L, struct route_list *l, uint32_t line)
{
	lua_settop(L, 3);
	list_ifnames(L, 1);
	struct encoder *e = begin_route(L, l, 4);
	e->without_line = false;
	encode_message(e, &schema_route, 2);
	end_route(L, l, line, has_key(L, 2, "proto"), has_key(L, 2, "scope"));
	return is_sure(L, l, 4);
}

/* [list, route, line, proto] */
static int add_route(lua_State *L)
{
	struct route_list *l = list_check(L, 1);
	uint32_t line = (uint32_t)luaL_checkinteger(L, 3);
	size_t length;
	lua_settop(L, 4);
	if (lua_type(L, 2) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, 2, &length);
		lua_pushboolean(L, list_add_words(L, 1, text, length, line, 4));
	} else {
		luaL_checktype(L, 2, LUA_TTABLE);
		lua_pushboolean(L, add_table(L, l, line));
	}
	return 1;
}

/*
 * list:add(route, line, proto?) -> sure; raises where rtnl.check(route) would. Not sure: it may be
 * no route, though each of its fields is right. The protocol is that of a text that names none.
 */
static int list_add(lua_State *L)
{
	return guard_call(L, &list_check(L, 1)->guard, add_route);
}

/* list:push_missing() -> number of the first route that names a device there is not, or nil */
static int list_lacking(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	for (size_t i = 1; i <= list_count(l); i++) {
		if (!listed_at(l, i)->missing)
			continue;
		lua_pushinteger(L, (lua_Integer)i);
		return 1;
	}
	return 0;
}

static size_t check_number(lua_State *L, const struct route_list *l, int index)
{
	lua_Integer i = luaL_checkinteger(L, index);
	luaL_argcheck(L, i >= 1 && (size_t)i <= list_count(l), index, "no number of a route");
	return (size_t)i;
}

/* list:line(i) -> the line it was read from */
static int list_line(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	lua_pushinteger(L, listed_at(l, check_number(L, l, 2))->line);
	return 1;
}

/* list:tables() -> families of each table that routes are in: { [254] = { [4] = true } } */
static int list_tables(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	uint64_t last = 0;
	lua_newtable(L);
	for (size_t i = 1; i <= list_count(l); i++) {
		struct span s = view_span(list_view(l, i));
		const struct rtmsg *m = (const void *)s.data;
		uint32_t table = table_number(&s, RTA_TABLE, offsetof(struct rtmsg, rtm_table));
		if (last == ((uint64_t)table << 8 | m->rtm_family))
			continue;
		last = (uint64_t)table << 8 | m->rtm_family;
		if (lua_rawgeti(L, -1, table) != LUA_TTABLE) {
			lua_pop(L, 1);
			lua_createtable(L, 0, 2);
			lua_pushvalue(L, -1);
			lua_rawseti(L, -3, table);
		}
		lua_pushboolean(L, 1);
		lua_rawseti(L, -2, m->rtm_family == AF_INET6 ? 6 : 4);
		lua_pop(L, 1);
	}
	return 1;
}

/* list:objects() -> the first route by each next-hop object: { [7] = 3 } */
static int list_objects(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	lua_newtable(L);
	for (size_t i = list_count(l); i > 0; i--) {
		struct span s = view_span(list_view(l, i));
		const struct nlattr *a = find_attr(&s, RTA_NH_ID);
		if (!a || payload_length(a) != sizeof(uint32_t))
			continue;
		lua_pushinteger(L, (lua_Integer)i);
		lua_rawseti(L, -2,
			    (lua_Integer)read_uint((const uint8_t *)a + NLA_HDRLEN, 4, false));
	}
	return 1;
}

/* list:protocols() -> how many routes there are of each: { [186] = 3 } */
static int list_protocols(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	lua_Integer count[256] = {0};
	for (size_t i = 1; i <= list_count(l); i++) {
		struct span s = view_span(list_view(l, i));
		count[((const struct rtmsg *)(const void *)s.data)->rtm_protocol]++;
	}
	lua_newtable(L);
	for (int proto = 0; proto < 256; proto++) {
		if (!count[proto])
			continue;
		lua_pushinteger(L, count[proto]);
		lua_rawseti(L, -2, proto);
	}
	return 1;
}

/* list:of(protocol) -> numbers of its routes */
static int list_of(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	lua_Integer proto = luaL_checkinteger(L, 2), n = 0;
	lua_newtable(L);
	for (size_t i = 1; i <= list_count(l); i++) {
		struct span s = view_span(list_view(l, i));
		if (((const struct rtmsg *)(const void *)s.data)->rtm_protocol != proto)
			continue;
		lua_pushinteger(L, (lua_Integer)i);
		lua_rawseti(L, -2, ++n);
	}
	return 1;
}

/* [list, numbers] */
static int remove_listed(lua_State *L)
{
	struct route_list *l = list_check(L, 1);
	size_t kept = 0, next = 1;
	for (size_t i = 1; i <= list_count(l); i++) {
		lua_rawgeti(L, 2, (lua_Integer)next);
		bool out = lua_tointeger(L, -1) == (lua_Integer)i;
		lua_pop(L, 1);
		if (out)
			next++;
		else
			*listed_at(l, ++kept) = *listed_at(l, i);
	}
	l->places->length = kept * sizeof(struct listed);
	return 0;
}

/* list:remove(numbers), which rise; those of the routes behind them fall */
static int list_remove(lua_State *L)
{
	luaL_checktype(L, 2, LUA_TTABLE);
	return guard_call(L, &list_check(L, 1)->guard, remove_listed);
}

/* The key as ecmp.fib.route names it; 0 where that takes more than a prefix. */
static size_t key_text(const struct route_list *l, size_t i, char text[PREFIX_TEXT])
{
	struct route route;
	const struct route_key *key = &route.key;
	if (!read_message(&l->reader, &route, list_view(l, i), 0) || key->table != RT_TABLE_MAIN ||
	    key->tos || key->metric != (key->family == AF_INET6 ? 1024 : 0))
		return 0;
	return prefix_to_text(key->family, key->dst, key->length, text);
}

/* rtnl.slot(list, i) -> the text of its key; nil where it takes more than a prefix, or where the
 * list is kept in another way */
int list_slot(lua_State *L)
{
	const struct route_list *l = list_test(L, 1);
	char text[PREFIX_TEXT];
	size_t n = l ? key_text(l, check_number(L, l, 2), text) : 0;
	if (n == 0)
		return 0;
	lua_pushlstring(L, text, n);
	return 1;
}

static int push_slots(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	char text[PREFIX_TEXT];
	luaL_Buffer b;
	size_t first = check_number(L, l, 2), last = check_number(L, l, 3);
	const char *word = luaL_checkstring(L, 4);
	luaL_buffinit(L, &b);
	for (size_t i = first; i <= last; i++) {
		size_t n = key_text(l, i, text);
		if (n == 0)
			return 0;
		luaL_addstring(&b, word);
		luaL_addlstring(&b, text, n);
		luaL_addchar(&b, '\n');
	}
	luaL_pushresult(&b);
	return 1;
}

/* rtnl.slots(list, first, last, word) -> lines of their names behind a word; nil as above */
int list_slots(lua_State *L)
{
	struct route_list *l = list_test(L, 1);
	return l ? guard_call(L, &l->guard, push_slots) : 0;
}

static void drop(lua_State *L, const char *key)
{
	lua_pushnil(L);
	lua_setfield(L, -2, key);
}

/* Says of an IPv6 gateway that a route of IPv4 goes by it, as text does. [hop] */
static void name_gateway(lua_State *L)
{
	if (lua_getfield(L, -1, "via") == LUA_TSTRING && strchr(lua_tostring(L, -1), ':')) {
		lua_pushfstring(L, "inet6 %s", lua_tostring(L, -1));
		lua_setfield(L, -3, "via");
	}
	lua_pop(L, 1);
}

/* [route] */
static void name_gateways(lua_State *L)
{
	name_gateway(L);
	if (lua_getfield(L, -1, "nexthops") == LUA_TTABLE) {
		for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TTABLE; i++) {
			name_gateway(L);
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* [list, number] -> [table of what the route says] */
static int read_listed(lua_State *L)
{
	const struct view *v = list_view(list_check(L, 1), (size_t)lua_tointeger(L, 2));
	struct span s = view_span(v);
	list_ifnames(L, 1);
	push_span(L, &s, lua_gettop(L));
	if (*s.data == AF_INET)
		name_gateways(L);
	if (v->flags & ANY_PROTO)
		drop(L, "proto");
	if (v->flags & ANY_SCOPE)
		drop(L, "scope");
	return 1;
}

/* list[i], or a method */
static int list_index(lua_State *L)
{
	struct route_list *l = list_check(L, 1);
	lua_Integer i = lua_tointeger(L, 2);
	lua_settop(L, 2);
	if (lua_isinteger(L, 2) && i >= 1 && (size_t)i <= list_count(l))
		return guard_call(L, &l->guard, read_listed);
	if (lua_isinteger(L, 2))
		lua_pushnil(L);
	else
		lua_rawget(L, lua_upvalueindex(1));
	return 1;
}

static int list_len(lua_State *L)
{
	lua_pushinteger(L, (lua_Integer)list_count(list_check(L, 1)));
	return 1;
}

/* rtnl.list(socket?, family?) -> list, empty; devices are asked for through the socket, the family
 * is that of routes without an address */
int list_new(lua_State *L)
{
	bool six = luaL_optinteger(L, 2, 4) == 6;
	lua_settop(L, 1);
	struct route_list *l = lua_newuserdatauv(L, sizeof(*l), 4);
	*l = (struct route_list){.guard.what = "this list"};
	find_route_fields(&l->reader);
	ifnames_new(L, lua_isnil(L, 1) ? 0 : 1);
	lua_setiuservalue(L, 2, NAMES);
	l->bytes = buffer_new(L);
	lua_setiuservalue(L, 2, 2);
	l->places = buffer_new(L);
	lua_setiuservalue(L, 2, 3);
	l->parts = buffer_new(L);
	lua_setiuservalue(L, 2, 4);
	l->encoder = (struct encoder){.out = l->bytes, .names = 4, .verb = VERB_ADD};
	l->encoder.default_family = six ? AF_INET6 : AF_INET;
	luaL_setmetatable(L, LIST);
	return 1;
}

static const luaL_Reg methods[] = {
	{"add", list_add},	 {"line", list_line},	    {"lacking", list_lacking},
	{"tables", list_tables}, {"objects", list_objects}, {"protocols", list_protocols},
	{"of", list_of},	 {"remove", list_remove},   {NULL, NULL},
};

void list_register(lua_State *L)
{
	luaL_newmetatable(L, LIST);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &metatable_key);
	lua_pushcfunction(L, list_len);
	lua_setfield(L, -2, "__len");
	luaL_newlib(L, methods);
	lua_pushcclosure(L, list_index, 1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}
