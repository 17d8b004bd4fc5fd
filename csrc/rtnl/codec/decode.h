/*
 * What the files of the decoder share.
 */
#ifndef ECMP_RTNL_DECODE_H
#define ECMP_RTNL_DECODE_H

#include "rtnl/codec/decoder.h"

/* Each pushes one value and returns true, or pushes nothing. */
bool push_address(lua_State *L, const struct span *s, const struct field *f);
bool push_lladdr(lua_State *L, const struct nlattr *a);
bool push_string(lua_State *L, const struct nlattr *a);
bool push_option(lua_State *L, const struct field *f, const struct nlattr *a);
bool push_ttl(lua_State *L, const struct span *s, const struct field *f, const struct nlattr *a);
bool push_bridge_id(lua_State *L, const struct nlattr *a);
bool push_range(lua_State *L, const struct field *f, const struct nlattr *a);
bool push_ratio(lua_State *L, const struct span *s, const struct field *f, const struct nlattr *a);
bool push_bytes(lua_State *L, const struct span *s);
bool push_member(lua_State *L, const struct field *f, const struct nlattr *a);
bool push_hmac(lua_State *L, const struct field *f, const struct nlattr *a);
bool push_table(lua_State *L, const struct span *s, const struct field *f);
bool push_uint(lua_State *L, const struct field *f, uint64_t value);
void push_word(lua_State *L, const struct field *f, uint64_t value); /* always one value */

#endif
