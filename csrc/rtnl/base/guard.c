/*
 * Guards a userdata against re-entry by finalizers and metamethods.
 */
#include "rtnl/base/guard.h"

#include "rtnl/base/error.h"

#include <lauxlib.h>

#include "common/export.h"

void guard_check(lua_State *L, const struct guard *g)
{
	if (!g->busy)
		return;
	lua_pushfstring(L, "%s is at work, and no finalizer or metamethod can use it meanwhile",
			g->what);
	throw_at_caller(L);
}

int guard_call(lua_State *L, struct guard *g, lua_CFunction function)
{
	int failed;

	guard_check(L, g);
	luaL_checkstack(L, 2, "too many values");
	lua_pushvalue(L, 1);
	lua_pushcfunction(L, function);
	lua_rotate(L, 1, 2);
	g->busy = true;
	failed = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	g->busy = false;
	if (failed)
		lua_error(L);
	return lua_gettop(L) - 1;
}
