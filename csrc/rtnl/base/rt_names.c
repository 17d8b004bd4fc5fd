/*
 * Translates names of /etc/iproute2 and /etc/protocols in text. Lua tables and views have numbers
 * instead, so that a script means the same on every host. The files are read by Lua on first use.
 */
#include "rtnl/base/rt_names.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

static const char registry_key[] = "ecmp.site";

/* The file with names for a list of words, or NULL. */
static const char *file_of(enum word_list words)
{
	static const struct {
		enum word_list words;
		const char *file;
	} files[] = {
		{WORDS_TABLE, "rt_tables"},	  {WORDS_PROTO, "rt_protos"},
		{WORDS_SCOPE, "rt_scopes"},	  {WORDS_DSFIELD, "rt_dsfield"},
		{WORDS_TUNNEL_TOS, "rt_dsfield"}, {WORDS_REALM, "rt_realms"},
		{WORDS_GROUP, "group"},		  {WORDS_IPPROTO, "/etc/protocols"},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i].words == words)
			return files[i].file;
	return NULL;
}

/* rtnl.site(reader): the function that reads a file of /etc/iproute2; it returns a table of names
 * by number and of numbers by name */
int rt_names_set(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_createtable(L, 0, 4);
	lua_insert(L, 1);
	lua_setfield(L, 1, "reader");
	lua_setfield(L, LUA_REGISTRYINDEX, registry_key);
	return 0;
}

/* [] -> [table of the file, or nil] */
static void push_rt_names(lua_State *L, const char *file)
{
	if (lua_getfield(L, LUA_REGISTRYINDEX, registry_key) != LUA_TTABLE)
		return;
	if (lua_getfield(L, -1, file) == LUA_TNIL) {
		lua_pop(L, 1);
		lua_getfield(L, -1, "reader");
		lua_pushstring(L, file);
		lua_call(L, 1, 1);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, file);
	}
	lua_remove(L, -2);
}

/* Replaces a name by its number, or a number by its name, where the file has it. [value] -> [value]
 */
void rt_name_swap(lua_State *L, enum word_list words)
{
	const char *file = file_of(words);
	if (!file)
		return;
	luaL_checkstack(L, 6, "too many values");
	push_rt_names(L, file);
	if (lua_istable(L, -1)) {
		lua_pushvalue(L, -2);
		if (lua_rawget(L, -2) != LUA_TNIL)
			lua_replace(L, -3);
		else
			lua_pop(L, 1);
	}
	lua_pop(L, 1);
}
