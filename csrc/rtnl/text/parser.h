/*
 * Reads what is typed behind `ip OBJECT add`.
 */
#ifndef ECMP_RTNL_TEXT_PARSER_H
#define ECMP_RTNL_TEXT_PARSER_H

#include "rtnl/codec/value.h"

enum {
	WORDS_MAX = 64, /* of a cache; a power of two */
	WORD_MAX = 15	/* characters of a word that is kept */
};

/* The fields of words met before, for those who read many lines; starts as zeros. */
struct word_cache {
	struct known_word {
		const struct schema *schema;
		const struct field *f; /* NULL: it is no field's word */
		const char *alias;     /* the key of the field that it is another keyword of */
		char word[WORD_MAX + 1];
	} words[WORDS_MAX];
};

/* Reads the words typed after `ip OBJECT add` into a part in `bytes`; the cache may be NULL.
 * [] -> [], or false and [message] */
bool parse_words(lua_State *L, struct buffer *bytes, struct word_cache *cache,
		 const struct object *object, const char *text, size_t length, struct value *part);

#endif
