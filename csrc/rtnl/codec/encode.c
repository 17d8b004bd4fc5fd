/*
 * Lua tables -> messages, driven by the rows. The caller's table is walked, not the schema, so that
 * a key no row has is an error; the rows found are then written in row order, so that one table
 * gives one sequence of bytes.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <string.h>
#include <sys/socket.h>

/* The row of a hoisted union whose variant, chosen by the table itself, has this key; -1 where none
 * has. */
static int union_row(struct encoder *e, const struct field *rows, int table, int key)
{
	lua_State *L = e->L;
	for (int i = 0; rows[i].kind != K_NONE; i++) {
		if (rows[i].kind == K_NEST && (rows[i].flags & F_HOIST) &&
		    union_row(e, rows[i].sub->rows, table, key) >= 0)
			return i;
		if (rows[i].kind != K_UNION)
			continue;
		const struct variant *v = NULL;
		if (lua_getfield(L, table, rows[i].key) == LUA_TSTRING)
			v = variant_by_name(rows[i].variants, lua_tostring(L, -1));
		lua_pop(L, 1);
		if (v && index_lookup(L, v->schema, key) >= 0)
			return i;
	}
	return -1;
}

/* The nearest key among those of the variant that the table chooses. */
static const char *nearest_of_union(struct encoder *e, const struct field *rows, int table,
				    const char *key)
{
	lua_State *L = e->L;
	const char *near = NULL;
	for (const struct field *f = rows; f->kind != K_NONE && !near; f++) {
		if (f->kind == K_NEST && (f->flags & F_HOIST))
			near = nearest_of_union(e, f->sub->rows, table, key);
		if (f->kind != K_UNION)
			continue;
		const struct variant *v = NULL;
		if (lua_getfield(L, table, f->key) == LUA_TSTRING)
			v = variant_by_name(f->variants, lua_tostring(L, -1));
		lua_pop(L, 1);
		if (v)
			near = nearest_key(L, v->schema, key);
	}
	return near;
}

static __attribute__((noreturn)) void unknown_key(struct encoder *e, const struct schema *schema,
						  int table)
{
	lua_State *L = e->L;
	if (lua_type(L, -1) != LUA_TSTRING)
		fail(e, NULL, "%s %s has no field of type %s", article(schema), schema->name,
		     luaL_typename(L, -1));
	const char *key = lua_tostring(L, -1);
	const char *near = nearest_of_union(e, schema->rows, table, key);
	if (!near)
		near = nearest_key(L, schema, key);
	if (near)
		fail(e, key, "unknown field (did you mean '%s'?)", near);
	fail(e, key, "unknown field of %s %s", article(schema), schema->name);
}

/* The row of the key on top of the stack, whose value is at `value`; raises where it has none. */
static int find_row(struct encoder *e, const struct schema *schema, int table, int value)
{
	lua_State *L = e->L;
	bool text = lua_type(L, -1) == LUA_TSTRING;
	int row = text ? index_lookup(L, schema, -1) : -1;
	if (row >= 0) {
		const void *key = lua_topointer(L, -1);
		*known_place(&e->keys, schema, key) = (struct known_key){key, schema, row};
		return row;
	}
	row = union_row(e, schema->rows, table, value + 1);
	if (row < 0 && schema->head == 0 && text && strcmp(lua_tostring(L, -1), "type") == 0)
		row = SELECTOR;
	if (row < 0)
		unknown_key(e, schema, table);
	return row;
}

/* Sees to it that forty values can be pushed above `top`, whatever was asked for before. */
static inline void have_room(struct encoder *e, int top)
{
	if (top + 40 <= e->room)
		return;
	luaL_checkstack(e->L, 80, "too many values");
	e->room = top + 80;
}

/*
 * Finds the rows a table gives; a key that no row has raises. The values stay on the stack, so that
 * each is looked up once. [] -> [key, value, key, value, ...]
 */
void collect(struct encoder *e, const struct schema *schema, int table, struct given *g)
{
	lua_State *L = e->L;
	g->rows = 0;
	g->top = lua_gettop(L);
	have_room(e, g->top);
	lua_pushnil(L);
	for (int value = g->top + 2; lua_next(L, table); value += 2) {
		have_room(e, value);
		const void *key = lua_topointer(L, -2);
		const struct known_key *known = known_place(&e->keys, schema, key);
		int row = known->row;
		lua_pushvalue(L, -2);
		if (known->key != key || known->schema != schema)
			row = find_row(e, schema, table, value);
		g->rows |= (uint64_t)1 << row;
		g->at[row] = g->last = value;
	}
}

