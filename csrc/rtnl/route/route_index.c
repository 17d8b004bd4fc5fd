/*
 * A hash table of routes by their keys; see the header.
 */
#define _GNU_SOURCE
#include "rtnl/route/route_index.h"

#include <string.h>

#include "common/export.h"

static struct bucket *buckets_of(const struct route_index *x)
{
	return (void *)x->buckets->base;
}

uint32_t hash_of(const struct route_key *key)
{
	uint64_t words[sizeof(*key) / 8], h = 0x9e3779b97f4a7c15;
	memcpy(words, key, sizeof(*key));
	for (size_t i = 0; i < sizeof(words) / 8; i++) {
		h = (h ^ words[i]) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return (uint32_t)h;
}

static void set_size(lua_State *L, struct route_index *x, size_t size)
{
	x->mask = size - 1;
	x->buckets->length = 0;
	buffer_reserve(L, x->buckets, size * sizeof(struct bucket));
}

void index_open(lua_State *L, struct route_index *x, size_t likely)
{
	size_t size = 16;
	while (size < 2 * likely)
		size *= 2;
	x->entries = buffer_new(L);
	x->buckets = buffer_new(L);
	x->count = 0;
	buffer_grow(L, x->entries, (likely + 1) * sizeof(struct entry));
	set_size(L, x, size);
}

void index_close(struct route_index *x)
{
	buffer_free(x->entries);
	buffer_free(x->buckets);
}

static void index_grow(lua_State *L, struct route_index *x)
{
	set_size(L, x, 2 * (x->mask + 1));
	for (uint32_t n = 1; n <= x->count; n++) {
		uint32_t hash = hash_of(&entry_at(x, n)->key);
		size_t at = hash & x->mask;
		while (buckets_of(x)[at].entry)
			at = (at + 1) & x->mask;
		buckets_of(x)[at] = (struct bucket){hash, n};
	}
}

struct bucket *find_bucket(const struct route_index *x, const struct route_key *key, uint32_t hash)
{
	struct bucket *buckets = buckets_of(x);
	size_t at = hash & x->mask;
	while (buckets[at].entry &&
	       (buckets[at].hash != hash ||
		memcmp(&entry_at(x, buckets[at].entry)->key, key, sizeof(*key)) != 0))
		at = (at + 1) & x->mask;
	return &buckets[at];
}

uint32_t entry_of(lua_State *L, struct route_index *x, const struct route_key *key, uint32_t hash)
{
	struct bucket *bucket = find_bucket(x, key, hash);
	if (bucket->entry)
		return bucket->entry;
	struct entry entry = {.key = *key};
	memcpy(buffer_room(L, x->entries, sizeof(entry)), &entry, sizeof(entry));
	*bucket = (struct bucket){hash, (uint32_t)++x->count};
	if (4 * x->count > 3 * x->mask)
		index_grow(L, x);
	return (uint32_t)x->count;
}

void prefetch_bucket(const struct route_index *x, uint32_t hash)
{
	__builtin_prefetch(buckets_of(x) + (hash & x->mask));
}

void prefetch_chunk(lua_State *L, int list, size_t first, size_t total)
{
	int top = lua_gettop(L);
	for (size_t i = first; i <= total && i < first + CHUNK; i++) {
		lua_geti(L, list, (lua_Integer)i);
		prefetch_value(L);
	}
	lua_settop(L, top);
}
