/*
 * A growing buffer whose memory belongs to Lua, so that an error cannot leak it.
 */
#ifndef ECMP_RTNL_BASE_BUFFER_H
#define ECMP_RTNL_BASE_BUFFER_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena {
	lua_Alloc alloc; /* the state's own allocator: its limits hold here too */
	void *ud;
	uint8_t *base;
	size_t length, capacity;
};

struct arena *arena_new(lua_State *L); /* [] -> [arena] */
void arena_grow(lua_State *L, struct arena *a, size_t need);
void arena_free(struct arena *a);
void arena_register(lua_State *L);

/* Room at the end, counted in, to be filled by the caller. */
static inline uint8_t *arena_room(lua_State *L, struct arena *a, size_t more)
{
	if (a->capacity - a->length < more)
		arena_grow(L, a, a->length + more);
	uint8_t *room = a->base + a->length;
	a->length += more;
	return room;
}

/* The same, zeroed. */
static inline uint8_t *arena_reserve(lua_State *L, struct arena *a, size_t more)
{
	return memset(arena_room(L, a, more), 0, more);
}

#endif
