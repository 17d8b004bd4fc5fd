/*
 * Allocates the buffers that messages are encoded in: by the allocator of the Lua state, whose
 * limit then holds for messages as well, and owned by a userdata, so that a Lua error leaks
 * nothing.
 */
#include "rtnl/base/buffer.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

#define BUFFER_TYPE "ecmp.rtnl.buffer"

static int buffer_gc(lua_State *L)
{
	buffer_free(luaL_checkudata(L, 1, BUFFER_TYPE));
	return 0;
}

void buffer_free(struct buffer *a)
{
	if (a->base)
		a->alloc(a->ud, a->base, a->capacity, 0);
	a->base = NULL;
	a->length = a->capacity = 0;
}

struct buffer *buffer_new(lua_State *L)
{
	struct buffer *a = lua_newuserdatauv(L, sizeof(*a), 0);
	*a = (struct buffer){.base = NULL};
	a->alloc = lua_getallocf(L, &a->ud);
	luaL_setmetatable(L, BUFFER_TYPE);
	return a;
}

void buffer_grow(lua_State *L, struct buffer *a, size_t need)
{
	size_t capacity = a->capacity ? a->capacity : 512;
	while (capacity < need)
		capacity *= 2;
	uint8_t *base = a->alloc(a->ud, a->base, a->capacity, capacity);
	if (!base) {
		lua_gc(L, LUA_GCCOLLECT);
		base = a->alloc(a->ud, a->base, a->capacity, capacity);
	}
	if (!base)
		luaL_error(L, "not enough memory");
	a->base = base;
	a->capacity = capacity;
}

void buffer_register(lua_State *L)
{
	luaL_newmetatable(L, BUFFER_TYPE);
	lua_pushcfunction(L, buffer_gc);
	lua_setfield(L, -2, "__gc");
	lua_pop(L, 1);
}
