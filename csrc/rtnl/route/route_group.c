/*
 * Groups the routes of a list by key, type and, for IPv4, scope.
 */
#define _GNU_SOURCE
#include "rtnl/route/route_index.h"

#include <lauxlib.h>

#include "common/export.h"

/* The key of a route with its type and scope; false where it is unclear. */
static bool read_key(struct route_reader *r, int list, size_t i, struct route_key *key)
{
	struct route route;
	int top = lua_gettop(r->L);
	r->encoder.out->length = 0;
	lua_geti(r->L, list, (lua_Integer)i);
	bool read = read_route(r, &route, top + 1, KEY_ALONE);
	if (read)
		read_scope(r, &route);
	*key = route.key;
	lua_settop(r->L, top);
	return read;
}

/* Notes to which entry each of a chunk belongs. */
static bool sort_chunk(struct route_reader *r, struct route_index *x, uint32_t *entries,
		       size_t first, size_t total)
{
	struct route_key keys[CHUNK];
	uint32_t hashes[CHUNK];
	size_t count = chunk_size(first, total);
	prefetch_chunk(r->L, 1, first + CHUNK, total);
	for (size_t k = 0; k < count; k++) {
		if (!read_key(r, 1, first + k, &keys[k]))
			return false;
		hashes[k] = hash_of(&keys[k]);
		prefetch_bucket(x, hashes[k]);
	}
	for (size_t k = 0; k < count; k++) {
		uint32_t n = entry_of(r->L, x, &keys[k], hashes[k]);
		entry_at(x, n)->haves++;
		entries[first + k - 1] = n;
	}
	return true;
}

/* [.., groups] -> the same, route i in its group */
static void add_to_group(lua_State *L, const struct route_index *x, uint32_t n, size_t i)
{
	struct entry *entry = entry_at(x, n);
	if (entry->have++ == 0) {
		lua_createtable(L, (int)entry->haves, 0);
		lua_pushvalue(L, 2);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_rawseti(L, -3, n);
	} else {
		lua_rawgeti(L, -1, n);
	}
	lua_geti(L, 1, (lua_Integer)i);
	lua_rawseti(L, -2, entry->have);
	lua_pop(L, 1);
}

/*
 * rtnl.group(routes, metatable) -> groups | nil
 * Routes of one key, type, and in IPv4 scope form a group, in the order their first are listed.
 * nil: one of them is unclear.
 */
int group_routes(lua_State *L)
{
	struct route_reader r;
	struct route_index x;
	bool read = true;
	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	size_t total = (size_t)luaL_len(L, 1);
	if (total > INT32_MAX)
		return 0;
	find_route_fields(&r);
	start_reading(&r, L);
	index_open(L, &x, total);
	struct buffer *entries = buffer_new(L);
	uint32_t *entry = (void *)buffer_room(L, entries, total * sizeof(*entry));
	for (size_t first = 1; read && first <= total; first += CHUNK)
		read = sort_chunk(&r, &x, entry, first, total);
	buffer_free(x.buckets);
	lua_createtable(L, read ? (int)x.count : 0, 0);
	for (size_t i = 1; read && i <= total; i++)
		add_to_group(L, &x, entry[i - 1], i);
	buffer_free(x.entries);
	buffer_free(entries);
	buffer_free(r.encoder.out);
	return read ? 1 : 0;
}
