/*
 * One call at a time on a userdata that owns a buffer or a socket. Allocations run finalizers, and
 * reading a table its metamethods: such a function could move a buffer in use, or receive the
 * answers that a call waits for.
 */
#ifndef ECMP_RTNL_BASE_GUARD_H
#define ECMP_RTNL_BASE_GUARD_H

#include <lua.h>
#include <stdbool.h>

struct guard {
	const char *what; /* the object, for the error: "this handle" */
	bool busy;
};

/* Raises at the caller's line while a call is under way. */
void guard_check(lua_State *L, const struct guard *g);

/*
 * Calls the function with the arguments of the calling function while the object is guarded; passes
 * its errors on. The first argument is the object, which stays alive. Returns the number of
 * results.
 */
int guard_call(lua_State *L, struct guard *g, lua_CFunction function);

#endif
