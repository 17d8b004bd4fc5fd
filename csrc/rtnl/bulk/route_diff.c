/*
 * Finds the changes that turn one list of routes into another. Linear, without a Lua value for each
 * route.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/route_list.h"
#include "rtnl/route/route_index.h"

#include <lauxlib.h>

#include "common/export.h"

enum {
	HELD = 1,			   /* stack indexes: the routes that are there */
	WANTED = 2,			   /* those that are wanted */
	STEPS = WANTED + READER_VALUES + 6 /* the answer, behind what the reader and the index use
					    */
};

struct match {
	lua_State *L;
	struct route_reader reader;
	struct route_index x;
	struct buffer *held,
		*wanted; /* for each of WANTED a struct wanted; of HELD the one before it */
	const struct route_list *list; /* WANTED, where it is one of messages */
	int names;		       /* of its interfaces: stack index */
	bool exactly;
	lua_Integer steps;
	size_t likely; /* how many steps there will be */
	size_t unsure; /* how many of them have to be looked at again */
};

/* A wanted route: its entry, the one before it there, and how it compares with what is there.
 */
struct wanted {
	uint32_t entry, before;
	enum verdict verdict;
};

static struct wanted *wanted_at(const struct match *m, size_t j)
{
	return (struct wanted *)(void *)m->wanted->base + j - 1;
}

static uint32_t *before_held(const struct match *m, size_t i)
{
	return (uint32_t *)(void *)m->held->base + i - 1;
}

/* What the kernel compares: type and scope are no part of it. */
static struct route_key kernel_key(const struct route *route)
{
	struct route_key key = route->key;
	key.type = key.scope = 0;
	return key;
}

/* Reads the key of a held route. */
static bool read_held_key(struct match *m, size_t i, struct route_key *key)
{
	struct route route;
	int top = lua_gettop(m->L);
	m->reader.encoder.out->length = 0;
	lua_geti(m->L, HELD, (lua_Integer)i);
	bool read = read_route(&m->reader, &route, top + 1, KEY_ALONE);
	*key = kernel_key(&route);
	lua_settop(m->L, top);
	return read;
}

static bool index_chunk(struct match *m, size_t first, size_t total)
{
	struct route_key keys[CHUNK];
	uint32_t hashes[CHUNK];
	size_t count = chunk_size(first, total);
	prefetch_chunk(m->L, HELD, first + CHUNK, total);
	for (size_t k = 0; k < count; k++) {
		if (!read_held_key(m, first + k, &keys[k]))
			return false;
		hashes[k] = hash_of(&keys[k]);
		prefetch_bucket(&m->x, hashes[k]);
	}
	for (size_t k = 0; k < count; k++) {
		struct entry *entry = entry_at(&m->x, entry_of(m->L, &m->x, &keys[k], hashes[k]));
		*before_held(m, first + k) = entry->have;
		entry->have = (uint32_t)(first + k);
		entry->haves++;
	}
	return true;
}

/* The wanted routes of a chunk. */
struct wanted_chunk {
	struct route route[CHUNK];
	struct route_key key[CHUNK];
	uint32_t hash[CHUNK];
	int held[CHUNK]; /* stack index of what is there; 0: nothing, or several */
};

static bool read_wanted(struct match *m, size_t j, struct route *want)
{
	if (m->list)
		return read_message(&m->reader, want, list_view(m->list, j), m->names);
	lua_geti(m->L, WANTED, (lua_Integer)j);
	return read_route(&m->reader, want, lua_gettop(m->L), WHOLE);
}

/* [] -> [wanted routes] */
static bool read_wanted_chunk(struct match *m, struct wanted_chunk *w, size_t first, size_t count)
{
	m->reader.encoder.out->length = 0;
	for (size_t k = 0; k < count; k++) {
		if (!read_wanted(m, first + k, &w->route[k]))
			return false;
		w->key[k] = kernel_key(&w->route[k]);
		w->hash[k] = hash_of(&w->key[k]);
		prefetch_bucket(&m->x, w->hash[k]);
	}
	return true;
}

/* [] -> [held routes, where there is one of the key] */
static void find_held(struct match *m, struct wanted_chunk *w, size_t first, size_t count)
{
	for (size_t k = 0; k < count; k++) {
		uint32_t n = entry_of(m->L, &m->x, &w->key[k], w->hash[k]);
		struct entry *entry = entry_at(&m->x, n);
		*wanted_at(m, first + k) = (struct wanted){.entry = n, .before = entry->want};
		entry->want = (uint32_t)(first + k);
		w->held[k] = 0;
		if (entry->wants++ == 0 && entry->haves == 1) {
			lua_geti(m->L, HELD, entry->have);
			prefetch_value(m->L);
			w->held[k] = lua_gettop(m->L);
		}
	}
}

/* Compares the k-th of a chunk with what is there. */
static enum verdict compare_wanted(struct match *m, struct wanted_chunk *w, size_t k)
{
	struct route have;
	struct buffer *bytes = m->reader.encoder.out;
	size_t length = bytes->length;
	if (!w->held[k])
		return compare_routes(&m->reader, NULL, &w->route[k], m->exactly);
	if (!read_route(&m->reader, &have, w->held[k], WHOLE))
		luaL_error(m->L, "the routes changed while they were compared");
	enum verdict verdict = compare_routes(&m->reader, &have, &w->route[k], m->exactly);
	bytes->length = length;
	return verdict;
}

