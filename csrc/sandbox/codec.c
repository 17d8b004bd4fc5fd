/*
 * Encodes Lua values as bytes and decodes them, for messages between parent and sandbox process.
 * The bytes are not trusted: decoding checks every length and limits the memory.
 */
#include "sandbox/sandbox.h"

#include <lauxlib.h>
#include <stdint.h>
#include <string.h>

#include "common/export.h"

enum {
	DEPTH = 100, /* a table that contains itself ends here */
	FIRST_SIZE = 1024,
	/* Approximate memory of each. */
	TABLE_COST = 80,
	ENTRY_COST = 48,
	STRING_COST = 48,
};

/* The buffer is a userdata at stack index `slot`, so that an error leaks nothing. */
struct out {
	lua_State *L;
	int slot;
	char *data;
	size_t used, size;
	size_t room;
};

struct in {
	lua_State *L;
	const char *at, *end;
	size_t room;
};

static bool spend(size_t *room, size_t cost)
{
	if (*room < cost)
		return false;
	*room -= cost;
	return true;
}

/* -- encoding -- */

static void put(struct out *out, const void *bytes, size_t length)
{
	if (out->size - out->used < length) {
		size_t size = out->size * 2 + length;
		char *data = lua_newuserdatauv(out->L, size, 0);

		memcpy(data, out->data, out->used);
		lua_replace(out->L, out->slot);
		out->data = data;
		out->size = size;
	}
	memcpy(out->data + out->used, bytes, length);
	out->used += length;
}

static void put_tag(struct out *out, char tag)
{
	put(out, &tag, 1);
}

static void pay(struct out *out, size_t cost)
{
	if (!spend(&out->room, cost))
		luaL_error(out->L, "more than the %d MiB that a value may take", ANSWER_MAX >> 20);
}

static void put_number(struct out *out, int index)
{
	if (lua_isinteger(out->L, index)) {
		lua_Integer value = lua_tointeger(out->L, index);

		put_tag(out, 'i');
		put(out, &value, sizeof(value));
	} else {
		lua_Number value = lua_tonumber(out->L, index);

		put_tag(out, 'n');
		put(out, &value, sizeof(value));
	}
}

static void put_string(struct out *out, int index)
{
	size_t length;
	const char *text = lua_tolstring(out->L, index, &length);
	uint32_t size = (uint32_t)length;

	if (length > UINT32_MAX)
		luaL_error(out->L, "a text of more than 4 GiB");
	pay(out, STRING_COST + length);
	put_tag(out, 's');
	put(out, &size, sizeof(size));
	put(out, text, length);
}

