/*
 * Formats the error of a failed request: the request in the syntax of ip(8), and the kernel's
 * reason.
 */
#define _GNU_SOURCE
#include "rtnl/view/error_message.h"

#include "rtnl/base/error.h"
#include "rtnl/view/view.h"

#include <errno.h>
#include <string.h>

#include "common/export.h"

/* "route add 10.9.0.0/16 via 10.0.0.1": the request in the syntax of ip(8). [] -> [text] */
const char *push_request(lua_State *L, const struct object *object, const char *verb,
			 const uint8_t *data, size_t length, int names)
{
	struct span s = {object->schema, data, length, span_family(data, length), NULL};
	struct print p = {.names = names, .one_line = true, .request = true};
	push_text(L, p, &s);
	lua_pushfstring(L, "%s %s %s", strcmp(object->name, "flow") == 0 ? "route" : object->name,
			verb, lua_tostring(L, -1));
	lua_remove(L, -2);
	return lua_tostring(L, -1);
}

/* The kernel's error for the request at `data`, whose text is `request`. -> nil, message, code */
int push_request_error(lua_State *L, const char *request, const struct extack *x, int error,
		       const struct object *object, const uint8_t *data, size_t length)
{
	const char *text = NULL;
	if (x && x->text)
		text = lua_pushlstring(L, x->text, x->text_length);
	else if (error == EHOSTUNREACH && object->schema == &schema_route)
		text = "Nexthop has invalid gateway: no way to reach it";
	else if (error == ESRCH && object->schema == &schema_route)
		text = "No such route";
	if (x && x->offset && push_field_path(L, object->schema, data, length, x->offset))
		text = lua_pushfstring(L, "%s: %s", lua_tostring(L, -1),
				       text ? text : strerror(error));
	if (x && x->missing) {
		push_missing_path(L, object->schema, data, length, x);
		text = lua_pushfstring(L, "%s: %s", lua_tostring(L, -1), text ? text : "missing");
	}
	return push_errno(L, request, text, error);
}

int push_kernel_error(lua_State *L, const struct extack *x, int error, const struct object *object,
		      const char *verb, const uint8_t *data, size_t length, int names)
{
	const char *request = push_request(L, object, verb, data, length, names);
	return push_request_error(L, request, x, error, object, data, length);
}

/* What was missing while the message was encoded: a device, a namespace. -> nil, message, code */
int push_missing(lua_State *L, struct encoder *e, const struct object *object, const char *verb)
{
	const char *over_limit = e->missing_errno == EMSGSIZE ? push_over_limit(e) : NULL;
	const uint8_t *data = e->out->base + e->start;
	const char *request =
		push_request(L, object, verb, data, e->out->length - e->start, e->names);
	const char *text = e->missing_errno == ENODEV ? "Cannot find device" : over_limit;
	if (e->missing_errno == EINVAL)
		text = lua_pushfstring(L, "IPv6 does not compare %s; nl.route:del does",
				       e->missing);
	if (strcmp(e->missing, "namespace") == 0)
		text = lua_pushfstring(L, "cannot open the namespace '%s': %s", e->missing_netns,
				       strerror(e->missing_errno));
	return push_errno(L, request, text, e->missing_errno);
}
