/*
 * Tables of places that grow, and pools of things found by them.
 */
#include "rtnl/bulk/share_places.h"

#include <string.h>

#include "common/export.h"

static void make_room(lua_State *L, struct places *p, size_t size)
{
	p->list->length = 0;
	buffer_reserve(L, p->list, size * sizeof(struct cursor));
	p->mask = size - 1;
}

void places_open(lua_State *L, struct places *p, size_t most)
{
	size_t size = 16;
	while (size < 2 * most)
		size *= 2;
	*p = (struct places){.list = buffer_new(L)};
	make_room(L, p, size);
}

void places_clear(struct places *p)
{
	memset(p->list->base, 0, p->list->length);
	p->taken = 0;
}

static void put(const struct places *p, struct cursor put)
{
	struct cursor *list = (void *)p->list->base;
	size_t at = put.hash & p->mask;
	while (list[at].number)
		at = (at + 1) & p->mask;
	list[at] = put;
}

/* Twice as many places, in new memory: the old ones have to be read meanwhile. */
static void grow(lua_State *L, struct places *p)
{
	struct buffer old = *p->list;
	const struct cursor *list = (const void *)old.base;
	size_t size = p->mask + 1;
	struct buffer *bigger = buffer_new(L);
	buffer_reserve(L, bigger, 2 * size * sizeof(*list));
	*p->list = *bigger;
	*bigger = old;
	p->mask = 2 * size - 1;
	for (size_t i = 0; i < size; i++)
		if (list[i].number)
			put(p, list[i]);
	buffer_free(bigger);
	lua_pop(L, 1);
}

void places_add(lua_State *L, struct places *p, uint32_t hash, uint32_t number)
{
	if (2 * (p->taken + 1) > p->mask)
		grow(L, p);
	put(p, (struct cursor){hash, number});
	p->taken++;
}

void pool_open(lua_State *L, struct pool *p, size_t size)
{
	*p = (struct pool){.size = size};
	places_open(L, &p->places, 0);
	p->keys = buffer_new(L);
	p->list = buffer_new(L);
}

void pool_clear(struct pool *p)
{
	places_clear(&p->places);
	p->keys->length = p->list->length = p->count = 0;
}

uint32_t pool_number(lua_State *L, struct pool *p, const void *key, size_t length)
{
	uint32_t hash = places_hash(key, length);
	for (const struct cursor *at = places_first(&p->places, hash); at->number;
	     at = places_next(&p->places, at)) {
		const struct key *have = pool_at(p, at->number);
		if (at->hash == hash && have->length == length &&
		    memcmp(pool_key(p, have), key, length) == 0)
			return at->number;
	}
	struct key own = {(uint32_t)p->keys->length, (uint32_t)length};
	memcpy(buffer_room(L, p->keys, length), key, length);
	memcpy(buffer_reserve(L, p->list, p->size), &own, sizeof(own));
	places_add(L, &p->places, hash, p->count + 1);
	return ++p->count;
}
