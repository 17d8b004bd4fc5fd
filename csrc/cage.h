/*
 * A Lua function in a process of its own, under budgets: what its parts share.
 */
#ifndef ECMP_CAGE_H
#define ECMP_CAGE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Values as bytes. Tables travel by their raw contents, without metatables; functions, userdata and
 * threads become an opaque value that no check mistakes for anything else.
 */

/* [.. value at index] -> [.. string]; throws where the value nests too deeply */
void cage_encode(lua_State *L, int index);

/* [] -> [value], or false and [] where the bytes are none of ours */
bool cage_decode(lua_State *L, const char *bytes, size_t length);

/* Leaves the calling process nothing of the system but memory, its open descriptors and its end. */
void cage_filter(void);

/* What a process in a cage may use. It belongs to the child; hooks find it by the allocator. */
struct budget {
	lua_Alloc alloc; /* the state's own allocator, and what it wants to be given */
	void *alloc_ud;
	size_t used, memory; /* bytes */
	lua_Integer left;    /* instructions */
	const char *path;    /* of the script: where a fault is to be found */
	int fd;
};

/* Serves requests at budget->fd until the other end is closed; L: [function, options] */
_Noreturn void cage_serve(lua_State *L, struct budget *budget);

#endif
