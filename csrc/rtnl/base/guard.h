/*
 * One call at a time on a userdata that owns bytes. Whatever allocates may run finalizers, and what
 * reads a table its metamethods: one that came back to the object would move the bytes that are
 * being read, or take the answers that are waited for.
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
 * Calls the function with the arguments of the calling function while the object is taken; what it
 * raises is raised. The first argument is the object, which stays that long. Returns the number of
 * its results.
 */
int guard_call(lua_State *L, struct guard *g, lua_CFunction function);

#endif
