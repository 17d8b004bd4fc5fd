/*
 * A batch in progress, shared by the file that sends it and the file that lets its routes share
 * next-hop objects.
 */
#ifndef ECMP_RTNL_BATCH_H
#define ECMP_RTNL_BATCH_H

#include "rtnl/bulk/pipeline.h"

struct change {
	uint32_t at;	      /* of the nlmsghdr in the window */
	uint8_t object, verb; /* fields of their tables */
	bool ipv4;	      /* a route of that family */
	bool sharable;	      /* a route that may refer to a next-hop object instead of hops */
	uint32_t set;	      /* of the next hops that became an object it refers to, or 0 */
};

struct batch {
	lua_State *L;
	struct sock *s;
	struct buffer *changes; /* of the window: struct change */
	struct buffer *order;	/* of the window: numbers of changes */
	struct pipe pipe;
	struct encoder encoder;
	const char *said;     /* the text of the last change's verb, kept at stack index `verbs` */
	uint8_t object, verb; /* what it means */
	size_t first;	      /* index of the window's first change, from 0 */
	size_t count;
	uint32_t seq; /* of the window's first message */
	int list, results, names, verbs;
	struct sharing *sharing; /* or NULL */
	bool free;		 /* the changes do not depend on each other */
	bool apart;		 /* or no more than that one may lead to the gateway of another */
	bool tied;		 /* of the window: one of them may */
};

static inline struct change *change_at(const struct batch *b, size_t i)
{
	return (struct change *)(void *)b->changes->base + i;
}

static inline struct nlmsghdr *message_at(const struct batch *b, size_t i)
{
	return (void *)(b->s->out->base + change_at(b, i)->at);
}

int socket_batch(lua_State *L); /* Lua: socket:batch */

struct sharing *check_sharing(lua_State *L, int index);
void share_window(struct batch *b);
const struct buffer *share_refused(struct batch *b, size_t i); /* [] -> [buffer] */

#endif
