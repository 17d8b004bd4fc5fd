/*
 * Makes views: userdata with the bytes of one message, which is cheaper than a table of its fields.
 */
#include "rtnl/view/view.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* The views of one operation share a metatable with the ifname cache of that operation, so a view
 * has no user value that the collector would traverse. The mark identifies these metatables. */
const char view_mark;

/* [] -> [view], with the metatable at stack index `metatable` */
void view_new(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	      const uint8_t *data, size_t length, int metatable)
{
	struct view *v = lua_newuserdatauv(L, sizeof(*v) + length, 0);
	v->object = object;
	v->length = (uint32_t)length;
	v->type = type;
	v->flags = flags;
	memcpy(v->data, data, length);
	lua_pushvalue(L, metatable);
	lua_setmetatable(L, -2);
}

struct view *view_test(lua_State *L, int index)
{
	struct view *v = lua_touserdata(L, index);
	if (!v || !lua_getmetatable(L, index))
		return NULL;
	bool ours = lua_rawgetp(L, -1, &view_mark) == LUA_TBOOLEAN;
	lua_pop(L, 2);
	return ours ? v : NULL;
}

/* [] -> [names] */
void view_ifnames(lua_State *L, int index)
{
	lua_getmetatable(L, index);
	lua_rawgeti(L, -1, VIEW_NAMES);
	lua_remove(L, -2);
}

struct view *check_view(lua_State *L)
{
	struct view *v = view_test(L, 1);
	if (!v)
		luaL_typeerror(L, 1, RTNL_VIEW);
	return v;
}
