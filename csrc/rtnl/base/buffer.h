/*
 * A growing buffer whose memory belongs to Lua, so that an error cannot leak it.
 */
#ifndef ECMP_RTNL_BASE_BUFFER_H
#define ECMP_RTNL_BASE_BUFFER_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
	lua_Alloc alloc; /* of the Lua state */
	void *ud;
	uint8_t *base;
	size_t length, capacity;
};

struct buffer *buffer_new(lua_State *L); /* [] -> [buffer] */
void buffer_grow(lua_State *L, struct buffer *a, size_t need);
void buffer_free(struct buffer *a);
void buffer_register(lua_State *L);

/* Extends the buffer by room that the caller fills. */
static inline uint8_t *buffer_room(lua_State *L, struct buffer *a, size_t more)
{
	if (a->capacity - a->length < more)
		buffer_grow(L, a, a->length + more);
	uint8_t *room = a->base + a->length;
	a->length += more;
	return room;
}

/* The same, zeroed. */
static inline uint8_t *buffer_reserve(lua_State *L, struct buffer *a, size_t more)
{
	return memset(buffer_room(L, a, more), 0, more);
}

#endif
