/*
 * Slots by number: an index of the places that routes take, for lists of a million. It is made so
 * that the processor need not wait for memory at each route.
 */
#ifndef ECMP_RTNL_SLOTS_H
#define ECMP_RTNL_SLOTS_H

#include "rtnl/route/route.h"

/* What takes one slot. Routes are numbers from 1; lists of them are chained from the last. In
 * groups, how many there are and how many of them have been added. */
struct cell {
	struct slot slot;
	uint32_t have, want; /* the last of each; 0: none */
	uint32_t haves, wants;
};

/* Where the cell of a slot is found; its hash stands here too, so that only the right cell has to
 * be looked at. */
struct cursor {
	uint32_t hash, cell; /* 0: none */
};

struct index {
	struct buffer *cells, *places;
	size_t count, mask;
};

/* So many routes are read before the first of them is looked up, so that the memory for which the
 * processor would have to wait is on its way. */
enum {
	HANDFUL = 16
};

static inline struct cell *cell_at(const struct index *x, uint32_t n)
{
	return (struct cell *)(void *)x->cells->base + n - 1;
}

uint32_t hash_of(const struct slot *s);
/* Two buffers, for as many slots as are likely. [] -> [buffer, buffer] */
void index_open(lua_State *L, struct index *x, size_t likely);
void index_close(struct index *x);
/* A slot will be looked up soon. */
void expect(const struct index *x, uint32_t hash);
/* Where the cell of a slot is found, or is to be put. */
struct cursor *find_place(const struct index *x, const struct slot *s, uint32_t hash);
/* The number of the cell of a slot, which is made where there is none. */
uint32_t cell_of(lua_State *L, struct index *x, const struct slot *s, uint32_t hash);
/* The handful of a list that begins at `first` will be read soon. */
void fetch_handful(lua_State *L, int list, size_t first, size_t total);

/* How many of a list are in the handful that begins at `first`. */
static inline size_t handful(size_t first, size_t total)
{
	return total - first + 1 < HANDFUL ? total - first + 1 : HANDFUL;
}

/* The value on top of the stack will be read soon. [value] -> [value] */
static inline void fetch(lua_State *L)
{
	const char *at = lua_topointer(L, -1);
	__builtin_prefetch(at);
	__builtin_prefetch(at + 64);
}

#endif
