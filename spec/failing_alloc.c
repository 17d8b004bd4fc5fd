/*
 * A Lua state whose memory ends at the n-th allocation: what the spec of the same purpose sweeps through every entry
 * point of ecmp.rtnl. Built by that spec when it runs.
 *
 *   run(setup, chunk, n, once) -> outcome, message, allocations, bytes left
 *
 * `setup` runs with all memory, `chunk` with what the n-th allocation and, unless `once`, all after it leave. The
 * outcome is "done", "memory" or "error"; bytes left are those that closing the state did not give back.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdlib.h>

struct budget {
	size_t live;      /* bytes held */
	long long count;  /* allocations while armed */
	long long fail_at;
	bool armed, once;
};

static void *allocate(void *ud, void *block, size_t old, size_t size)
{
	struct budget *b = ud;
	if (!block)
		old = 0; /* then it says what kind of object is made */
	if (size == 0) {
		b->live -= old;
		free(block);
		return NULL;
	}
	if (b->armed && size > old) {
		b->count++;
		if (b->once ? b->count == b->fail_at : b->count >= b->fail_at)
			return NULL;
	}
	void *made = realloc(block, size);
	if (made)
		b->live += size - old;
	return made;
}

static int openlibs(lua_State *L)
{
	luaL_openlibs(L);
	return 0;
}

/* Runs both chunks; leaves the message on the inner state's stack. */
static const char *outcome(lua_State *L, struct budget *b, const char *setup, const char *chunk)
{
	lua_pushcfunction(L, openlibs);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK || luaL_dostring(L, setup) != LUA_OK)
		return "error";
	if (luaL_loadstring(L, chunk) != LUA_OK)
		return "error";
	b->armed = true;
	int status = lua_pcall(L, 0, 0, 0);
	b->armed = false;
	return status == LUA_OK ? "done" : status == LUA_ERRMEM ? "memory" : "error";
}

static int run(lua_State *L)
{
	const char *setup = luaL_checkstring(L, 1), *chunk = luaL_checkstring(L, 2);
	struct budget b = {.fail_at = luaL_checkinteger(L, 3), .once = lua_toboolean(L, 4)};
	lua_State *inner = lua_newstate(allocate, &b);
	if (!inner)
		return luaL_error(L, "no state");
	const char *what = outcome(inner, &b, setup, chunk);
	const char *message = lua_tostring(inner, -1);
	lua_pushstring(L, what);
	lua_pushstring(L, message);
	lua_close(inner);
	lua_pushinteger(L, b.count);
	lua_pushinteger(L, (lua_Integer)b.live);
	return 4;
}

int luaopen_failing_alloc(lua_State *L);

int luaopen_failing_alloc(lua_State *L)
{
	lua_pushcfunction(L, run);
	return 1;
}
