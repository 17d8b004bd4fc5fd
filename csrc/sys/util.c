/*
 * Returns errors, reads options and waits, for all of ecmp.sys.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "common/export.h"

/* [] -> [nil, message, symbol] */
static int push_failure(lua_State *L, int error, const char *format, va_list words)
{
	const char *symbol = strerrorname_np(error);
	char reason[128];

	lua_pushnil(L);
	lua_pushvfstring(L, format, words);
	if (!symbol)
		symbol = "EUNKNOWN";
	/* the GNU strerror_r, safe in threads, returns its buffer or a constant */
	lua_pushfstring(L, ": %s (%s)", strerror_r(error, reason, sizeof(reason)), symbol);
	lua_concat(L, 2);
	lua_pushstring(L, symbol);
	return 3;
}

int sys_fail(lua_State *L, int error, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	push_failure(L, error, format, words);
	va_end(words);
	return 3;
}

int sys_done(lua_State *L, int result, const char *format, ...)
{
	int error = errno;
	va_list words;

	if (result >= 0) {
		lua_pushboolean(L, true);
		return 1;
	}
	va_start(words, format);
	push_failure(L, error, format, words);
	va_end(words);
	return 3;
}

const char *sys_checkpath(lua_State *L, int arg)
{
	size_t len;
	const char *path = luaL_checklstring(L, arg, &len);

	luaL_argcheck(L, len > 0, arg, "empty path");
	luaL_argcheck(L, strlen(path) == len, arg, "path with a NUL byte");
	return path;
}

mode_t sys_optmode(lua_State *L, int arg, mode_t preset)
{
	lua_Integer mode = luaL_optinteger(L, arg, preset);

	luaL_argcheck(L, mode >= 0 && mode <= 07777, arg, "mode out of range");
	return (mode_t)mode;
}

/* [] -> []; raises "KEY: unknown option (known: A, B)" */
static void unknown_option(lua_State *L, const char *key, const char *const known[])
{
	luaL_Buffer list;

	luaL_buffinit(L, &list);
	for (int i = 0; known[i]; i++) {
		if (i > 0)
			luaL_addstring(&list, ", ");
		luaL_addstring(&list, known[i]);
	}
	luaL_pushresult(&list);
	luaL_error(L, "%s: unknown option (known: %s)", key, lua_tostring(L, -1));
}

void sys_checkoptions(lua_State *L, int arg, const char *const known[])
{
	luaL_checktype(L, arg, LUA_TTABLE);
	for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
		const char *key = "?";
		int i = 0;

		/* lua_tostring would turn a number key into text and confuse lua_next */
		if (lua_type(L, -2) == LUA_TSTRING)
			key = lua_tostring(L, -2);
		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			unknown_option(L,
				       lua_isstring(L, -2) ? luaL_tolstring(L, -2, NULL)
							   : luaL_typename(L, -2),
				       known);
	}
}

lua_Number sys_optseconds(lua_State *L, int arg, const char *key, lua_Number preset)
{
	lua_Number seconds = preset;

	if (lua_getfield(L, arg, key) == LUA_TNUMBER)
		seconds = lua_tonumber(L, -1);
	else if (!lua_isnil(L, -1))
		luaL_error(L, "%s: a number of seconds expected, got %s", key,
			   luaL_typename(L, -1));
	if (!lua_isnil(L, -1) && !(seconds >= 0))
		luaL_error(L, "%s: must not be negative", key);
	lua_pop(L, 1);
	return seconds;
}

lua_Integer sys_optint(lua_State *L, int arg, const char *key, lua_Integer preset)
{
	int isint = true;

	if (lua_getfield(L, arg, key) != LUA_TNIL)
		preset = lua_tointegerx(L, -1, &isint);
	if (!isint || lua_type(L, -1) == LUA_TSTRING)
		luaL_error(L, "%s: an integer expected, got %s", key, luaL_typename(L, -1));
	lua_pop(L, 1);
	return preset;
}

bool sys_optbool(lua_State *L, int arg, const char *key, bool preset)
{
	if (lua_getfield(L, arg, key) == LUA_TBOOLEAN)
		preset = lua_toboolean(L, -1);
	else if (!lua_isnil(L, -1))
		luaL_error(L, "%s: true or false expected, got %s", key, luaL_typename(L, -1));
	lua_pop(L, 1);
	return preset;
}

const char *sys_optstring(lua_State *L, int arg, const char *key, size_t *len)
{
	if (lua_getfield(L, arg, key) == LUA_TNIL)
		return NULL;
	if (lua_type(L, -1) != LUA_TSTRING)
		luaL_error(L, "%s: a string expected, got %s", key, luaL_typename(L, -1));
	return lua_tolstring(L, -1, len);
}

double sys_deadline(double seconds)
{
	return seconds < 0 ? -1 : clock_seconds() + seconds;
}

void sys_pause(double seconds)
{
	/* a day at a time, since time_t may be narrow */
	while (seconds > 0) {
		double part = seconds < 86400 ? seconds : 86400;
		struct timespec left = {(time_t)part, (long)((part - (double)(time_t)part) * 1e9)};

		while (nanosleep(&left, &left) < 0 && errno == EINTR)
			if (sys_stopped())
				return;
		seconds -= part;
	}
}
