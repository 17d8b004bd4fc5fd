/*
 * Names for numbers from /etc/iproute2 and /etc/protocols.
 */
#ifndef ECMP_RTNL_BASE_RT_NAMES_H
#define ECMP_RTNL_BASE_RT_NAMES_H

#include "rtnl/schema/field.h"

#include <lua.h>

int rt_names_set(lua_State *L);			       /* Lua: rtnl.site */
void rt_name_swap(lua_State *L, enum word_list words); /* [value] -> [value] */

#endif
