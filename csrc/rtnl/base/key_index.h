/*
 * Fields by key. Each schema has one Lua table (key -> field number) in the registry.
 */
#ifndef ECMP_RTNL_BASE_KEY_INDEX_H
#define ECMP_RTNL_BASE_KEY_INDEX_H

#include "rtnl/schema/field.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* A key once found: where the string lies and which field of which schema it names. */
struct known_key {
	const void *key;
	const struct schema *schema;
	int field;
};

enum {
	KNOWN_KEYS = 64
};

struct key_cache {
	struct known_key known[KNOWN_KEYS];
};

/* Where a key is known. Keys of fields are never collected, so their addresses tell them. */
static inline struct known_key *known_slot(struct key_cache *c, const struct schema *schema,
					   const void *key)
{
	size_t place = ((uintptr_t)key >> 4 ^ (uintptr_t)schema >> 5) % KNOWN_KEYS;
	struct known_key *known = &c->known[place];
	if (known->key && (known->key != key || known->schema != schema))
		known = &c->known[place ^ 1]; /* taken by another key */
	return known;
}

void index_register(lua_State *L);			    /* makes the tables of all schemas */
void push_index(lua_State *L, const struct schema *schema); /* [] -> [key -> field] */
int index_lookup(lua_State *L, const struct schema *schema, int key); /* field number, or -1 */

/* The key, or the key of the table at `words`, that may have been meant; NULL where none is near.
 */
const char *nearest_key(lua_State *L, const struct schema *schema, const char *key);
const char *nearest_word(lua_State *L, int words, const char *key);

#endif
