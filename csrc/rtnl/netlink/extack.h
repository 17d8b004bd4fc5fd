/*
 * Extended ACKs: why the kernel refused a request, and which field of it.
 */
#ifndef ECMP_RTNL_NETLINK_EXTACK_H
#define ECMP_RTNL_NETLINK_EXTACK_H

#include "rtnl/netlink/attr.h"

#include <lua.h>

struct extack {
	const char *text; /* the kernel's sentence, or NULL */
	size_t text_length;
	uint32_t offset;       /* of the offending attribute in the request; 0: none given */
	uint32_t missing;      /* number of an attribute the kernel misses; 0: none */
	uint32_t missing_nest; /* offset of the nest it belongs in */
};

bool read_extack(const struct nlmsghdr *reply, struct extack *x, int *error);
bool push_field_path(lua_State *L, const struct schema *schema, const uint8_t *data, size_t length,
		     size_t offset);
void push_missing_path(lua_State *L, const struct schema *schema, const uint8_t *data,
		       size_t length, const struct extack *x);

#endif
