/*
 * What the files share that run a Lua function in a sandbox process: messages, values, budgets.
 */
#ifndef ECMP_SANDBOX_H
#define ECMP_SANDBOX_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A message: eight bytes of length, a tag ('R' a value, 'U' a value from a process without a
 * seccomp filter, 'F' an error message), and the value or the text. It is sent by one write,
 * because each write wakes the receiver.
 */
enum {
	MESSAGE_LENGTH = sizeof(uint64_t),
	MESSAGE_HEAD = MESSAGE_LENGTH + 1,
	/* Memory of a decoded value, which can be far larger than its bytes. */
	ANSWER_MAX = 16 << 20,
};

/*
 * Values as bytes. Tables are copied by their raw contents, without metatables; functions, userdata
 * and threads become a light userdata.
 */

/* [.. value at index] -> [.. message]; raises where the value nests too deeply or exceeds `room`
 * bytes */
void sandbox_encode(lua_State *L, int index, size_t room);

/* [] -> [value], or false and [] where the bytes behind the tag are malformed */
bool sandbox_decode(lua_State *L, const char *bytes, size_t length, size_t room);

/* Installs the seccomp filter; false where the kernel has none. */
bool seccomp_install(void);

/* The budget of a sandbox process. Hooks find it by the allocator. */
struct budget {
	lua_Alloc alloc; /* the state's own allocator, with its argument */
	void *alloc_ud;
	size_t used, memory; /* bytes */
	size_t collect_at;   /* `used` at which the next collection is forced */
	bool refused;	     /* the last allocation, to force it */
	lua_Integer left;    /* instructions */
	const char *path;    /* of the script, for error messages */
	int fd;
	bool unfiltered; /* the kernel has no seccomp filters */
	bool quiet;	 /* the script cannot print */
};

/* Serves requests on budget->fd until the parent closes it; L: [function, options] */
_Noreturn void sandbox_serve(lua_State *L, struct budget *budget);

#endif
