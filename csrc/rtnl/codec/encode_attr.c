/*
 * What messages are built of: attributes in the arena, and errors that name the field by its path.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <stdarg.h>
#include <string.h>

/* --- errors with the path of the field ------------------------------------------------------- */

/* Raises "nexthops[2].via: MESSAGE"; the message is the format applied. */
_Noreturn void fail(struct encoder *e, const char *key, const char *format, ...)
{
	lua_State *L = e->L;
	luaL_Buffer b;
	va_list args;

	va_start(args, format);
	lua_pushvfstring(L, format, args);
	va_end(args);
	int message = lua_gettop(L);
	luaL_buffinit(L, &b);
	for (int i = 0; i < e->depth; i++) {
		if (i > 0)
			luaL_addchar(&b, '.');
		luaL_addstring(&b, e->path[i].key);
		if (e->path[i].index > 0) {
			lua_pushfstring(L, "[%d]", e->path[i].index);
			luaL_addvalue(&b);
		}
	}
	if (key) {
		if (e->depth > 0)
			luaL_addchar(&b, '.');
		luaL_addstring(&b, key);
	}
	if (key || e->depth > 0)
		luaL_addstring(&b, ": ");
	lua_pushvalue(L, message);
	luaL_addvalue(&b);
	luaL_pushresult(&b);
	throw_at_caller(L);
}

void too_deep(struct encoder *e, const char *key)
{
	fail(e, key, "nested too deeply");
}

/* The value on top of the stack as text for a message: strings quoted. [v] -> [v, text] */
const char *shown(struct encoder *e)
{
	if (lua_type(e->L, -1) == LUA_TSTRING)
		return lua_pushfstring(e->L, "'%s'", lua_tostring(e->L, -1));
	return luaL_tolstring(e->L, -1, NULL);
}

void unexpected(struct encoder *e, const struct field *f, const char *what)
{
	fail(e, f->key, "%s expected, got %s", what, luaL_typename(e->L, -1));
}

/* --- lists and texts as they are given ------------------------------------------------------- */

/* Whether 1..n are all keys of the table on top of the stack: with others it is no list, and a hole
 * would hide what is behind it. */
bool is_list(lua_State *L, int n)
{
	if (n > 0)
		lua_pushinteger(L, n);
	else
		lua_pushnil(L);
	if (!lua_next(L, -2)) /* Lua finds them in this order, with few exceptions */
		return true;
	lua_pop(L, 2);
	lua_pushnil(L);
	for (int keys = 0; lua_next(L, -2); keys++) {
		lua_pop(L, 1);
		if (keys == n) {
			lua_pop(L, 1);
			return false;
		}
	}
	return true;
}

/* Raises unless the n elements of the list on top of the stack are all it has. */
void check_list(struct encoder *e, const char *key, int n)
{
	if (!is_list(e->L, n))
		fail(e, key, "a list expected, found other keys or a hole");
}

/* A text ends where C says it does: behind a zero byte nobody would see the rest. [text] -> [text]
 */
void check_text(struct encoder *e, const char *key)
{
	size_t length;
	const char *text = lua_tolstring(e->L, -1, &length);
	if (strlen(text) != length)
		fail(e, key, "a zero byte inside");
}

/* --- attributes ------------------------------------------------------------------------------ */

size_t open_attr(struct encoder *e, uint16_t type)
{
	put_room(e, type, 0);
	return e->out->length - NLA_HDRLEN;
}

void close_attr(struct encoder *e, size_t at, const char *key)
{
	size_t length = e->out->length - at;
	if (length > ATTR_MAX)
		fail(e, key, "takes %d bytes, more than the 65535 a message has room for",
		     (int)length);
	uint16_t n = (uint16_t)length;
	memcpy(e->out->base + at, &n, sizeof(n));
	arena_reserve(e->L, e->out, NLA_ALIGN(length) - length);
}

/* An attribute of this type already written since `from`, or NULL: flags and structures share one.
 */
uint8_t *written(struct encoder *e, size_t from, uint16_t type)
{
	while (from + NLA_HDRLEN <= e->out->length) {
		struct nlattr attr;
		memcpy(&attr, e->out->base + from, sizeof(attr));
		if ((attr.nla_type & NLA_TYPE_MASK) == type)
			return e->out->base + from + NLA_HDRLEN;
		from += NLA_ALIGN(attr.nla_len);
	}
	return NULL;
}

void store_uint(uint8_t *to, uint64_t value, size_t size, bool big)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
}
