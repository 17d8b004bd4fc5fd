/*
 * What has to change to make one list of routes another. Linear, and without a Lua value for each
 * route.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"
#include "rtnl/route/route_index.h"

#include <lauxlib.h>

#include "common/export.h"

enum {
	HELD = 1,   /* stack indexes: the routes that are there */
	WANTED = 2, /* those that are wanted */
	STEPS = 10  /* the answer, behind what the reader keeps and the buffers */
};

struct match {
	lua_State *L;
	struct route_reader reader;
	struct index x;
	struct buffer *held,
		*wanted; /* for each of WANTED a struct wish; of HELD the one before it */
	const struct route_list *list; /* WANTED, where it is one of messages */
	int names;		       /* of its interfaces: stack index */
	bool exactly;
	lua_Integer steps;
	size_t likely; /* how many steps there will be */
	size_t unsure; /* how many of them have to be looked at again */
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

/* What the cells are of: type and scope are no part of the place a route takes. */
static struct slot place_of(const struct plain_route *route)
{
	struct slot place = route->slot;
	place.type = place.scope = 0;
	return place;
}

static bool index_handful(struct match *m, size_t first, size_t total)
{
	lua_State *L = m->L;
	struct plain_route route;
	struct slot slots[HANDFUL];
	uint32_t hashes[HANDFUL];
	int top = lua_gettop(L);
	size_t count = handful(first, total);
	fetch_handful(L, HELD, first + HANDFUL, total);
	for (size_t k = 0; k < count; k++) {
		lua_geti(L, HELD, (lua_Integer)first + (lua_Integer)k);
		if (!read_route(&m->reader, &route, top + 1))
			return false;
		lua_settop(L, top);
		slots[k] = place_of(&route);
		hashes[k] = hash_of(&slots[k]);
		expect(&m->x, hashes[k]);
	}
	for (size_t k = 0; k < count; k++) {
		struct cell *cell = cell_at(&m->x, cell_of(L, &m->x, &slots[k], hashes[k]));
		*before_held(m, first + k) = cell->have;
		cell->have = (uint32_t)(first + k);
		cell->haves++;
	}
	return true;
}

/* The routes of a handful, with what they have on the stack. */
struct wishes {
	struct plain_route route[HANDFUL];
	struct slot slot[HANDFUL];
	uint32_t hash[HANDFUL];
	int held[HANDFUL]; /* stack index of what is there; 0: nothing, or several */
};

/* The list of next hops of a table will be read soon, or so many of these. */
static void fetch_hops(struct match *m, const struct plain_route *route, int hops)
{
	lua_State *L = m->L;
	int list = route->v ? 0 : field_value(&m->reader, route, R_NEXTHOPS);
	for (int i = hops ? 1 : 0; list && lua_istable(L, list) && i <= hops; i++) {
		if (i == 0)
			lua_pushvalue(L, list);
		else
			lua_rawgeti(L, list, i);
		fetch(L);
		lua_pop(L, 1);
	}
}

/* Leaves on the stack what it is read from. */
static bool read_wanted(struct match *m, size_t j, struct plain_route *want)
{
	if (m->list)
		return read_message(&m->reader, want, list_view(m->list, j), m->names);
	lua_geti(m->L, WANTED, (lua_Integer)j);
	return read_route(&m->reader, want, lua_gettop(m->L));
}

/* [] -> [wanted routes with their fields] */
static bool read_wishes(struct match *m, struct wishes *w, size_t first, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		if (!read_wanted(m, first + k, &w->route[k]))
			return false;
		w->slot[k] = place_of(&w->route[k]);
		w->hash[k] = hash_of(&w->slot[k]);
		expect(&m->x, w->hash[k]);
		fetch_hops(m, &w->route[k], 0);
	}
	return true;
}

/* [] -> [held routes, where there is one of the slot] */
static void find_held(struct match *m, struct wishes *w, size_t first, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		uint32_t n = cell_of(m->L, &m->x, &w->slot[k], w->hash[k]);
		struct cell *cell = cell_at(&m->x, n);
		*wish_at(m, first + k) = (struct wish){n, cell->want, UNSURE};
		cell->want = (uint32_t)(first + k);
		w->held[k] = 0;
		fetch_hops(m, &w->route[k], 2);
		if (cell->wants++ == 0 && cell->haves == 1) {
			lua_geti(m->L, HELD, cell->have);
			if (!lua_istable(m->L, -1) && !view_test(m->L, -1))
				luaL_error(m->L, "the routes changed while they were compared");
			fetch(m->L);
			w->held[k] = lua_gettop(m->L);
		}
	}
}

static enum verdict judge(struct match *m, struct wishes *w, size_t k)
{
	struct plain_route have;
	int top = lua_gettop(m->L);
	if (!w->held[k])
		return compare_routes(&m->reader, NULL, &w->route[k], m->exactly);
	read_again(&m->reader, &have, w->held[k], w->slot[k]);
	enum verdict verdict = compare_routes(&m->reader, &have, &w->route[k], m->exactly);
	lua_settop(m->L, top);
	return verdict;
}

static bool take_handful(struct match *m, size_t first, size_t total)
{
	struct wishes w;
	int top = lua_gettop(m->L);
	size_t count = handful(first, total);
	if (!m->list)
		fetch_handful(m->L, WANTED, first + HANDFUL, total);
	if (!read_wishes(m, &w, first, count))
		return false;
	find_held(m, &w, first, count);
	for (size_t k = 0; k < count; k++) {
		struct wish *wish = wish_at(m, first + k);
		const struct cell *cell = cell_at(&m->x, wish->cell);
		if (cell->wants > 1 || cell->haves > 1)
			continue;
		wish->verdict = judge(m, &w, k);
		m->likely += wish->verdict != SAME;
	}
	lua_settop(m->L, top);
	return true;
}

