/*
 * The socket's inside, shared by single requests and batches.
 */
#ifndef ECMP_RTNL_SOCKET_H
#define ECMP_RTNL_SOCKET_H

#include "rtnl/rtnl.h"

#include <sys/types.h>

enum {
	RECEIVE_SIZE = 72 * 1024
}; /* the largest notification is 65 632 bytes (kernel.md 2.1) */

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
	bool busy;		  /* with a request, a dump or a batch; see exclusively() */
	uint32_t seq;
	struct known_link known[KNOWN_LINKS];
	unsigned int next_known; /* the oldest of them */
	int held[HELD_MAX];	 /* descriptors the request in hand refers to */
	struct arena *out;	 /* user value 1 */
	uint8_t *buffer;	 /* user value 2 */
};

struct verb_row {
	const char *name;
	enum verb verb;
	uint16_t flags;
};

extern const struct verb_row verb_rows[];

const struct verb_row *verb_by_name(const char *name);
bool changes_only(const struct verb_row *verb);
bool may_join(const struct verb_row *verb, const struct encoder *e, const struct object *object);
struct sock *check_socket(lua_State *L);
void check_idle(lua_State *L, const struct sock *s);
void push_exclusive(lua_State *L, lua_CFunction function);
const struct object *check_object(lua_State *L, int index);
struct mnl_socket *open_in(int ns, bool strict);
ssize_t receive(struct sock *s);
ssize_t receive_from(struct mnl_socket *nl, uint8_t *buffer, size_t room);
int warm(struct mnl_socket *nl, uint8_t *buffer, size_t room);
void shut(struct mnl_socket **nl);
size_t begin_message(lua_State *L, struct sock *s, uint16_t type, uint16_t flags);
void end_message(struct sock *s, size_t at);
void encode_value(lua_State *L, struct encoder *e, const struct object *object, int value);
const char *push_request(lua_State *L, const struct object *object, const char *verb,
			 const uint8_t *data, size_t length, int names);
int refusal(lua_State *L, const struct extack *x, int error, const struct object *object,
	    const char *verb, const uint8_t *data, size_t length, int names);
int refusal_of(lua_State *L, const char *request, const struct extack *x, int error,
	       const struct object *object, const uint8_t *data, size_t length);
int lacking(lua_State *L, struct encoder *e, const struct object *object, const char *verb);
const struct nlmsghdr *answer_to(struct sock *s, uint32_t seq);
int socket_batch(lua_State *L);
int socket_sharing(lua_State *L);
void sharing_register(lua_State *L);
int socket_dump(lua_State *L);
int socket_subscribe(lua_State *L);
int socket_receive(lua_State *L);
int socket_buffer(lua_State *L);

#endif
