/*
 * A Lua function in a process of its own, under budgets: what its parts share.
 */
#ifndef ECMP_CAGE_H
#define ECMP_CAGE_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A message: eight bytes that say how many follow, a tag ('R' a value, 'U' one of a process whose
 * system calls nobody filters, 'F' what went wrong in words), and the value or the words. It is
 * written at once, because each write wakes the other end.
 */
enum {
	CAGE_LENGTH = sizeof(uint64_t),
	CAGE_HEAD = CAGE_LENGTH + 1,
	/* What a value may take where it is decoded: it may hold one table many times, and shrinks
	 * the more it nests. */
	CAGE_ANSWER = 16 << 20,
};

/*
 * Values as bytes. Tables travel by their raw contents, without metatables; functions, userdata and
 * threads become an opaque value that no check mistakes for anything else.
 */

/* [.. value at index] -> [.. message]; throws where the value nests too deeply, or would take more
 * than `room` bytes */
void cage_encode(lua_State *L, int index, size_t room);

/* [] -> [value], or false and [] where the bytes behind the tag are none of ours */
bool cage_decode(lua_State *L, const char *bytes, size_t length, size_t room);

/* Leaves the calling process nothing of the system but memory, its open descriptors and its end;
 * false where the kernel cannot. */
bool cage_filter(void);

/* What a process in a cage may use. It belongs to the child; hooks find it by the allocator. */
struct budget {
	lua_Alloc alloc; /* the state's own allocator, and what it wants to be given */
	void *alloc_ud;
	size_t used, memory; /* bytes */
	size_t collect_at;   /* used, when it is time to look for garbage */
	bool refused;	     /* so that Lua looks for it */
	lua_Integer left;    /* instructions */
	const char *path;    /* of the script: where a fault is to be found */
	int fd;
	bool bare;  /* the kernel took no system call away, and ought to have */
	bool quiet; /* nothing is printed: there is no library that could */
};

/* Serves requests at budget->fd until the other end is closed; L: [function, options] */
_Noreturn void cage_serve(lua_State *L, struct budget *budget);

#endif
