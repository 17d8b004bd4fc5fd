/*
 * Slots by number; what is promised stands in the header.
 */
#define _GNU_SOURCE
#include "rtnl/route/route_index.h"

#include <string.h>

#include "common/export.h"

static struct cursor *places_of(const struct index *x)
{
	return (void *)x->places->base;
}

uint32_t hash_of(const struct slot *s)
{
	uint64_t words[sizeof(*s) / 8], h = 0x9e3779b97f4a7c15;
	memcpy(words, s, sizeof(*s));
	for (size_t i = 0; i < sizeof(words) / 8; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

static void set_size(lua_State *L, struct index *x, size_t size)
{
	x->mask = size - 1;
	x->places->length = 0;
	buffer_reserve(L, x->places, size * sizeof(struct cursor));
}

void index_open(lua_State *L, struct index *x, size_t likely)
{
	size_t size = 16;
	while (size < 2 * likely)
		size *= 2;
	x->cells = buffer_new(L);
	x->places = buffer_new(L);
	x->count = 0;
	buffer_grow(L, x->cells, (likely + 1) * sizeof(struct cell));
	set_size(L, x, size);
}

void index_close(struct index *x)
{
	buffer_free(x->cells);
	buffer_free(x->places);
}

static void index_grow(lua_State *L, struct index *x)
{
	set_size(L, x, 2 * (x->mask + 1));
	for (uint32_t n = 1; n <= x->count; n++) {
		uint32_t hash = hash_of(&cell_at(x, n)->slot);
		size_t at = hash & x->mask;
		while (places_of(x)[at].cell)
			at = (at + 1) & x->mask;
		places_of(x)[at] = (struct cursor){hash, n};
	}
}

struct cursor *find_place(const struct index *x, const struct slot *s, uint32_t hash)
{
	struct cursor *places = places_of(x);
	size_t at = hash & x->mask;
	while (places[at].cell && (places[at].hash != hash ||
				   memcmp(&cell_at(x, places[at].cell)->slot, s, sizeof(*s)) != 0))
		at = (at + 1) & x->mask;
	return &places[at];
}

uint32_t cell_of(lua_State *L, struct index *x, const struct slot *s, uint32_t hash)
{
	struct cursor *place = find_place(x, s, hash);
	if (place->cell)
		return place->cell;
	struct cell cell = {.slot = *s};
	memcpy(buffer_room(L, x->cells, sizeof(cell)), &cell, sizeof(cell));
	*place = (struct cursor){hash, (uint32_t)++x->count};
	if (4 * x->count > 3 * x->mask)
		index_grow(L, x);
	return (uint32_t)x->count;
}

void expect(const struct index *x, uint32_t hash)
{
	__builtin_prefetch(places_of(x) + (hash & x->mask));
}

void fetch_handful(lua_State *L, int list, size_t first, size_t total)
{
	int top = lua_gettop(L);
	for (size_t i = first; i <= total && i < first + HANDFUL; i++) {
		lua_geti(L, list, (lua_Integer)i);
		fetch(L);
	}
	lua_settop(L, top);
}
