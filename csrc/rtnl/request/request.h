/*
 * Sends one request and reads its answer.
 */
#ifndef ECMP_RTNL_REQUEST_REQUEST_H
#define ECMP_RTNL_REQUEST_REQUEST_H

#include "rtnl/codec/encoder.h"
#include "rtnl/netlink/extack.h"
#include "rtnl/netlink/socket.h"

#include <lua.h>

struct verb_flags {
	const char *name;
	enum verb verb;
	uint16_t flags;
};

extern const struct verb_flags verb_table[];

const struct verb_flags *verb_by_name(const char *name);
bool changes_only(const struct verb_flags *verb);
bool may_join(const struct verb_flags *verb, const struct encoder *e, const struct object *object);
void encode_value(lua_State *L, struct encoder *e, const struct object *object, int value);

/* -> nil, message, code: the error of the request that the socket's buffer holds */
int push_sent_error(lua_State *L, const struct sock *s, const struct encoder *e,
		    const struct object *object, const char *verb, const struct extack *x,
		    int error);

int socket_request(lua_State *L);   /* Lua: socket:request */
int socket_dump(lua_State *L);	    /* Lua: socket:dump */
int socket_subscribe(lua_State *L); /* Lua: socket:subscribe */
int socket_receive(lua_State *L);   /* Lua: socket:receive */
int socket_buffer(lua_State *L);    /* Lua: socket:buffer */
int rtnl_message(lua_State *L);	    /* Lua: rtnl.message */
int rtnl_visit(lua_State *L);	    /* Lua: rtnl.visit */

#endif
