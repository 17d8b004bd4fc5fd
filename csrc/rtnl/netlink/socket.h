/*
 * A netlink socket in one namespace.
 */
#ifndef ECMP_RTNL_NETLINK_SOCKET_H
#define ECMP_RTNL_NETLINK_SOCKET_H

#include "rtnl/base/buffer.h"
#include "rtnl/base/guard.h"

#include <lua.h>
#include <stdbool.h>
#include <sys/types.h>

#define RTNL_SOCKET "ecmp.rtnl.socket"

enum {
	RECEIVE_SIZE = 72 * 1024
}; /* the largest notification is 65 632 bytes */

enum {
	HELD_MAX = 64,	 /* descriptors that messages in hand refer to */
	HELD_CHANGE = 16 /* of them, what one message of a batch may need */
};

struct mnl_socket;

/* links that were asked for lately; see socket_link */
enum {
	KNOWN_LINKS = 4
};

struct known_link {
	uint32_t index;
	char name[16];
};

struct sock {
	struct mnl_socket *nl;	  /* NULL: closed */
	struct mnl_socket *watch; /* hears IPv6 route changes during dumps; NULL until needed */
	struct mnl_socket *other; /* for a dump beside another; NULL when there is none */
	int ns;			  /* the namespace, or -1 for the process's own */
	struct guard guard;	  /* of a request, a dump, a batch or a wait for notifications */
	const void *names;	  /* the table of interfaces of the call that is under way */
	uint32_t seq;
	struct known_link known[KNOWN_LINKS];
	unsigned int next_known; /* the oldest of them */
	int held[HELD_MAX];	 /* descriptors that messages in hand refer to, then -1 */
	struct buffer *out;	 /* user value 1 */
	uint8_t *buffer;	 /* user value 2 */
};

struct sock *check_socket(lua_State *L);
void push_exclusive(lua_State *L, lua_CFunction function);
struct mnl_socket *open_in(int ns, bool strict);
ssize_t receive(struct sock *s);
ssize_t receive_from(struct mnl_socket *nl, uint8_t *buffer, size_t room);
int warm(struct mnl_socket *nl, uint8_t *buffer, size_t room);
void shut(struct mnl_socket **nl);
int count_held(const struct sock *s);
void drop_held(struct sock *s, int from); /* closes all but so many */
size_t begin_message(lua_State *L, struct sock *s, uint16_t type, uint16_t flags);
void end_message(struct sock *s, size_t at);
const struct nlmsghdr *answer_to(struct sock *s, uint32_t seq);

int socket_open(lua_State *L);	   /* Lua: rtnl.open */
int socket_close(lua_State *L);	   /* Lua: socket:close */
int socket_fd(lua_State *L);	   /* Lua: socket:fd */
int socket_netns(lua_State *L);	   /* Lua: socket:netns */
int socket_gc(lua_State *L);	   /* Lua: __gc */
int socket_tostring(lua_State *L); /* Lua: __tostring */

#endif
