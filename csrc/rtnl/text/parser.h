/*
 * Parses the arguments of `ip OBJECT add`.
 */
#ifndef ECMP_RTNL_TEXT_PARSER_H
#define ECMP_RTNL_TEXT_PARSER_H

#include "rtnl/codec/value.h"

enum {
	WORDS_MAX = 64, /* of a cache; a power of two */
	WORD_MAX = 15	/* characters of a cached word */
};

/* Caches the fields of words, for files of many lines; starts as zeros. */
struct word_cache {
	struct cached_word {
		const struct schema *schema;
		const struct field *f; /* NULL: it is no keyword */
		const char *alias;     /* the key of the field it is an alias of, or NULL */
		char word[WORD_MAX + 1];
	} words[WORDS_MAX];
};

/* Parses the arguments of `ip OBJECT add` into `bytes`; the cache may be NULL.
 * [] -> [], or false and [message] */
bool parse_words(lua_State *L, struct buffer *bytes, struct word_cache *cache,
		 const struct object *object, const char *text, size_t length, struct value *part);

#endif
