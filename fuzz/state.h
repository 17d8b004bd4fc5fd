/*
 * What the fuzz targets share: one Lua state with ecmp.rtnl in it and a chunk that is called with
 * each input. The chunk may raise, which is how wrong input is answered; what it asserts with
 * `must` may not fail.
 */
#ifndef ECMP_FUZZ_STATE_H
#define ECMP_FUZZ_STATE_H

#include "rtnl/netlink/extack.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_ecmp_rtnl(lua_State *L);

/* What the state holds from one input to the next is no leak, and looking for some each time would
 * take all the time. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int must(lua_State *L)
{
	if (!lua_toboolean(L, 1)) {
		fprintf(stderr, "%s\n", luaL_optstring(L, 2, "a promise was broken"));
		abort();
	}
	return 0;
}

/* A state with `rtnl` and `must`, the chunk's function on top of the stack. */
static lua_State *fuzz_state(const char *chunk)
{
	lua_State *L = luaL_newstate();
	luaL_openlibs(L);
	luaL_requiref(L, "ecmp.rtnl", luaopen_ecmp_rtnl, 0);
	lua_setglobal(L, "rtnl");
	lua_register(L, "must", must);
	if (luaL_loadstring(L, chunk) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		abort();
	}
	return L;
}

/* Calls the chunk with the object the first byte names and the other bytes; one garbage collection
 * in 1024 calls. */
static int fuzz_call(lua_State *L, const uint8_t *data, size_t size)
{
	static const char *const objects[] = {"route", "nexthop", "bucket", "link", "addr",
					      "rule",  "neigh",	  "flow",   "vlan"};
	if (size == 0)
		return 0;
	lua_pushvalue(L, 1);
	lua_pushstring(L, objects[data[0] % (sizeof(objects) / sizeof(objects[0]))]);
	lua_pushlstring(L, (const char *)data + 1, size - 1);
	lua_pcall(L, 2, 0, 0);
	lua_settop(L, 1);
	return 0;
}

#endif
