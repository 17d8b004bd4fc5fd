/*
 * Writes attributes into the message buffer, and raises errors that name the field by its path.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <lauxlib.h>
#include <stdarg.h>
#include <string.h>

#include "common/export.h"

/* --- errors with the path of the field ------------------------------------------------------- */

/* Raises "nexthops[2].via: MESSAGE"; the message is the format applied. What is encoded only to be
 * compared is left instead. */
_Noreturn void fail(struct encoder *e, const char *key, const char *format, ...)
{
	lua_State *L = e->L;
	luaL_Buffer b;
	va_list args;

	if (e->escape)
		longjmp(*e->escape, 1);
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
	if (key && *key) {
		if (e->depth > 0)
			luaL_addchar(&b, '.');
		luaL_addstring(&b, key);
	}
	if ((key && *key) || e->depth > 0)
		luaL_addstring(&b, ": ");
	lua_pushvalue(L, message);
	luaL_addvalue(&b);
	luaL_pushresult(&b);
	if (e->without_line)
		lua_error(L);
	throw_at_caller(L);
}

void too_deep(struct encoder *e, const char *key)
{
	fail(e, key, "nested too deeply");
}

const char *type_name(struct encoder *e, const struct value *v)
{
	static const char *const names[] = {"nil",    "boolean", "number", "number",
					    "string", "table",	 "table",  ""};
	return v->type == VALUE_OTHER ? luaL_typename(e->L, v->index) : names[v->type];
}

/* A value as text for a message: strings quoted, no addresses in memory. [] -> [text] */
const char *shown(struct encoder *e, const struct value *v)
{
	int type = v->index ? lua_type(e->L, v->index) : LUA_TNIL;

	if (v->type == VALUE_TEXT)
		return lua_pushfstring(e->L, "'%s'", v->text);
	if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TTHREAD)
		return lua_pushfstring(e->L, "a %s", lua_typename(e->L, type));
	if (v->index)
		return luaL_tolstring(e->L, v->index, NULL);
	if (v->type == VALUE_PART)
		return lua_pushliteral(e->L, "a list");
	push_part(e->L, e->parts, v);
	return luaL_tolstring(e->L, -1, NULL);
}

void unexpected(struct encoder *e, const struct field *f, const struct value *v, const char *what)
{
	fail(e, f->key, "%s expected, got %s", what, type_name(e, v));
}

/* --- lists and texts of the input ------------------------------------------------------------ */

/* Whether 1..n are all keys of the table on top of the stack: elements behind a hole would be lost.
 */
bool is_list(lua_State *L, int n)
{
	if (n > 0)
		lua_pushinteger(L, n);
	else
		lua_pushnil(L);
	if (!lua_next(L, -2)) /* lua_next nearly always lists 1..n first */
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

struct elements elements_of(struct encoder *e, const struct value *list)
{
	struct elements it = {.list = *list, .top = lua_gettop(e->L)};
	if (list->type == VALUE_PART)
		it.next = part_first(e->parts, list);
	return it;
}

/* [element before] -> [element] */
bool next_element(struct encoder *e, struct elements *it, const char *key, struct value *v)
{
	lua_State *L = e->L;
	if (it->list.type == VALUE_PART) {
		if (!it->next)
			return false;
		*v = part_next(e->parts, &it->next, NULL);
		it->count++;
		return true;
	}
	lua_settop(L, it->top);
	if (lua_rawgeti(L, it->list.index, it->count + 1) != LUA_TNIL) {
		it->count++;
		*v = lua_value(L, it->top + 1);
		return true;
	}
	lua_pop(L, 1);
	lua_pushvalue(L, it->list.index);
	if (!is_list(L, it->count))
		fail(e, key, "a list expected, found other keys or a hole");
	lua_pop(L, 1);
	return false;
}

int count_elements(struct encoder *e, const struct value *list, const char *key)
{
	struct elements it = elements_of(e, list);
	struct value v;
	if (list->type == VALUE_PART)
		return (int)part_count(e->parts, list);
	while (next_element(e, &it, key, &v))
		;
	return it.count;
}

/* C strings end at the first zero byte, so the rest would be dropped silently. */
void check_text(struct encoder *e, const char *key, const struct value *v)
{
	if (strlen(v->text) != v->length)
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
	buffer_reserve(e->L, e->out, NLA_ALIGN(length) - length);
}

/* The payload of an attribute of this type written since `from`, or NULL: flags and members of a
 * structure share one attribute. */
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
