/*
 * Raises errors at the line of the caller, and returns errors of the system as nil, message, code.
 */
#define _GNU_SOURCE
#include "rtnl/base/error.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/*
 * Raises at the line of the nearest Lua function outside this library, whose chunks register their
 * source by rtnl.own(). [message] -> raises
 */
__attribute__((noreturn)) void throw_at_caller(lua_State *L)
{
	lua_Debug ar;
	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.currentline < 0)
			continue;
		int top = lua_gettop(L);
		lua_getfield(L, LUA_REGISTRYINDEX, "ecmp.own");
		bool own = lua_istable(L, -1) && lua_getfield(L, -1, ar.source) != LUA_TNIL;
		lua_settop(L, top);
		if (own)
			continue;
		lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, lua_tostring(L, -1));
		break;
	}
	for (;;)
		lua_error(L);
}

const char *errno_name(int error)
{
	const char *name = strerrorname_np(error);
	return name ? name : "EUNKNOWN";
}

/* nil, "REQUEST: TEXT (ESYM)", "ESYM" */
int push_errno(lua_State *L, const char *request, const char *text, int error)
{
	const char *name = errno_name(error);
	luaL_pushfail(L);
	lua_pushfstring(L, "%s: %s (%s)", request, text ? text : strerror(error), name);
	lua_pushstring(L, name);
	return 3;
}

const struct object *check_object(lua_State *L, int index)
{
	const struct object *o = object_by_name(luaL_checkstring(L, index));
	if (!o) {
		lua_pushfstring(L, "%s: no kind of object", lua_tostring(L, index));
		throw_at_caller(L);
	}
	return o;
}
