/*
 * Which routes of a list belong together.
 */
#define _GNU_SOURCE
#include "rtnl/route/route_index.h"

#include <lauxlib.h>

#include "common/export.h"

/* The slot of a route with its type and scope; false where it is not written plainly. */
static bool read_key(struct route_reader *r, int list, size_t i, struct slot *key)
{
	struct plain_route route;
	int top = lua_gettop(r->L);
	lua_geti(r->L, list, (lua_Integer)i);
	bool plain = read_route(r, &route, top + 1) && read_scope(r, &route);
	*key = route.slot;
	lua_settop(r->L, top);
	return plain;
}

/* Notes to which cell each of a handful belongs. */
static bool sort_handful(struct route_reader *r, struct index *x, uint32_t *cells, size_t first,
			 size_t total)
{
	struct slot keys[HANDFUL];
	uint32_t hashes[HANDFUL];
	size_t count = handful(first, total);
	fetch_handful(r->L, 1, first + HANDFUL, total);
	for (size_t k = 0; k < count; k++) {
		if (!read_key(r, 1, first + k, &keys[k]))
			return false;
		hashes[k] = hash_of(&keys[k]);
		expect(x, hashes[k]);
	}
	for (size_t k = 0; k < count; k++) {
		uint32_t n = cell_of(r->L, x, &keys[k], hashes[k]);
		cell_at(x, n)->haves++;
		cells[first + k - 1] = n;
	}
	return true;
}

/* [.., groups] -> the same, route i in its group */
static void add_to_group(lua_State *L, const struct index *x, uint32_t n, size_t i)
{
	struct cell *cell = cell_at(x, n);
	if (cell->have++ == 0) {
		lua_createtable(L, (int)cell->haves, 0);
		lua_pushvalue(L, 2);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, n);
	} else {
		lua_rawgeti(L, -1, n);
	}
	lua_geti(L, 1, (lua_Integer)i);
	lua_rawseti(L, -2, cell->have);
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
	struct index x;
	bool plain = true;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	size_t total = (size_t)luaL_len(L, 1);
	if (total > INT32_MAX)
		return 0;
	know_rows(&r);
	start_reading(&r, L);
	index_open(L, &x, total);
	struct buffer *cells = buffer_new(L);
	uint32_t *cell = (void *)buffer_room(L, cells, total * sizeof(*cell));
	for (size_t first = 1; plain && first <= total; first += HANDFUL)
		plain = sort_handful(&r, &x, cell, first, total);
	buffer_free(x.places);
	lua_createtable(L, plain ? (int)x.count : 0, 0);
	for (size_t i = 1; plain && i <= total; i++)
		add_to_group(L, &x, cell[i - 1], i);
	buffer_free(x.cells);
	buffer_free(cells);
	return plain ? 1 : 0;
}
