/*
 * Finds fields by key.
 */
#ifndef ECMP_RTNL_BASE_KEY_INDEX_H
#define ECMP_RTNL_BASE_KEY_INDEX_H

#include "rtnl/schema/field.h"

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* A key that was looked up: the address of the string, the schema, the field. */
struct cached_key {
	const void *key;
	const struct schema *schema;
	int field;
};

enum {
	CACHED_KEYS = 64
};

struct key_cache {
	struct cached_key keys[CACHED_KEYS];
};

/* The entry of a key. Keys of fields are never collected, so their addresses identify them. */
static inline struct cached_key *cached_key_at(struct key_cache *c, const struct schema *schema,
					       const void *key)
{
	size_t hash = ((uintptr_t)key >> 4 ^ (uintptr_t)schema >> 5) % CACHED_KEYS;
	struct cached_key *entry = &c->keys[hash];
	if (entry->key && (entry->key != key || entry->schema != schema))
		entry = &c->keys[hash ^ 1]; /* taken by another key */
	return entry;
}

void index_register(lua_State *L);			    /* makes the tables of all schemas */
void push_index(lua_State *L, const struct schema *schema); /* [] -> [key -> field] */
int index_lookup(lua_State *L, const struct schema *schema, int key); /* field number, or -1 */

/* The nearest key of the schema, or of the table at `words`; NULL where none is near. */
const char *nearest_key(lua_State *L, const struct schema *schema, const char *key);
const char *nearest_word(lua_State *L, int words, const char *key);

#endif
