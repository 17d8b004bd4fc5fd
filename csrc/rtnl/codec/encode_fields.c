/*
 * Finds the fields of an input, a Lua table or parsed text. It walks the input, not the schema, so
 * that an unknown key is an error.
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

/* The schema that the input selects by `type` or `port`, or NULL. */
static const struct schema *chosen_schema(struct encoder *e, const struct field *f,
					  const struct value *in)
{
	int top = lua_gettop(e->L);
	struct value type = get_value(e, in, f->key);
	const struct variant *v = is_text(&type) ? variant_by_name(f, type.text) : NULL;
	lua_settop(e->L, top);
	return v ? v->schema : NULL;
}

/* The type-selected field whose schema, selected by the input, has the key at stack index `key`; -1
 * where none has. */
static int union_field(struct encoder *e, const struct field *fields, const struct value *in,
		       int key)
{
	for (int i = 0; fields[i].type != FIELD_NONE; i++) {
		if (fields[i].type == FIELD_NEST && (fields[i].flags & F_FLATTEN) &&
		    union_field(e, sub_schema(&fields[i])->fields, in, key) >= 0)
			return i;
		if (fields[i].type != FIELD_UNION)
			continue;
		const struct schema *chosen = chosen_schema(e, &fields[i], in);
		if (chosen && index_lookup(e->L, chosen, key) >= 0)
			return i;
	}
	return -1;
}

/* The nearest key of the schema that the input selects. */
static const char *nearest_of_union(struct encoder *e, const struct field *fields,
				    const struct value *in, const char *key)
{
	const char *near = NULL;
	for (const struct field *f = fields; f->type != FIELD_NONE && !near; f++) {
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			near = nearest_of_union(e, sub_schema(f)->fields, in, key);
		if (f->type != FIELD_UNION)
			continue;
		const struct schema *chosen = chosen_schema(e, f, in);
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
	const char *near = nearest_of_union(e, schema->fields, in, key);
	if (!near)
		near = nearest_key(L, schema, key);
	if (near)
		fail(e, key, "unknown field (did you mean '%s'?)", near);
	fail(e, key, "unknown field of %s %s", article(schema), schema->name);
}

/* The field of the key on top of the stack, which lies at `name`. Where there is none it raises, or
 * returns -1 where what is encoded is only to be compared. */
static int find_field(struct encoder *e, const struct schema *schema, const struct value *in,
		      const void *name)
{
	lua_State *L = e->L;
	bool text = lua_type(L, -1) == LUA_TSTRING;
	int field = text ? index_lookup(L, schema, -1) : -1;
	if (field >= 0) {
		*cached_key_at(&e->keys, schema, name) = (struct cached_key){name, schema, field};
		return field;
	}
	field = union_field(e, schema->fields, in, lua_gettop(L));
	if (field < 0 && schema->header_size == 0 && text &&
	    strcmp(lua_tostring(L, -1), "type") == 0)
		field = TYPE_KEY;
	if (field < 0 && !e->escape)
		unknown_key(e, schema, in);
	e->unknown = e->unknown || field < 0;
	return field;
}

/* The cached field of a key, or -1. */
static inline int cached_field(struct encoder *e, const struct schema *schema, const void *key)
{
	const struct cached_key *known = cached_key_at(&e->keys, schema, key);
	return known->key == key && known->schema == schema ? known->field : -1;
}

enum {
	ROOM = 120 /* stack slots: each of 64 fields may leave one value */
};

/* Ensures stack space above `top`. */
static inline void ensure_stack(struct encoder *e, int top)
{
	if (top + ROOM <= e->room)
		return;
	luaL_checkstack(e->L, 2 * ROOM, "too many values");
	e->room = top + 2 * ROOM;
}

/* The values stay on the stack, so that each is looked up once. [] -> [key, value, ...] */
static void collect_table(struct encoder *e, const struct schema *schema, const struct value *in,
			  struct collected *g)
{
	lua_State *L = e->L;
	lua_pushnil(L);
	for (int value = g->top + 2; lua_next(L, in->index); value += 2) {
		ensure_stack(e, value);
		const void *key = lua_topointer(L, -2);
		int field = cached_field(e, schema, key);
		lua_pushvalue(L, -2);
		if (field < 0 && (field = find_field(e, schema, in, key)) < 0) {
			lua_replace(L, -3); /* the key for lua_next, without its pair */
			lua_pop(L, 1);
			value -= 2;
			continue;
		}
		g->fields |= (uint64_t)1 << field;
		g->at[field] = (uint32_t)value;
	}
}

static void collect_part(struct encoder *e, const struct schema *schema, const struct value *in,
			 struct collected *g)
{
	const char *key;
	for (uint32_t next = part_first(e->parts, in), at; (at = next);) {
		struct value v = part_next(e->parts, &next, &key);
		if (v.type == VALUE_NONE)
			continue;
		int field = cached_field(e, schema, key);
		if (field < 0) {
			lua_pushstring(e->L, key);
			field = find_field(e, schema, in, key);
			lua_pop(e->L, 1);
		}
		if (field < 0)
			continue;
		g->fields |= (uint64_t)1 << field;
		g->at[field] = at;
	}
}

/* Finds the fields of the input; an unknown key raises. */
void collect(struct encoder *e, const struct schema *schema, const struct value *in,
	     struct collected *g)
{
	g->fields = 0;
	g->top = lua_gettop(e->L);
	ensure_stack(e, g->top);
	if (in->type == VALUE_PART)
		collect_part(e, schema, in, g);
	else
		collect_table(e, schema, in, g);
}
