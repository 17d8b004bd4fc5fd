/*
 * Things told apart by the bytes that say what they are. They are numbered from 1 in the order they
 * are met, and found by open addressing.
 */
#ifndef ECMP_RTNL_PLACES_H
#define ECMP_RTNL_PLACES_H

#include "rtnl/base/buffer.h"

/* --- places: numbers by hash ----------------------------------------------------------------- */

struct cursor {
	uint32_t hash, number; /* number 0: free */
};

struct places {
	struct buffer *list;
	size_t mask, taken;
};

void places_open(lua_State *L, struct places *p, size_t most); /* [] -> [buffer] */
void places_add(lua_State *L, struct places *p, uint32_t hash, uint32_t number);
void places_clear(struct places *p);

static inline uint64_t places_mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0xff51afd7ed558ccd;
	return h ^ h >> 32;
}

/* Of whole words of four bytes. */
static inline uint32_t places_hash(const void *bytes, size_t length)
{
	uint64_t h = length, word = 0;
	for (; length >= 8; length -= 8, bytes = (const uint8_t *)bytes + 8) {
		memcpy(&word, bytes, 8);
		h = places_mix(h, word);
	}
	if (length > 0) {
		uint32_t last;
		memcpy(&last, bytes, 4);
		h = places_mix(h, last);
	}
	return (uint32_t)places_mix(h, 0); /* what the last word has in its upper bits */
}

/* The first place where a thing of this hash may be; it is at none behind a free one. */
static inline const struct cursor *places_first(const struct places *p, uint32_t hash)
{
	return (const struct cursor *)(const void *)p->list->base + (hash & p->mask);
}

static inline const struct cursor *places_next(const struct places *p, const struct cursor *place)
{
	const struct cursor *list = (const void *)p->list->base;
	return list + ((size_t)(place + 1 - list) & p->mask);
}

/* --- pools: things that begin with a key ----------------------------------------------------- */

struct key {
	uint32_t at, length; /* among the pool's keys */
};

struct pool {
	struct places places;
	struct buffer *keys, *list;
	size_t size; /* of a thing */
	uint32_t count;
};

void pool_open(lua_State *L, struct pool *p, size_t size); /* [] -> [three buffers] */
void pool_clear(struct pool *p);

/* The number of the thing with this key, of whole words; one of zeros is made where there is none.
 */
uint32_t pool_number(lua_State *L, struct pool *p, const void *key, size_t length);

static inline void *pool_at(const struct pool *p, uint32_t n)
{
	return p->list->base + (n - 1) * p->size;
}

static inline const uint8_t *pool_key(const struct pool *p, const struct key *key)
{
	return p->keys->base + key->at;
}

#endif