static bool take_chunk(struct match *m, size_t first, size_t total)
{
	struct wanted_chunk w;
	int top = lua_gettop(m->L);
	size_t count = chunk_size(first, total);
	if (!m->list)
		prefetch_chunk(m->L, WANTED, first + CHUNK, total);
	if (!read_wanted_chunk(m, &w, first, count))
		return false;
	find_held(m, &w, first, count);
	for (size_t k = 0; k < count; k++) {
		struct wanted *one = wanted_at(m, first + k);
		const struct entry *entry = entry_at(&m->x, one->entry);
		if (entry->wants > 1 || entry->haves > 1)
			continue;
		one->verdict = compare_wanted(m, &w, k);
		m->likely += one->verdict != SAME;
	}
	lua_settop(m->L, top);
	return true;
}

static bool index_held(struct match *m, size_t total)
{
	buffer_room(m->L, m->held, total * sizeof(uint32_t));
	for (size_t first = 1; first <= total; first += CHUNK)
		if (!index_chunk(m, first, total))
			return false;
	return true;
}

static bool take_wanted(struct match *m, size_t total)
{
	buffer_room(m->L, m->wanted, total * sizeof(struct wanted));
	luaL_checkstack(m->L, 3 * CHUNK, "too many values");
	for (size_t first = 1; first <= total; first += CHUNK)
		if (!take_chunk(m, first, total))
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
static void add_several(struct match *m, const struct entry *entry)
{
	lua_State *L = m->L;
	lua_createtable(L, 0, 2);
	lua_createtable(L, (int)entry->haves, 0);
	for (uint32_t n = entry->haves, i = entry->have; i; i = *before_held(m, i)) {
		lua_pushinteger(L, i);
		lua_rawseti(L, -2, n--);
	}
	lua_setfield(L, -2, "have");
	lua_createtable(L, (int)entry->wants, 0);
	for (uint32_t n = entry->wants, j = entry->want; j; j = wanted_at(m, j)->before) {
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
		const struct wanted *one = wanted_at(m, j);
		const struct entry *entry = entry_at(&m->x, one->entry);
		if (one->before) /* seen to when the first of the key was met */
			continue;
		if (entry->wants > 1 || entry->haves > 1)
			add_several(m, entry);
		else if (one->verdict != SAME)
			add_step(m, entry->have, (uint32_t)j, one->verdict == DIFFERENT);
	}
}

static void add_other_steps(struct match *m)
{
	for (uint32_t n = 1; n <= m->x.count; n++) {
		const struct entry *entry = entry_at(&m->x, n);
		if (entry->wants == 0 && entry->haves == 1)
			add_step(m, entry->have, 0, true);
		else if (entry->wants == 0)
			add_several(m, entry);
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
	find_route_fields(&m.reader);
	start_reading(&m.reader, L);
	m.names = lua_gettop(L) + 1;
	if (m.list)
		list_ifnames(L, WANTED);
	else
		lua_pushnil(L);
	index_open(L, &m.x, held > wanted ? held : wanted);
	m.held = buffer_new(L);
	m.wanted = buffer_new(L);
	bool read = index_held(&m, held) && take_wanted(&m, wanted);
	if (read) {
		lua_settop(L, STEPS - 1);
		lua_createtable(L, (int)m.likely, 0);
		add_wanted_steps(&m, wanted);
		add_other_steps(&m);
	}
	index_close(&m.x);
	buffer_free(m.reader.encoder.out);
	buffer_free(m.held);
	buffer_free(m.wanted);
	if (!read)
		return 0;
	lua_pushinteger(L, (lua_Integer)m.unsure);
	return 2;
}

/*
 * rtnl.match(current, wanted, exactly) -> steps, number | nil
 * What has to change, key by key: those that are wanted in the order listed, then those that are
 * not. A step is the number of a held route | that of a wanted one << 31, 0 where there is none;
 * bit 62 says that the one cannot stay for the other, that the wanted one can be a route as it is
 * written, and that nobody has to look again. Where a key holds or is to hold several routes it is
 * a table of two lists of numbers, `have` and `want`. The number is how many steps lack the bit.
 * nil: one of the keys is unclear, or one of the lists is kept in another way.
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

/* Whether a route of the list may have the key of one that is held. */
static bool may_meet(struct match *m, size_t j)
{
	struct route want;
	if (!read_wanted(m, j, &want))
		return true;
	struct route_key key = kernel_key(&want);
	return find_bucket(&m->x, &key, hash_of(&key))->entry;
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
	find_route_fields(&m.reader);
	start_reading(&m.reader, L);
	list_ifnames(L, WANTED);
	m.names = lua_gettop(L);
	index_open(L, &m.x, held);
	m.held = buffer_new(L);
	bool read = index_held(&m, held);
	lua_settop(L, STEPS - 1);
	lua_newtable(L);
	for (size_t j = 1; read && j <= list_count(m.list); j++)
		if (may_meet(&m, j)) {
			lua_pushinteger(L, (lua_Integer)j);
			lua_rawseti(L, STEPS, ++m.steps);
		}
	index_close(&m.x);
	buffer_free(m.reader.encoder.out);
	buffer_free(m.held);
	return read;
}

/*
 * rtnl.near(held, list) -> numbers | nil
 * Which of a list of messages may have the key of one of the held routes: those that are, and
 * those whose key is unclear. nil: that of a held one is.
 */
int near_routes(lua_State *L)
{
	return guard_call(L, &list_check(L, WANTED)->guard, find_near);
}
