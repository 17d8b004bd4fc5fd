/*
 * Pipelines requests over the socket of a handle.
 */
#ifndef ECMP_RTNL_PIPELINE_H
#define ECMP_RTNL_PIPELINE_H

#include "rtnl/request/request.h"

struct pipe;

/* Gets the answer to message `i`, an error or data. It lies in the socket's buffer, so
 * nothing may be asked for meanwhile. */
typedef void take_answer(struct pipe *p, size_t i, const struct nlmsghdr *answer);

struct pipe {
	lua_State *L;
	struct sock *s;
	struct buffer *send;
	uint32_t first; /* sequence number of message 0 */
	size_t count;	/* of all that are sent */
	size_t room;	/* answers the receive buffer holds */
	size_t gathered, last_at;
	take_answer *take;
	void *owner;
};

void pipe_open(lua_State *L, struct pipe *p, struct sock *s, take_answer *take, void *owner);
void pipe_close(struct pipe *p);
void pipe_begin(struct pipe *p, uint32_t first, size_t count);
void pipe_put(struct pipe *p, const struct nlmsghdr *m);
void pipe_flush(struct pipe *p);

#endif
