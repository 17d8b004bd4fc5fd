/*
 * Lists of routes that are wanted. Each is kept as the message that asks the kernel for it, eighty
 * bytes where a table takes several hundred; read, it is a table of what was said.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"
#include "common/addr.h"
#include "rtnl/codec/decoder.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/request/request.h"

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
	uint32_t line;
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

void list_names(lua_State *L, int index)
{
	lua_getiuservalue(L, index, NAMES);
}

/* Counts in what was written behind the used bytes. */
static void count_in(lua_State *L, struct route_list *l, uint32_t line)
{
	struct listed one = {(uint32_t)(l->used / GRAIN), line};
	if (l->used / GRAIN > UINT32_MAX)
		luaL_error(L, "more routes than a list can hold");
	arena_reserve(L, l->bytes, (GRAIN - l->bytes->length % GRAIN) % GRAIN);
	memcpy(arena_room(L, l->places, sizeof(one)), &one, sizeof(one));
	l->used = l->bytes->length;
}

struct view *list_repeat(lua_State *L, struct route_list *l, size_t i, uint32_t line)
{
	size_t size = sizeof(struct view) + list_view(l, i)->length;
	l->bytes->length = l->used;
	uint8_t *room = arena_room(L, l->bytes, size);
	memcpy(room, list_view(l, i), size);
	count_in(L, l, line);
	return list_view(l, list_count(l));
}

static bool says(lua_State *L, int table, const char *key)
{
	bool there = lua_getfield(L, table, key) != LUA_TNIL;
	lua_pop(L, 1);
	return there;
}

/* The table of the route added last, where it surely can be one as it is written; 0: nobody knows.
 */
static uint32_t table_of_last(lua_State *L, struct route_list *l, int names)
{
	struct plain_route route;
	const struct view *v = list_view(l, list_count(l));
	l->reader.L = L;
	bool sure = read_message(&l->reader, &route, v, names) &&
		    compare_routes(&l->reader, NULL, &route, false) == DIFFERENT;
	return sure ? route.slot.table : 0;
}

/*
 * list:add(route, line) -> there, table | there; raises where rtnl.check(route) would. `there` is
 * whether the kernel has its devices; without the number of its table, it may be no route still.
 */
static int add_route(lua_State *L)
{
	struct route_list *l = list_check(L, 1);
	const struct object *o = object_by_name("route");
	luaL_checktype(L, 2, LUA_TTABLE);
	uint32_t line = (uint32_t)luaL_checkinteger(L, 3);
	struct view head = {.object = o, .type = o->add};
	lua_settop(L, 3);
	list_names(L, 1);
	l->bytes->length = l->used;
	arena_reserve(L, l->bytes, sizeof(head));
	struct encoder *e = &l->encoder;
	e->L = L;
	e->room = e->refused = 0;
	encode_message(e, o->schema, 2);
	head.length = (uint32_t)(l->bytes->length - e->start);
	head.flags = (uint16_t)((says(L, 2, "proto") ? 0 : ANY_PROTO) |
				(says(L, 2, "scope") ? 0 : ANY_SCOPE));
	memcpy(l->bytes->base + l->used, &head, sizeof(head));
	count_in(L, l, line);
	lua_pushboolean(L, !e->refused);
	uint32_t table = table_of_last(L, l, 4);
	if (!table)
		return 1;
	lua_pushinteger(L, table);
	return 2;
}

static int list_add(lua_State *L)
{
	return guard_call(L, &list_check(L, 1)->guard, add_route);
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

static uint32_t number_of(const struct stretch *s, uint16_t type, uint32_t otherwise)
{
	const struct nlattr *a = find_attr(s, type);
	return a ? (uint32_t)read_uint((const uint8_t *)a + NLA_HDRLEN, 4, false) : otherwise;
}

/* Whether nothing but the destination tells the slot from others, as is nearly always so. */
static bool is_plain_slot(const struct stretch *s)
{
	const struct rtmsg *m = (const void *)s->data;
	uint32_t metric = number_of(s, RTA_PRIORITY, 0);
	return number_of(s, RTA_TABLE, m->rtm_table) == RT_TABLE_MAIN && !m->rtm_src_len &&
	       (m->rtm_family == AF_INET6 ? metric == 0 || metric == 1024
					  : metric == 0 && !m->rtm_tos);
}

enum {
	SLOT_MAX = 64 /* bytes of its text */
};

/* The slot as ecmp.fib.route names it; 0 where that takes more than a prefix. */
static size_t slot_text(const struct view *v, char text[SLOT_MAX])
{
	static const uint8_t none[16];
	struct stretch s = view_stretch(v);
	const struct rtmsg *m = (const void *)s.data;
	const struct nlattr *dst = find_attr(&s, RTA_DST);
	if (!is_plain_slot(&s))
		return 0;
	size_t n = ip_to_text(m->rtm_family, dst ? (const uint8_t *)dst + NLA_HDRLEN : none, text);
	unsigned length = m->rtm_dst_len;
	text[n++] = '/';
	if (length >= 100)
		text[n++] = '1';
	if (length >= 10)
		text[n++] = (char)('0' + length / 10 % 10);
	text[n++] = (char)('0' + length % 10);
	return n;
}

/* rtnl.slot(list, i) -> the slot's name; nil where it takes more than a prefix, or where the list
 * is kept in another way */
int list_slot(lua_State *L)
{
	const struct route_list *l = list_test(L, 1);
	char text[SLOT_MAX];
	size_t n = l ? slot_text(list_view(l, check_number(L, l, 2)), text) : 0;
	if (n == 0)
		return 0;
	lua_pushlstring(L, text, n);
	return 1;
}

static int push_slots(lua_State *L)
{
	const struct route_list *l = list_check(L, 1);
	char text[SLOT_MAX];
	luaL_Buffer b;
	size_t first = check_number(L, l, 2), last = check_number(L, l, 3);
	const char *word = luaL_checkstring(L, 4);
	luaL_buffinit(L, &b);
	for (size_t i = first; i <= last; i++) {
		size_t n = slot_text(list_view(l, i), text);
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

/* [list, number] -> [table of what the route says] */
static int read_listed(lua_State *L)
{
	const struct view *v = list_view(list_check(L, 1), (size_t)lua_tointeger(L, 2));
	struct stretch s = view_stretch(v);
	list_names(L, 1);
	push_stretch(L, &s, lua_gettop(L));
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

/* rtnl.list(socket?) -> list, empty; devices are asked for through the socket */
int list_new(lua_State *L)
{
	lua_settop(L, 1);
	struct route_list *l = lua_newuserdatauv(L, sizeof(*l), 3);
	*l = (struct route_list){.guard.what = "this list"};
	know_rows(&l->reader);
	start_reading(&l->reader, L);
	lua_settop(L, 2);
	names_new(L, lua_isnil(L, 1) ? 0 : 1);
	lua_setiuservalue(L, 2, NAMES);
	l->bytes = arena_new(L);
	lua_setiuservalue(L, 2, 2);
	l->places = arena_new(L);
	lua_setiuservalue(L, 2, 3);
	l->encoder = (struct encoder){.out = l->bytes, .names = 4, .verb = VERB_ADD};
	luaL_setmetatable(L, LIST);
	return 1;
}

static const luaL_Reg methods[] = {{"add", list_add}, {"line", list_line}, {NULL, NULL}};

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
