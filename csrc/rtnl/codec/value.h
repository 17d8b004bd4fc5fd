/*
 * One value to be encoded, from a Lua value or from a word of parsed text.
 *
 * Parsed text makes no Lua tables: its fields are parts, lists of keys and values in one buffer.
 */
#ifndef ECMP_RTNL_VALUE_H
#define ECMP_RTNL_VALUE_H

#include "rtnl/base/buffer.h"

#include <lua.h>
#include <stdbool.h>

enum value_type {
	VALUE_NONE, /* nil, or no such key */
	VALUE_BOOLEAN,
	VALUE_INTEGER,
	VALUE_NUMBER,
	VALUE_TEXT,
	VALUE_TABLE, /* a Lua table */
	VALUE_PART,  /* fields, or a list, of parsed text */
	VALUE_OTHER  /* a Lua value that no field takes */
};

struct value {
	enum value_type type;
	int index;     /* stack index of a Lua value; 0: of a text */
	uint32_t part; /* its offset in the buffer of parsed text; of a text as well */
	union {
		lua_Integer integer; /* of booleans 0 or 1 */
		lua_Number number;
		const char *text; /* zero terminated; of parsed text valid until the buffer grows */
	};
	size_t length; /* of the text */
};

static inline struct value lua_value(lua_State *L, int index)
{
	struct value v = {.index = index};
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		v.type = VALUE_TEXT;
		v.text = lua_tolstring(L, index, &v.length);
		break;
	case LUA_TTABLE:
		v.type = VALUE_TABLE;
		break;
	case LUA_TNUMBER:
		v.type = lua_isinteger(L, index) ? VALUE_INTEGER : VALUE_NUMBER;
		if (v.type == VALUE_INTEGER)
			v.integer = lua_tointeger(L, index);
		else
			v.number = lua_tonumber(L, index);
		break;
	case LUA_TBOOLEAN:
		v.type = VALUE_BOOLEAN;
		v.integer = lua_toboolean(L, index);
		break;
	case LUA_TNIL:
		break;
	default:
		v.type = VALUE_OTHER;
	}
	return v;
}

static inline bool is_text(const struct value *v)
{
	return v->type == VALUE_TEXT;
}

/* Whether it is the text `word`. */
static inline bool is_word(const struct value *v, const char *word)
{
	return v->type == VALUE_TEXT && strcmp(v->text, word) == 0;
}

/* Whether it is a whole number: 3 or 3.0. */
static inline bool whole_number(const struct value *v, lua_Integer *n)
{
	*n = v->integer;
	return v->type == VALUE_INTEGER ||
	       (v->type == VALUE_NUMBER && lua_numbertointeger(v->number, n) &&
		(lua_Number)*n == v->number);
}

static inline bool has_fields(const struct value *v)
{
	return v->type == VALUE_TABLE || v->type == VALUE_PART;
}

/* --- parts ----------------------------------------------------------------------------------- */

struct parts {
	lua_State *L;
	struct buffer *bytes; /* emptied before each text */
};

struct value part_new(struct parts *t);
struct value part_text(struct parts *t, const char *text, size_t length);
struct value integer_value(lua_Integer n);
struct value boolean_value(bool on);

/* Sets a field, VALUE_NONE removes it. `key` is not copied. */
void part_set(struct parts *t, const struct value *part, const char *key, const struct value *v);
/* Appends to a list. */
void part_add(struct parts *t, const struct value *list, const struct value *v);
uint32_t part_count(const struct buffer *bytes, const struct value *part);
struct value part_get(const struct buffer *bytes, const struct value *part, const char *key);
/* Iterates: `at` starts as part_first, part_next returns the field there and advances `at`, to 0
 * behind the last. */
uint32_t part_first(const struct buffer *bytes, const struct value *part);
struct value part_next(const struct buffer *bytes, uint32_t *at, const char **key);
void push_part(lua_State *L, const struct buffer *bytes, const struct value *v); /* [] -> [value] */

#endif
