/*
 * A batch in progress: its changes are encoded one after the other, and sent.
 */
#ifndef ECMP_RTNL_BATCH_H
#define ECMP_RTNL_BATCH_H

#include "rtnl/bulk/pipeline.h"

struct change {
	uint32_t at;	      /* of the nlmsghdr in the window */
	uint8_t object, verb; /* fields of their tables */
	bool ipv4;	      /* a route of that family */
	uint32_t set;	      /* of next hops, then the object that it became: 0: none */
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
	uint32_t seq;				/* of the window's first message */
	int list, share, results, names, verbs; /* stack indexes */
	bool free;				/* the changes do not depend on each other */
	bool apart; /* or no more than that one may lead to the gateway of another */
	bool tied;  /* of the window: one of them may */
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

#endif