/* ecmp.json keeps the literal of a number that is no integer in a table; a script gets a number. */
static bool put_json_number(struct out *out, int index)
{
	lua_State *L = out->L;
	bool is_number = false;

	if (luaL_getmetafield(L, index, "__name") == LUA_TNIL)
		return false;
	if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "json number") == 0) {
		lua_getfield(L, index, "text");
		is_number = lua_isstring(L, -1) && lua_stringtonumber(L, lua_tostring(L, -1)) != 0;
		if (is_number) {
			put_number(out, lua_gettop(L));
			lua_pop(L, 1);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return is_number;
}

static void put_value(struct out *out, int index, int depth);

static void put_table(struct out *out, int index, int depth)
{
	lua_State *L = out->L;

	if (depth >= DEPTH)
		luaL_error(L, "a table nests too deeply, or contains itself");
	if (put_json_number(out, index))
		return;
	luaL_checkstack(L, 4, "a table nests too deeply");
	pay(out, TABLE_COST);
	put_tag(out, '{');
	lua_pushnil(L);
	while (lua_next(L, index)) {
		int value = lua_gettop(L);

		pay(out, ENTRY_COST);
		put_value(out, value - 1, depth + 1);
		put_value(out, value, depth + 1);
		lua_pop(L, 1);
	}
	put_tag(out, '}');
}

/* [..] -> [..]; lua_tolstring is called for strings alone, since converting a key breaks lua_next
 */
static void put_value(struct out *out, int index, int depth)
{
	switch (lua_type(out->L, index)) {
	case LUA_TNIL:
		put_tag(out, 'z');
		break;
	case LUA_TBOOLEAN:
		put_tag(out, lua_toboolean(out->L, index) ? 't' : 'f');
		break;
	case LUA_TNUMBER:
		put_number(out, index);
		break;
	case LUA_TSTRING:
		put_string(out, index);
		break;
	case LUA_TTABLE:
		put_table(out, index, depth);
		break;
	default:
		put_tag(out, 'x');
	}
}

void sandbox_encode(lua_State *L, int index, size_t room)
{
	struct out out = {.L = L, .size = FIRST_SIZE, .used = MESSAGE_LENGTH, .room = room};
	uint64_t length;

	index = lua_absindex(L, index);
	out.data = lua_newuserdatauv(L, out.size, 0);
	out.slot = lua_gettop(L);
	put_tag(&out, 'R');
	put_value(&out, index, 0);
	length = out.used - MESSAGE_LENGTH;
	memcpy(out.data, &length, sizeof(length));
	lua_pushlstring(L, out.data, out.used);
	lua_replace(L, out.slot);
}

/* -- decoding -- */

static bool take(struct in *in, void *bytes, size_t length)
{
	if ((size_t)(in->end - in->at) < length)
		return false;
	memcpy(bytes, in->at, length);
	in->at += length;
	return true;
}

static bool take_integer(struct in *in)
{
	lua_Integer value;

	if (!take(in, &value, sizeof(value)))
		return false;
	lua_pushinteger(in->L, value);
	return true;
}

static bool take_number(struct in *in)
{
	lua_Number value;

	if (!take(in, &value, sizeof(value)))
		return false;
	lua_pushnumber(in->L, value);
	return true;
}

static bool take_string(struct in *in)
{
	uint32_t length;

	if (!take(in, &length, sizeof(length)) || (size_t)(in->end - in->at) < length ||
	    !spend(&in->room, STRING_COST + length))
		return false;
	lua_pushlstring(in->L, in->at, length);
	in->at += length;
	return true;
}

/* nil and NaN, for which lua_rawset would raise, are malformed. */
static bool is_key(lua_State *L, int index)
{
	if (lua_isnil(L, index))
		return false;
	return lua_type(L, index) != LUA_TNUMBER || lua_rawequal(L, index, index);
}

static bool take_value(struct in *in, int depth);

static bool take_table(struct in *in, int depth)
{
	lua_State *L = in->L;
	int table;

	if (depth >= DEPTH || !lua_checkstack(L, 4) || !spend(&in->room, TABLE_COST))
		return false;
	lua_newtable(L);
	table = lua_gettop(L);
	while (in->at < in->end && *in->at != '}') {
		if (!spend(&in->room, ENTRY_COST) || !take_value(in, depth + 1) || !is_key(L, -1) ||
		    !take_value(in, depth + 1))
			return false;
		lua_rawset(L, table);
	}
	if (in->at == in->end)
		return false;
	in->at++;
	return true;
}

/* [] -> [value], or false with partial values on the stack */
static bool take_value(struct in *in, int depth)
{
	char tag;

	if (!take(in, &tag, 1))
		return false;
	switch (tag) {
	case 'z':
		lua_pushnil(in->L);
		return true;
	case 't':
	case 'f':
		lua_pushboolean(in->L, tag == 't');
		return true;
	case 'i':
		return take_integer(in);
	case 'n':
		return take_number(in);
	case 's':
		return take_string(in);
	case '{':
		return take_table(in, depth);
	case 'x':
		lua_pushlightuserdata(in->L, NULL);
		return true;
	default:
		return false;
	}
}

bool sandbox_decode(lua_State *L, const char *bytes, size_t length, size_t room)
{
	struct in in = {.L = L, .at = bytes, .end = bytes + length, .room = room};
	int top = lua_gettop(L);

	if (take_value(&in, 0) && in.at == in.end)
		return true;
	lua_settop(L, top);
	return false;
}
