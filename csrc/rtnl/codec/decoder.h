/*
 * Decodes messages to Lua values.
 */
#ifndef ECMP_RTNL_CODEC_DECODER_H
#define ECMP_RTNL_CODEC_DECODER_H

#include "rtnl/netlink/attr.h"

#include <lua.h>

enum {
	ADDRESS_TEXT = 64 /* room for any address and its length */
};

size_t address_text(const struct span *s, const struct field *f, char text[ADDRESS_TEXT]);
bool push_field(lua_State *L, const struct span *s, const struct field *f,
		int names);				       /* pushes 0 or 1 */
void push_span(lua_State *L, const struct span *s, int names); /* [] -> [table of all it holds] */
bool push_key(lua_State *L, const struct span *s, int key, int names, bool *known);
bool push_known_field(lua_State *L, const struct span *s, int field, int key, int names,
		      bool *known);

#endif
