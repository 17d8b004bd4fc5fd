/*
 * A batch in progress, shared by the file that sends it and the file that lets its routes share
 * next-hop objects.
 */
#ifndef ECMP_RTNL_BATCH_H
#define ECMP_RTNL_BATCH_H

#include "rtnl_socket.h"

enum {
	STRIPES = 64
};

struct change {
	uint32_t at;	      /* of the nlmsghdr in its part of the window */
	uint8_t object, verb; /* rows of their tables */
	uint8_t part;	      /* of the window the message is in */
	bool sharable;	      /* a route that may refer to a next-hop object instead of hops */
	uint32_t id;	      /* of the object it came to refer to, or 0 */
};

struct batch {
	lua_State *L;
	struct sock *s;
	struct arena *changes; /* of the window: struct change */
	struct arena *send;
	struct arena *parts[STRIPES + 1]; /* of the window: messages in the order given, stripes */
	size_t bytes;			  /* of the messages of the window */
	uint32_t last;			  /* of what has gathered: the sequence number */
	size_t last_at, gathered;	  /* where it is, and how many there are */
	struct encoder encoder;
	const char *said;     /* the text of the last change's verb, kept at stack index `verbs` */
	uint8_t object, verb; /* what it means */
	size_t first;	      /* index of the window's first change, from 0 */
	size_t count;
	uint32_t seq; /* of the window's first message */
	size_t room;  /* answers the receive buffer holds */
	int list, choose, results, used, names, verbs;
	bool free; /* the changes do not depend on each other */
};

static inline struct change *change_at(const struct batch *b, size_t i)
{
	return (struct change *)(void *)b->changes->base + i;
}

static inline struct nlmsghdr *message_at(const struct batch *b, size_t i)
{
	const struct change *c = change_at(b, i);
	return (void *)(b->parts[c->part]->base + c->at);
}

void share_window(struct batch *b);
void share_note_used(struct batch *b);

#endif
