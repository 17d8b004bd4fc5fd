/*
 * A host program with functions of its own whose names our modules use inside, too. It is linked
 * with -rdynamic, as every program is that lets Lua load C modules, so the dynamic linker prefers
 * its functions to a module's where the module exports some of that name.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>

int next(void);
int take(void);
void fail(void);

int next(void)
{
	return puts("the host's next was called");
}

int take(void)
{
	return puts("the host's take was called");
}

void fail(void)
{
	puts("the host's fail was called");
}

int main(int argc, char **argv)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (argc != 2 || luaL_dostring(L, argv[1]) != LUA_OK) {
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
		return 1;
	}
	lua_close(L);
	return 0;
}
