/*
 * Which fields an input gives, a table or a part of text. The input is walked, not the schema, so
 * that a key no field has is an error.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* A field of the input by its key. [] -> [the value of a table] or [] */
struct value get_value(struct encoder *e, const struct value *in, const char *key)
{
	if (in->type == VALUE_PART)
		return part_get(e->parts, in, key);
	lua_getfield(e->L, in->index, key);
	return lua_value(e->L, lua_gettop(e->L));
}

/* The rows that the input chooses by the key of a union, or NULL. */
static const struct schema *chosen_rows(struct encoder *e, const struct field *f,
					const struct value *in)
{
	int top = lua_gettop(e->L);
	struct value type = get_value(e, in, f->key);
	const struct variant *v = is_text(&type) ? variant_by_name(f->variants, type.text) : NULL;
	lua_settop(e->L, top);
	return v ? v->schema : NULL;
}

/* The row of a flattened union whose variant, chosen by the input itself, has the key at stack
 * index `key`; -1 where none has. */
static int union_row(struct encoder *e, const struct field *rows, const struct value *in, int key)
{
	for (int i = 0; rows[i].kind != K_NONE; i++) {
		if (rows[i].kind == K_NEST && (rows[i].flags & F_HOIST) &&
		    union_row(e, rows[i].sub->rows, in, key) >= 0)
			return i;
		if (rows[i].kind != K_UNION)
			continue;
		const struct schema *chosen = chosen_rows(e, &rows[i], in);
		if (chosen && index_lookup(e->L, chosen, key) >= 0)
			return i;
	}
	return -1;
}

/* The nearest key among those of the variant that the input chooses. */
static const char *nearest_of_union(struct encoder *e, const struct field *rows,
				    const struct value *in, const char *key)
{
	const char *near = NULL;
	for (const struct field *f = rows; f->kind != K_NONE && !near; f++) {
		if (f->kind == K_NEST && (f->flags & F_HOIST))
			near = nearest_of_union(e, f->sub->rows, in, key);
		if (f->kind != K_UNION)
			continue;
		const struct schema *chosen = chosen_rows(e, f, in);
		if (chosen)
			near = nearest_key(e->L, chosen, key);
	}
	return near;
}

static __attribute__((noreturn)) void unknown_key(struct encoder *e, const struct schema *schema,
						  const struct value *in)
{
	lua_State *L = e->L;
	if (lua_type(L, -1) != LUA_TSTRING)
		fail(e, NULL, "%s %s has no field of type %s", article(schema), schema->name,
		     luaL_typename(L, -1));
	const char *key = lua_tostring(L, -1);
	const char *near = nearest_of_union(e, schema->rows, in, key);
	if (!near)
		near = nearest_key(L, schema, key);
	if (near)
		fail(e, key, "unknown field (did you mean '%s'?)", near);
	fail(e, key, "unknown field of %s %s", article(schema), schema->name);
}

/* The row of the key on top of the stack, which lies at `name`; raises where there is none. */
static int find_row(struct encoder *e, const struct schema *schema, const struct value *in,
		    const void *name)
{
	lua_State *L = e->L;
	bool text = lua_type(L, -1) == LUA_TSTRING;
	int row = text ? index_lookup(L, schema, -1) : -1;
	if (row >= 0) {
		*known_place(&e->keys, schema, name) = (struct known_key){name, schema, row};
		return row;
	}
	row = union_row(e, schema->rows, in, lua_gettop(L));
	if (row < 0 && schema->head == 0 && text && strcmp(lua_tostring(L, -1), "type") == 0)
		row = SELECTOR;
	if (row < 0)
		unknown_key(e, schema, in);
	return row;
}

/* The row of a key that was found before, or -1. */
static inline int known_row(struct encoder *e, const struct schema *schema, const void *key)
{
	const struct known_key *known = known_place(&e->keys, schema, key);
	return known->key == key && known->schema == schema ? known->row : -1;
}

enum {
	ROOM = 120 /* values above the input's: each of 64 fields may leave one */
};

/* Sees to it that values can be pushed above `top`, whatever was asked for before. */
static inline void have_room(struct encoder *e, int top)
{
	if (top + ROOM <= e->room)
		return;
	luaL_checkstack(e->L, 2 * ROOM, "too many values");
	e->room = top + 2 * ROOM;
}

/* The values stay on the stack, so that each is looked up once. [] -> [key, value, ...] */
static void collect_table(struct encoder *e, const struct schema *schema, const struct value *in,
			  struct given *g)
{
	lua_State *L = e->L;
	lua_pushnil(L);
	for (int value = g->top + 2; lua_next(L, in->index); value += 2) {
		have_room(e, value);
		const void *key = lua_topointer(L, -2);
		int row = known_row(e, schema, key);
		lua_pushvalue(L, -2);
		if (row < 0)
			row = find_row(e, schema, in, key);
		g->rows |= (uint64_t)1 << row;
		g->at[row] = (uint32_t)value;
	}
}

static void collect_part(struct encoder *e, const struct schema *schema, const struct value *in,
			 struct given *g)
{
	const char *key;
	for (uint32_t next = part_first(e->parts, in), at; (at = next);) {
		struct value v = part_next(e->parts, &next, &key);
		if (v.type == VALUE_NONE)
			continue;
		int row = known_row(e, schema, key);
		if (row < 0) {
			lua_pushstring(e->L, key);
			row = find_row(e, schema, in, key);
			lua_pop(e->L, 1);
		}
		g->rows |= (uint64_t)1 << row;
		g->at[row] = at;
	}
}

/* Finds the rows that the input gives; a key that no row has raises. */
void collect(struct encoder *e, const struct schema *schema, const struct value *in,
	     struct given *g)
{
	g->rows = 0;
	g->top = lua_gettop(e->L);
	have_room(e, g->top);
	if (in->type == VALUE_PART)
		collect_part(e, schema, in, g);
	else
		collect_table(e, schema, in, g);
}
