/*
 * How errors are raised and returned.
 */
#ifndef ECMP_RTNL_BASE_ERROR_H
#define ECMP_RTNL_BASE_ERROR_H

#include "rtnl/schema/field.h"

#include <lua.h>

/* [message] -> raises, with the line of the code that called the library */
_Noreturn void throw_at_caller(lua_State *L);

/* The name of an errno: "ENODEV". */
const char *errno_name(int error);

/* [] -> [nil, "REQUEST: TEXT (ENODEV)", "ENODEV"]; returns 3. Without a text it is strerror's. */
int push_errno(lua_State *L, const char *request, const char *text, int error);

/* The object named by the argument at `index`; an unknown name raises. */
const struct object *check_object(lua_State *L, int index);

#endif
