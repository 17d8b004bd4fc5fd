/*
 * Lists of routes by their slots: which of them belong together, and what has to change to make one
 * list of another. Linear, and without a Lua value for each route.
 */
#define _GNU_SOURCE
#include "rtnl_list.h"
#include "rtnl_route.h"

#include <string.h>

/* --- an index: slots by number --------------------------------------------------------------- */

/* What takes one slot. Routes are numbers from 1; lists of them are chained from the last. */
struct cell {
	struct slot slot;
	uint32_t have, want; /* the last of each; 0: none */
	uint32_t haves, wants;
};

struct index {
	struct arena *cells, *places; /* places: number of a cell, or 0 */
	size_t count, mask;
};

static struct cell *cell_at(const struct index *x, uint32_t n)
{
	return (struct cell *)(void *)x->cells->base + n - 1;
}

static uint64_t hash_of(const struct slot *s)
{
	uint64_t words[sizeof(*s) / 8], h = 0x9e3779b97f4a7c15;
	memcpy(words, s, sizeof(*s));
	for (size_t i = 0; i < sizeof(words) / 8; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return h;
}

/* Two arenas. [] -> [arena, arena] */
static void index_open(lua_State *L, struct index *x, size_t most)
{
	size_t size = 16;
	while (size < 2 * most)
		size *= 2;
	x->cells = arena_new(L);
	x->places = arena_new(L);
	x->count = 0;
	x->mask = size - 1;
	arena_reserve(L, x->places, size * sizeof(uint32_t));
}

static void index_close(struct index *x)
{
	arena_free(x->cells);
	arena_free(x->places);
}

/* The number of the cell of a slot, which is made where there is none. */
static uint32_t cell_of(lua_State *L, struct index *x, const struct slot *s)
{
	uint32_t *places = (void *)x->places->base;
	size_t at = hash_of(s) & x->mask;
	for (; places[at]; at = (at + 1) & x->mask)
		if (memcmp(&cell_at(x, places[at])->slot, s, sizeof(*s)) == 0)
			return places[at];
	struct cell cell = {.slot = *s};
	memcpy(arena_room(L, x->cells, sizeof(cell)), &cell, sizeof(cell));
	return places[at] = (uint32_t)++x->count;
}

/* --- grouping -------------------------------------------------------------------------------- */

/* [.., groups, .., route] -> the same, the route in the n-th group, which is made where it is new
 */
static void add_to_group(lua_State *L, int groups, int metatable, uint32_t n, bool is_new)
{
	if (is_new) {
		lua_createtable(L, 1, 0);
		lua_pushvalue(L, metatable);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawseti(L, groups, n);
	} else {
		lua_rawgeti(L, groups, n);
	}
	lua_pushvalue(L, -2);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

/*
 * rtnl.group(routes, metatable) -> groups | nil
 * Routes of one slot, type, and in IPv4 scope form a group, in the order their first are listed.
 * nil: one of them is not written plainly.
 */
int group_routes(lua_State *L)
{
	struct route_reader r;
	struct plain_route route;
	struct index x;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	size_t total = (size_t)luaL_len(L, 1);
	if (total > INT32_MAX)
		return 0;
	start_reading(&r, L);
	lua_newtable(L);
	int groups = lua_gettop(L);
	index_open(L, &x, total);
	for (size_t i = 1; i <= total; i++) {
		lua_geti(L, 1, (lua_Integer)i);
		int at = lua_gettop(L);
		if (!read_route(&r, &route, at) || !read_scope(&r, &route)) {
			index_close(&x);
			return 0;
		}
		lua_settop(L, at);
		size_t before = x.count;
		uint32_t n = cell_of(L, &x, &route.slot);
		add_to_group(L, groups, 2, n, x.count > before);
		lua_pop(L, 1);
	}
	index_close(&x);
	lua_settop(L, groups);
	return 1;
}

/* --- what has to change ---------------------------------------------------------------------- */

enum {
	HELD = 1,   /* stack indexes: the routes that are there */
	WANTED = 2, /* those that are wanted */
	STEPS = 5   /* the answer, behind what the reader keeps */
};

struct match {
	lua_State *L;
	struct route_reader reader;
	struct index x;
	struct arena *held,
		*wanted; /* for each of WANTED a struct wish; of HELD the one before it */
	const struct route_list *list; /* WANTED, where it is one of messages */
	int names;		       /* of its interfaces: stack index */
	lua_Integer steps;
};

/* A wanted route: its cell, the one before it in the cell, and how it compares with what is there.
 */
struct wish {
	uint32_t cell, before;
	enum verdict verdict;
};

static struct wish *wish_at(const struct match *m, size_t j)
{
	return (struct wish *)(void *)m->wanted->base + j - 1;
}

static uint32_t *before_held(const struct match *m, size_t i)
{
	return (uint32_t *)(void *)m->held->base + i - 1;
}

/* The cell of a slot; type and scope are no part of the place a route takes. */
static uint32_t place_of(struct match *m, const struct slot *slot)
{
	struct slot place = *slot;
	place.type = place.scope = 0;
	return cell_of(m->L, &m->x, &place);
}

static bool index_held(struct match *m, size_t total)
{
	struct plain_route route;
	arena_room(m->L, m->held, total * sizeof(uint32_t));
	int top = lua_gettop(m->L);
	for (size_t i = 1; i <= total; i++) {
		lua_geti(m->L, HELD, (lua_Integer)i);
		if (!read_route(&m->reader, &route, top + 1))
			return false;
		struct cell *cell = cell_at(&m->x, place_of(m, &route.slot));
		*before_held(m, i) = cell->have;
		cell->have = (uint32_t)i;
		cell->haves++;
		lua_settop(m->L, top);
	}
	return true;
}

/* [.., wanted route with its fields] -> the same */
static enum verdict judge(struct match *m, const struct cell *cell, struct plain_route *want)
{
	struct plain_route have;
	if (cell->haves == 0)
		return compare_routes(&m->reader, NULL, want);
	lua_geti(m->L, HELD, cell->have);
	read_again(&m->reader, &have, lua_gettop(m->L), cell->slot);
	return compare_routes(&m->reader, &have, want);
}

/* Leaves on the stack what it is read from. */
static bool read_wanted(struct match *m, size_t j, struct plain_route *want)
{
	if (m->list)
		return read_message(&m->reader, want, list_view(m->list, j), m->names);
	lua_geti(m->L, WANTED, (lua_Integer)j);
	return read_route(&m->reader, want, lua_gettop(m->L));
}

static bool take_wanted(struct match *m, size_t total)
{
	struct plain_route want;
	arena_room(m->L, m->wanted, total * sizeof(struct wish));
	int top = lua_gettop(m->L);
	for (size_t j = 1; j <= total; j++) {
		if (!read_wanted(m, j, &want))
			return false;
		uint32_t n = place_of(m, &want.slot);
		struct cell *cell = cell_at(&m->x, n);
		*wish_at(m, j) = (struct wish){n, cell->want, UNSURE};
		cell->want = (uint32_t)j;
		if (cell->wants++ == 0 && cell->haves <= 1)
			wish_at(m, j)->verdict = judge(m, cell, &want);
		lua_settop(m->L, top);
	}
	return true;
}

/* One step of one held and one wanted route, 0 where there is none: see rtnl.match. */
static void add_step(struct match *m, uint32_t have, uint32_t want, bool sure)
{
	lua_pushinteger(m->L,
			(lua_Integer)have | (lua_Integer)want << 31 | (lua_Integer)sure << 62);
	lua_rawseti(m->L, STEPS, ++m->steps);
}

/* A step of several: { have = { numbers }, want = { numbers } } */
static void add_crowd(struct match *m, const struct cell *cell)
{
	lua_State *L = m->L;
	lua_createtable(L, 0, 2);
	lua_createtable(L, (int)cell->haves, 0);
	for (uint32_t n = cell->haves, i = cell->have; i; i = *before_held(m, i)) {
		lua_pushinteger(L, i);
		lua_rawseti(L, -2, n--);
	}
	lua_setfield(L, -2, "have");
	lua_createtable(L, (int)cell->wants, 0);
	for (uint32_t n = cell->wants, j = cell->want; j; j = wish_at(m, j)->before) {
		lua_pushinteger(L, j);
		lua_rawseti(L, -2, n--);
	}
	lua_setfield(L, -2, "want");
	lua_rawseti(L, STEPS, ++m->steps);
}

static void add_wanted_steps(struct match *m, size_t total)
{
	for (size_t j = 1; j <= total; j++) {
		const struct wish *wish = wish_at(m, j);
		const struct cell *cell = cell_at(&m->x, wish->cell);
		if (wish->before) /* seen to when the first of the slot was met */
			continue;
		if (cell->wants > 1 || cell->haves > 1)
			add_crowd(m, cell);
		else if (wish->verdict != SAME)
			add_step(m, cell->have, (uint32_t)j, wish->verdict == DIFFERENT);
	}
}

static void add_other_steps(struct match *m)
{
	for (uint32_t n = 1; n <= m->x.count; n++) {
		const struct cell *cell = cell_at(&m->x, n);
		if (cell->wants == 0 && cell->haves == 1)
			add_step(m, cell->have, 0, true);
		else if (cell->wants == 0)
			add_crowd(m, cell);
	}
}

/*
 * rtnl.match(current, wanted) -> steps | nil
 * What has to change, slot by slot: those that are wanted in the order listed, then those that are
 * not. A step is the number of a held route | that of a wanted one << 31, 0 where there is none;
 * bit 62 says that the one cannot stay for the other, that the wanted one can be a route as it is
 * written, and that nobody has to look again. Where a slot holds or is to hold several routes it is
 * a table of two lists of numbers, `have` and `want`. nil: one of the slots is not written plainly,
 * or one of the lists is kept in another way.
 */
int match_routes(lua_State *L)
{
	struct match m = {.L = L};
	lua_settop(L, 2);
	m.list = list_test(L, WANTED);
	if (!lua_istable(L, HELD) || !(m.list || lua_istable(L, WANTED)))
		return 0;
	size_t held = (size_t)luaL_len(L, HELD), wanted = (size_t)luaL_len(L, WANTED);
	if (held > INT32_MAX || wanted > INT32_MAX)
		return 0;
	start_reading(&m.reader, L);
	lua_newtable(L);
	if (m.list)
		list_names(L, WANTED);
	m.names = lua_gettop(L);
	index_open(L, &m.x, held + wanted);
	m.held = arena_new(L);
	m.wanted = arena_new(L);
	bool plain = index_held(&m, held) && take_wanted(&m, wanted);
	if (plain) {
		add_wanted_steps(&m, wanted);
		add_other_steps(&m);
	}
	index_close(&m.x);
	arena_free(m.held);
	arena_free(m.wanted);
	lua_settop(L, STEPS);
	return plain;
}
