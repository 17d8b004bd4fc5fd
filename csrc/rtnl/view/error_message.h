/*
 * Formats the errors of failed requests.
 */
#ifndef ECMP_RTNL_VIEW_ERROR_MESSAGE_H
#define ECMP_RTNL_VIEW_ERROR_MESSAGE_H

#include "rtnl/codec/encoder.h"
#include "rtnl/netlink/extack.h"

#include <lua.h>

const char *push_request(lua_State *L, const struct object *object, const char *verb,
			 const uint8_t *data, size_t length, int names);
int push_kernel_error(lua_State *L, const struct extack *x, int error, const struct object *object,
		      const char *verb, const uint8_t *data, size_t length, int names);
int push_request_error(lua_State *L, const char *request, const struct extack *x, int error,
		       const struct object *object, const uint8_t *data, size_t length);
int push_missing(lua_State *L, struct encoder *e, const struct object *object, const char *verb);

#endif
