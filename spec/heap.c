/* How many bytes of the C heap are in use, for the spec that counts what is lost. Built by that spec when it runs. */
#include <lua.h>
#include <malloc.h>

static int used(lua_State *L)
{
	struct mallinfo2 info = mallinfo2();

	lua_pushinteger(L, (lua_Integer)(info.uordblks + info.hblkhd));
	return 1;
}

int luaopen_heap(lua_State *L);

int luaopen_heap(lua_State *L)
{
	lua_pushcfunction(L, used);
	return 1;
}
