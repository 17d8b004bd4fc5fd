/*
 * The ifname cache: interface names and indices of one operation, in a Lua table.
 *
 * names[index] = "eth0" and names["eth0"] = index; names[0] is the socket to ask the kernel by, or
 * nil: then unknown names get invented indices, so that text can be printed and compared without a
 * kernel.
 */
#ifndef ECMP_RTNL_NETLINK_IFNAME_H
#define ECMP_RTNL_NETLINK_IFNAME_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	ALT_NAME_SIZE = 128 /* ALTIFNAMSIZ, whose header does not go with net/if.h */
};

enum {
	INVENTED = 0x40000000 /* above the indices of any kernel */
};

void ifnames_new(lua_State *L, int socket); /* [] -> [names]; socket 0: no kernel */
void ifnames_gone(lua_State *L, int names, int table);
uint32_t ifnames_index(lua_State *L, int names, const char *name,
		       bool *found);				   /* errno says why not */
const char *ifnames_name(lua_State *L, int names, uint32_t index); /* [] -> [name or number] */

#endif
