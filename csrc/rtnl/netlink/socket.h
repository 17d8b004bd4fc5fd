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
	NETNS_FDS_MAX = 64,   /* open descriptors in messages that are yet to be sent */
	NETNS_FDS_CHANGE = 16 /* what one message of a batch may need of them */
};

struct mnl_socket;

/* interfaces looked up lately; see recent_index */
enum {
	RECENT_LINKS = 4
};

struct recent_link {
	uint32_t index;
	char name[16];
};

struct sock {
	struct mnl_socket *nl;	  /* NULL: closed */
	struct mnl_socket *watch; /* subscribed to IPv6 routes during dumps; NULL until needed */
	struct mnl_socket *other; /* of a second dump of the same; NULL when there is none */
	int ns;			  /* the namespace, or -1 for the process's own */
	struct guard guard;	  /* against re-entry during a request, dump, batch or receive */
	const void *names;	  /* the ifname cache of the current call */
	uint32_t seq;
	struct recent_link recent[RECENT_LINKS];
	unsigned int next_recent;     /* the oldest of them */
	int netns_fds[NETNS_FDS_MAX]; /* in messages that are yet to be sent, then -1 */
	struct buffer *out;	      /* user value 1 */
	uint8_t *buffer;	      /* user value 2 */
};

struct sock *check_socket(lua_State *L);
void push_guarded(lua_State *L, lua_CFunction function);
struct mnl_socket *open_in(int ns, bool strict);
ssize_t receive(struct sock *s);
ssize_t receive_from(struct mnl_socket *nl, uint8_t *buffer, size_t room);
int prime_receive(struct mnl_socket *nl, uint8_t *buffer, size_t room);
void close_socket(struct mnl_socket **nl);
int count_netns_fds(const struct sock *s);
void close_netns_fds(struct sock *s, int from); /* all but the first `from` */
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