void put_rows(struct encoder *e, const struct place *p, const struct schema *schema,
	      const struct given *g)
{
	lua_State *L = e->L;
	for (uint64_t left = g->rows & ~((uint64_t)1 << SELECTOR); left; left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->rows[i];
		bool nest = f->kind == K_NEST || f->kind == K_UNION;
		/* hoisted, so that its fields are fields of this table; or on top already */
		if (!f->key || (g->at[i] == g->last && !nest)) {
			put_field(e, p, f);
			continue;
		}
		if (nest) /* one row, many keys: its own is the first */
			lua_getfield(L, p->table, f->key);
		else
			lua_pushvalue(L, g->at[i]);
		put_field(e, p, f);
		lua_pop(L, 1);
	}
}

/* --- the family, and what iproute2 fills in -------------------------------------------------- */

static int family_of_text(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TSTRING)
		return 0;
	const char *text = lua_tostring(L, index);
	if (*text == 'i' && strncmp(text, "inet6 ", 6) == 0)
		return AF_INET;
	while (*text && *text != ':' && *text != '.')
		text++;
	return *text == ':' ? AF_INET6 : *text == '.' ? AF_INET : 0;
}

static int explicit_family(struct encoder *e, int table)
{
	static const struct word families[] = {
		{"4", AF_INET}, {"inet", AF_INET}, {"6", AF_INET6}, {"inet6", AF_INET6}, {NULL, 0}};
	lua_State *L = e->L;
	const struct word *w = NULL;
	int family = 0, type = lua_getfield(L, table, "family");
	if (type == LUA_TSTRING)
		check_text(e, "family");
	if (type == LUA_TSTRING)
		w = word_by_name(families, lua_tostring(L, -1));
	else if (lua_isinteger(L, -1))
		family = lua_tointeger(L, -1) == 4   ? AF_INET
			 : lua_tointeger(L, -1) == 6 ? AF_INET6
						     : 0;
	if (w)
		family = (int)w->value;
	if (!family && type != LUA_TNIL)
		fail(e, "family", "4 or 6 expected, got %s", shown(e));
	lua_pop(L, 1);
	return family;
}

static bool names_family(const struct field *f)
{
	return f->kind == K_PREFIX || f->kind == K_VIA || (f->kind == K_ADDRESS && !f->size);
}

/* The family of a table: said, or that of its first address. "default" alone is IPv4, as with `ip
 * route`. */
static int family_of(struct encoder *e, const struct schema *schema, int table,
		     const struct given *g)
{
	lua_State *L = e->L;
	int family = g->rows & 1 ? explicit_family(e, table) : 0;
	int top = lua_gettop(L);
	for (uint64_t left = g->rows & ~((uint64_t)1 << SELECTOR | 1); left && !family;
	     left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->rows[i];
		if (names_family(f))
			family = family_of_text(L, g->at[i]);
		else if (f->kind == K_HOPS && lua_istable(L, g->at[i]) &&
			 lua_geti(L, g->at[i], 1) == LUA_TTABLE && lua_getfield(L, -1, "via"))
			family = family_of_text(L, -1);
		lua_settop(L, top);
	}
	return family;
}

/* Appends header and attributes of the table at `value` to the arena. */
void encode_message(struct encoder *e, const struct schema *schema, int value)
{
	lua_State *L = e->L;
	e->start = e->out->length;
	e->depth = 0;
	if (e->base)
		e->path[e->depth++] = (struct step){"", e->base};
	if (!lua_istable(L, value)) {
		lua_pushfstring(L, "%s: table expected, got %s", schema->name,
				luaL_typename(L, value));
		throw_at_caller(L);
	}
	arena_reserve(L, e->out, schema->head);
	struct given g;
	collect(e, schema, value, &g);
	e->family = 0;
	if (schema->rows[0].kind == K_FAMILY) {
		e->family = family_of(e, schema, value, &g);
		if (!e->family && schema != &schema_nexthop && e->verb != VERB_DUMP)
			e->family = AF_INET;
		header_of(e, e->start)[0] = (uint8_t)e->family;
	}
	struct place p = {e->start, e->out->length, value};
	put_rows(e, &p, schema, &g);
	fill_in(e, schema, &g);
	lua_settop(L, g.top);
}
