/*
 * Finds fields by key: each schema has a Lua table (key -> field number) in the registry. Also
 * finds the nearest key for an unknown one.
 */
#define _GNU_SOURCE
#include "rtnl/base/key_index.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* [] -> [index table]; the fields of flattened nests count for the field of the nest */
static void index_fields(lua_State *L, const struct field *fields, int as_field)
{
	for (int i = 0; fields[i].type != FIELD_NONE; i++) {
		const struct field *f = &fields[i];
		int field = as_field >= 0 ? as_field : i;
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			index_fields(L, sub_schema(f)->fields, field);
		if (!*f->key)
			continue;
		if (lua_getfield(L, -1, f->key) ==
		    LUA_TNIL) { /* the first of fields with one key */
			lua_pushinteger(L, field);
			lua_setfield(L, -3, f->key);
		}
		lua_pop(L, 1);
	}
}

/* [] -> [index table], made at first use */
void push_index(lua_State *L, const struct schema *schema)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, schema) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	index_fields(L, schema->fields, -1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, schema);
}

void index_register(lua_State *L)
{
	for (const struct object *o = rtnl_objects; o->name; o++) {
		push_index(L, o->schema);
		lua_pop(L, 1);
	}
}

int index_lookup(lua_State *L, const struct schema *schema, int key)
{
	key = lua_absindex(L, key);
	push_index(L, schema);
	lua_pushvalue(L, key);
	int type = lua_rawget(L, -2);
	int field = type == LUA_TNUMBER ? (int)lua_tointeger(L, -1) : -1;
	lua_pop(L, 2);
	return field;
}

/* Common names of other tools, and our keys. */
static const struct {
	const char *theirs, *ours;
} synonyms[] = {
	{"gateway", "via"},	   {"gw", "via"},	    {"oif", "dev"},
	{"interface", "dev"},	   {"ifname", "dev"},	    {"priority", "metric"},
	{"preference", "metric"},  {"protocol", "proto"},   {"hops", "nexthops"},
	{"multipath", "nexthops"}, {"nexthop", "nexthops"}, {"destination", "dst"},
	{"prefix", "dst"},	   {"prefsrc", "src"},	    {"local", "address"},
	{"mac", "address"},	   {"kind", "type"},	    {"gws", "nexthops"},
	{"gatway", "via"},	   {"lookup", "table"},	    {"to", "dst"},
	{"mss", "advmss"},	   {"device", "dev"},	    {"link", "dev"},
};

static const char *synonym_of(const char *key, size_t *at)
{
	while (*at < sizeof(synonyms) / sizeof(synonyms[0])) {
		size_t i = (*at)++;
		if (strcmp(synonyms[i].theirs, key) == 0)
			return synonyms[i].ours;
	}
	return NULL;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;
	return m < c ? m : c;
}

/* Levenshtein, with a neighbouring swap counted once, on the error path only. */
static size_t distance(const char *a, const char *b)
{
	size_t line[3][33], n = strlen(a), m = strlen(b);
	if (n > 32 || m > 32)
		return 99;
	for (size_t j = 0; j <= m; j++)
		line[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t *now = line[i % 3], *last = line[(i + 2) % 3], *before = line[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
	}
	return line[n % 3][m];
}

/* The nearest word so far; of two as near the alphabetically first. */
struct nearest {
	const char *key, *best;
	size_t least;
};

static struct nearest nearest_to(const char *key)
{
	return (struct nearest){.key = key, .least = 2};
}

static void consider(struct nearest *n, const char *word)
{
	size_t d = distance(n->key, word);
	if (d > n->least || (d == n->least && n->best && strcmp(word, n->best) > 0))
		return;
	n->least = d;
	n->best = word;
}

static void consider_fields(struct nearest *n, const struct field *fields)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			consider_fields(n, sub_schema(f)->fields);
		if (*f->key)
			consider(n, f->key);
	}
}

const char *nearest_key(lua_State *L, const struct schema *schema, const char *key)
{
	const char *word;
	for (size_t at = 0; (word = synonym_of(key, &at));) {
		lua_pushstring(L, word);
		int field = index_lookup(L, schema, -1);
		lua_pop(L, 1);
		if (field >= 0)
			return word;
	}
	struct nearest n = nearest_to(key);
	consider_fields(&n, schema->fields);
	return n.best;
}

/* The same among the keys of the table at `words`, which owns the result. */
const char *nearest_word(lua_State *L, int words, const char *key)
{
	const char *word;
	for (size_t at = 0; (word = synonym_of(key, &at));) {
		bool known = lua_getfield(L, words, word) != LUA_TNIL;
		lua_pop(L, 1);
		if (known)
			return word;
	}
	struct nearest n = nearest_to(key);
	lua_pushnil(L);
	while (lua_next(L, words)) {
		lua_pop(L, 1);
		if (lua_type(L, -1) == LUA_TSTRING)
			consider(&n, lua_tostring(L, -1));
	}
	return n.best;
}
