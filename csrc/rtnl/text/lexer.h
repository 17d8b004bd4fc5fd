/*
 * Reads text word by word, and what the parts of the reader share.
 */
#ifndef ECMP_RTNL_LEXER_H
#define ECMP_RTNL_LEXER_H

#include "rtnl/codec/value.h"
#include "rtnl/schema/field.h"
#include "rtnl/text/parser.h"

enum {
	TOKEN_MAX = 255,
	NESTED_MAX = 8 /* parts within parts: the other end of a pair, a next hop's encap */
};

struct scan {
	lua_State *L;
	const struct object *object;
	struct parts parts;
	struct word_cache *cache; /* or NULL */
	const char *at, *end;
	char token[TOKEN_MAX + 1]; /* the token read last */
	size_t length;
	int depth;	   /* how many parts are being read, one within the other */
	const char *fault; /* first error: a format for `culprit` */
	char culprit[TOKEN_MAX + 1];
};

bool fault(struct scan *s, const char *format); /* notes the first error; false */
bool next(struct scan *s);
bool take(struct scan *s, const char *word);
bool need(struct scan *s, const char *what);

/* keyword_alias: the key of the field that another keyword names, or NULL */
const char *keyword_alias(const struct schema *schema, const char *word);

/* parse_value: values of one kind each */
struct value split(struct scan *s, char separator);
struct value number_or_text(struct scan *s, int base);
bool parse_segs(struct scan *s, const struct value *part);
/* Reads a value; the token is the field's word, or for positional fields the value already. */
bool parse_value(struct scan *s, const struct field *f, bool positional, struct value *v);

#endif
