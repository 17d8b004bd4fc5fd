/*
 * What the files of the text parser share: words, errors, value parsers.
 */
#ifndef ECMP_RTNL_LEXER_H
#define ECMP_RTNL_LEXER_H

#include "rtnl/codec/value.h"
#include "rtnl/schema/field.h"
#include "rtnl/text/parser.h"

enum {
	TOKEN_MAX = 255,
	NESTED_MAX = 8 /* depth of nested fields: a veth's peer, a next hop's encap */
};

struct scan {
	lua_State *L;
	const struct object *object;
	struct parts parts;
	struct word_cache *cache; /* or NULL */
	const char *at, *end;
	char token[TOKEN_MAX + 1]; /* the token read last */
	size_t length;
	int depth;	   /* of nested fields */
	const char *fault; /* first error: a format for `fault_token` */
	char fault_token[TOKEN_MAX + 1];
};

bool fault(struct scan *s, const char *format); /* stores the first error; false */
bool next(struct scan *s);
bool take(struct scan *s, const char *word);
bool need(struct scan *s, const char *what);

/* keyword_alias: the key of the field that a keyword of ip(8) stands for, or NULL */
const char *keyword_alias(const struct schema *schema, const char *word);

/* parse_value: one parser for each type of value */
struct value split(struct scan *s, char separator);
struct value number_or_text(struct scan *s, int base);
bool parse_segs(struct scan *s, const struct value *part);
/* Reads a value; the token is the keyword, or of positional fields the value. */
bool parse_value(struct scan *s, const struct field *f, bool positional, struct value *v);

#endif