static bool index_held(struct match *m, size_t total)
{
	buffer_room(m->L, m->held, total * sizeof(uint32_t));
	for (size_t first = 1; first <= total; first += HANDFUL)
		if (!index_handful(m, first, total))
			return false;
	return true;
}

static bool take_wanted(struct match *m, size_t total)
{
	buffer_room(m->L, m->wanted, total * sizeof(struct wish));
	/* a handful, what one of them is compared with, and a hop of that */
	luaL_checkstack(m->L, (HANDFUL + 4) * 2 * (FIELDS_MAX + 1), "too many values");
	for (size_t first = 1; first <= total; first += HANDFUL)
		if (!take_handful(m, first, total))
			return false;
	return true;
}

/* One step of one held and one wanted route, 0 where there is none: see rtnl.match. */
static void add_step(struct match *m, uint32_t have, uint32_t want, bool sure)
{
	lua_pushinteger(m->L,
			(lua_Integer)have | (lua_Integer)want << 31 | (lua_Integer)sure << 62);
	lua_rawseti(m->L, STEPS, ++m->steps);
	m->unsure += !sure;
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
	m->unsure++;
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

static int match(lua_State *L)
{
	struct match m = {.L = L, .exactly = lua_toboolean(L, 3)};
	lua_settop(L, 2);
	m.list = list_test(L, WANTED);
	if (!lua_istable(L, HELD) || !(m.list || lua_istable(L, WANTED)))
		return 0;
	size_t held = (size_t)luaL_len(L, HELD), wanted = (size_t)luaL_len(L, WANTED);
	if (held > INT32_MAX || wanted > INT32_MAX)
		return 0;
	know_rows(&m.reader);
	start_reading(&m.reader, L);
	m.names = lua_gettop(L) + 1;
	if (m.list)
		list_ifnames(L, WANTED);
	else
		lua_pushnil(L);
	index_open(L, &m.x, held > wanted ? held : wanted);
	m.held = buffer_new(L);
	m.wanted = buffer_new(L);
	bool plain = index_held(&m, held) && take_wanted(&m, wanted);
	if (plain) {
		lua_settop(L, STEPS - 1);
		lua_createtable(L, (int)m.likely, 0);
		add_wanted_steps(&m, wanted);
		add_other_steps(&m);
	}
	index_close(&m.x);
	buffer_free(m.held);
	buffer_free(m.wanted);
	if (!plain)
		return 0;
	lua_pushinteger(L, (lua_Integer)m.unsure);
	return 2;
}

/*
 * rtnl.match(current, wanted, exactly) -> steps, number | nil
 * What has to change, slot by slot: those that are wanted in the order listed, then those that are
 * not. A step is the number of a held route | that of a wanted one << 31, 0 where there is none;
 * bit 62 says that the one cannot stay for the other, that the wanted one can be a route as it is
 * written, and that nobody has to look again. Where a slot holds or is to hold several routes it is
 * a table of two lists of numbers, `have` and `want`. The number is how many steps lack the bit.
 * nil: one of the slots is not written plainly, or one of the lists is kept in another way.
 */
int match_routes(lua_State *L)
{
	struct route_list *l = list_test(L, WANTED);
	return l ? guard_call(L, &l->guard, match) : match(L);
}

/*
 * rtnl.run(steps, k, most) -> last
 * The last of the steps from the k-th on, `most` at most, that are sure and add wanted routes as
 * they are listed, one behind the other; k where it does something else.
 */
int run_of_steps(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer k = luaL_checkinteger(L, 2), most = luaL_checkinteger(L, 3);
	lua_rawgeti(L, 1, k);
	lua_Integer step = lua_tointeger(L, -1);
	bool adds = step >> 62 == 1 && (step & INT32_MAX) == 0;
	while (adds && k < most) {
		step += (lua_Integer)1 << 31;
		lua_rawgeti(L, 1, k + 1);
		adds = lua_tointeger(L, -1) == step;
		lua_settop(L, 3);
		k += adds;
	}
	lua_pushinteger(L, k);
	return 1;
}

/* Whether a route of the list may be in the slot of one that is held. */
static bool may_meet(struct match *m, size_t j)
{
	struct plain_route want;
	if (!read_wanted(m, j, &want))
		return true;
	struct slot slot = place_of(&want);
	return find_place(&m->x, &slot, hash_of(&slot))->cell;
}

static int find_near(lua_State *L)
{
	struct match m = {.L = L};
	luaL_checktype(L, HELD, LUA_TTABLE);
	m.list = list_check(L, WANTED);
	lua_settop(L, 2);
	size_t held = (size_t)luaL_len(L, HELD);
	if (held > INT32_MAX)
		return 0;
	know_rows(&m.reader);
	start_reading(&m.reader, L);
	list_ifnames(L, WANTED);
	m.names = lua_gettop(L);
	index_open(L, &m.x, held);
	m.held = buffer_new(L);
	bool plain = index_held(&m, held);
	lua_settop(L, STEPS - 1);
	lua_newtable(L);
	for (size_t j = 1; plain && j <= list_count(m.list); j++)
		if (may_meet(&m, j)) {
			lua_pushinteger(L, (lua_Integer)j);
			lua_rawseti(L, STEPS, ++m.steps);
		}
	index_close(&m.x);
	buffer_free(m.held);
	return plain;
}

/*
 * rtnl.near(held, list) -> numbers | nil
 * Which of a list of messages may be in the slot of one of the held routes: those that are, and
 * those not written plainly. nil: one of the held is not.
 */
int near_routes(lua_State *L)
{
	return guard_call(L, &list_check(L, WANTED)->guard, find_near);
}
