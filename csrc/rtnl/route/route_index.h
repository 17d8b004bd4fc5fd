/*
 * Routes by their keys: a hash table of numbers, for lists of a million. It is made so that the
 * processor need not wait for memory at each route.
 */
#ifndef ECMP_RTNL_ROUTE_INDEX_H
#define ECMP_RTNL_ROUTE_INDEX_H

#include "rtnl/route/route.h"

/* The routes of one key. Routes are numbers from 1; lists of them are chained from the last. In
 * groups, how many there are and how many of them have been added. */
struct entry {
	struct route_key key;
	uint32_t have, want; /* the last of each; 0: none */
	uint32_t haves, wants;
};

/* Its hash stands here too, so that only the right entry has to be looked at. */
struct bucket {
	uint32_t hash, entry; /* 0: none */
};

struct route_index {
	struct buffer *entries, *buckets;
	size_t count, mask;
};

/* So many routes are read before the first of them is looked up, so that the memory for which the
 * processor would have to wait is on its way. */
enum {
	CHUNK = 16
};

static inline struct entry *entry_at(const struct route_index *x, uint32_t n)
{
	return (struct entry *)(void *)x->entries->base + n - 1;
}

uint32_t hash_of(const struct route_key *key);
/* Two buffers, for as many keys as are likely. [] -> [buffer, buffer] */
void index_open(lua_State *L, struct route_index *x, size_t likely);
void index_close(struct route_index *x);
/* A key will be looked up soon. */
void prefetch_bucket(const struct route_index *x, uint32_t hash);
/* Where the entry of a key is found, or is to be put. */
struct bucket *find_bucket(const struct route_index *x, const struct route_key *key, uint32_t hash);
/* The number of the entry of a key, which is made where there is none. */
uint32_t entry_of(lua_State *L, struct route_index *x, const struct route_key *key, uint32_t hash);
/* The chunk of a list that begins at `first` will be read soon. */
void prefetch_chunk(lua_State *L, int list, size_t first, size_t total);

/* How many of a list are in the chunk that begins at `first`. */
static inline size_t chunk_size(size_t first, size_t total)
{
	return total - first + 1 < CHUNK ? total - first + 1 : CHUNK;
}

/* The value on top of the stack will be read soon. [value] -> [value] */
static inline void prefetch_value(lua_State *L)
{
	const char *at = lua_topointer(L, -1);
	__builtin_prefetch(at);
	__builtin_prefetch(at + 64);
}

#endif
