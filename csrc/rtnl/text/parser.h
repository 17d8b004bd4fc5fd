/*
 * Reads what is typed behind `ip OBJECT add`.
 */
#ifndef ECMP_RTNL_TEXT_PARSER_H
#define ECMP_RTNL_TEXT_PARSER_H

#include "rtnl/codec/value.h"

/* Reads the words typed after `ip OBJECT add` into a part in `bytes`. [] -> [], or false and
 * [message] */
bool parse_words(lua_State *L, struct arena *bytes, const struct object *object, const char *text,
		 size_t length, struct value *part);

#endif
