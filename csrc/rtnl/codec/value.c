/*
 * Stores the fields and lists of parsed text in one buffer.
 */
#include "rtnl/codec/value.h"

#include "rtnl/schema/field.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

struct value integer_value(lua_Integer n)
{
	return (struct value){.type = VALUE_INTEGER, .integer = n};
}

struct value boolean_value(bool on)
{
	return (struct value){.type = VALUE_BOOLEAN, .integer = on};
}

/* --- parts ----------------------------------------------------------------------------------- */

/* A linked list of items. */
struct part {
	uint32_t first, last, count;
};

struct item {
	const char *key; /* NULL in a list */
	enum value_type type;
	uint32_t next;
	union {
		lua_Integer integer;
		lua_Number number;
		struct {
			uint32_t at, length;
		} span; /* of a text or a part in the buffer */
	};
};

enum {
	GRAIN = 8 /* alignment in the buffer; its first 8 bytes stay unused, so that 0 is no offset
		   */
};

static uint32_t take_bytes(struct parts *t, size_t size)
{
	struct buffer *a = t->bytes;
	if (a->length == 0)
		buffer_reserve(t->L, a, GRAIN);
	size_t at = a->length;
	buffer_room(t->L, a, (size + GRAIN - 1) / GRAIN * GRAIN);
	return (uint32_t)at;
}

static inline struct part *part_at(const struct buffer *a, uint32_t at)
{
	return (struct part *)(void *)(a->base + at);
}

static inline struct item *item_at(const struct buffer *a, uint32_t at)
{
	return (struct item *)(void *)(a->base + at);
}

struct value part_new(struct parts *t)
{
	uint32_t at = take_bytes(t, sizeof(struct part));
	*part_at(t->bytes, at) = (struct part){0};
	return (struct value){.type = VALUE_PART, .part = at};
}

struct value part_text(struct parts *t, const char *text, size_t length)
{
	uint32_t at = take_bytes(t, length + 1);
	uint8_t *to = t->bytes->base + at;
	memcpy(to, text, length);
	to[length] = 0;
	return (struct value){
		.type = VALUE_TEXT, .text = (const char *)to, .length = length, .part = at};
}

static void fill_item(struct item *item, const struct value *v)
{
	item->type = v->type;
	if (v->type == VALUE_NUMBER)
		item->number = v->number;
	else if (v->type == VALUE_TEXT || v->type == VALUE_PART)
		item->span.at = v->part, item->span.length = (uint32_t)v->length;
	else
		item->integer = v->integer;
}

static struct value value_of(const struct buffer *a, const struct item *item)
{
	struct value v = {.type = item->type};
	switch (item->type) {
	case VALUE_NUMBER:
		v.number = item->number;
		break;
	case VALUE_TEXT:
		v.text = (const char *)a->base + item->span.at;
		v.length = item->span.length;
		v.part = item->span.at;
		break;
	case VALUE_PART:
		v.part = item->span.at;
		break;
	default:
		v.integer = item->integer;
	}
	return v;
}

static struct item *find_item(const struct buffer *a, const struct value *part, const char *key)
{
	for (uint32_t at = part_at(a, part->part)->first; at; at = item_at(a, at)->next)
		if (item_at(a, at)->key == key || same_text(item_at(a, at)->key, key))
			return item_at(a, at);
	return NULL;
}

static void append_item(struct parts *t, uint32_t part, const char *key, const struct value *v)
{
	uint32_t at = take_bytes(t, sizeof(struct item));
	struct item *item = item_at(t->bytes, at);
	struct part *p = part_at(t->bytes, part);
	*item = (struct item){.key = key};
	fill_item(item, v);
	if (p->last)
		item_at(t->bytes, p->last)->next = at;
	else
		p->first = at;
	p->last = at;
	p->count++;
}

void part_set(struct parts *t, const struct value *part, const char *key, const struct value *v)
{
	struct item *item = find_item(t->bytes, part, key);
	if (item)
		fill_item(item, v);
	else if (v->type != VALUE_NONE)
		append_item(t, part->part, key, v);
}

void part_add(struct parts *t, const struct value *list, const struct value *v)
{
	append_item(t, list->part, NULL, v);
}

uint32_t part_count(const struct buffer *bytes, const struct value *part)
{
	return part_at(bytes, part->part)->count;
}

struct value part_get(const struct buffer *bytes, const struct value *part, const char *key)
{
	const struct item *item = find_item(bytes, part, key);
	return item ? value_of(bytes, item) : (struct value){.type = VALUE_NONE};
}

uint32_t part_first(const struct buffer *bytes, const struct value *part)
{
	return part_at(bytes, part->part)->first;
}

struct value part_next(const struct buffer *bytes, uint32_t *at, const char **key)
{
	const struct item *item = item_at(bytes, *at);
	*at = item->next;
	if (key)
		*key = item->key;
	return value_of(bytes, item);
}

/* As a table: a field by its key, an element by its number. */
static void push_items(lua_State *L, const struct buffer *bytes, const struct value *part)
{
	const char *key;
	lua_Integer n = 0;
	luaL_checkstack(L, 4, "too many values");
	lua_newtable(L);
	for (uint32_t at = part_first(bytes, part); at;) {
		struct value v = part_next(bytes, &at, &key);
		push_part(L, bytes, &v);
		if (key)
			lua_setfield(L, -2, key);
		else
			lua_rawseti(L, -2, ++n);
	}
}

void push_part(lua_State *L, const struct buffer *bytes, const struct value *v)
{
	switch (v->type) {
	case VALUE_BOOLEAN:
		lua_pushboolean(L, v->integer != 0);
		break;
	case VALUE_INTEGER:
		lua_pushinteger(L, v->integer);
		break;
	case VALUE_NUMBER:
		lua_pushnumber(L, v->number);
		break;
	case VALUE_TEXT:
		lua_pushlstring(L, v->text, v->length);
		break;
	case VALUE_PART:
		push_items(L, bytes, v);
		break;
	default:
		lua_pushnil(L);
	}
}
