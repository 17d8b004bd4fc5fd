/*
 * Pipelines requests: sends 64 KiB at a time and asks for an ACK on the last message of each send
 * only. Errors come without being asked for, and name their message by its sequence
 * number.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/pipeline.h"

#include "rtnl/base/error.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

enum {
	SEND_BYTES = 64 << 10,
	REPLY_BYTES = 832, /* what one queued error costs of the receive buffer */
};

static size_t reply_room(int fd)
{
	int bytes = 0;
	socklen_t size = sizeof(bytes);
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &size);
	size_t n = (size_t)bytes / REPLY_BYTES;
	return n > 16 ? n - 8 : 8;
}

/* [] -> [buffer] */
void pipe_open(lua_State *L, struct pipe *p, struct sock *s, take_answer *take, void *owner)
{
	*p = (struct pipe){.L = L, .s = s, .send = buffer_new(L), .take = take, .owner = owner};
	p->room = reply_room(mnl_socket_get_fd(s->nl));
}

void pipe_close(struct pipe *p)
{
	buffer_free(p->send);
}

/* Messages with these sequence numbers come next; those that are written into the pipe are counted
 * as they come. */
void pipe_begin(struct pipe *p, uint32_t first, size_t count)
{
	p->first = first;
	p->count = count;
}

static void fail(struct pipe *p, int error)
{
	push_errno(p->L, "batch", NULL, error);
	luaL_error(p->L, "%s", lua_tostring(p->L, -2));
}

/* Reads what has come; true when the answer to `last` was among it. */
static bool take_answers(struct pipe *p, uint32_t last, ssize_t n)
{
	bool done = false;
	int left = (int)n;
	for (const struct nlmsghdr *h = (void *)p->s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		size_t i = h->nlmsg_seq - p->first;
		if (i >= p->count) /* to what was sent before a Lua error cut it short */
			continue;
		done = done || (h->nlmsg_seq == last &&
				(h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE));
		p->take(p, i, h);
	}
	return done;
}

/* Sends what has gathered and waits for the answer to its last message. */
void pipe_flush(struct pipe *p)
{
	if (p->gathered == 0)
		return;
	struct nlmsghdr *h = (void *)(p->send->base + p->last_at);
	uint32_t last = h->nlmsg_seq;
	h->nlmsg_flags |= NLM_F_ACK;
	if (mnl_socket_sendto(p->s->nl, p->send->base, p->send->length) < 0)
		fail(p, errno);
	p->send->length = p->gathered = 0;
	for (;;) {
		ssize_t n = receive(p->s);
		if (n < 0)
			fail(p, errno);
		if (take_answers(p, last, n))
			return;
	}
}

static uint8_t *room_for(struct pipe *p, size_t length)
{
	length = NLMSG_ALIGN(length);
	if (p->gathered == p->room || p->send->length + length > SEND_BYTES)
		pipe_flush(p);
	p->last_at = p->send->length;
	p->gathered++;
	return buffer_room(p->L, p->send, length);
}

void pipe_put(struct pipe *p, const struct nlmsghdr *m)
{
	memcpy(room_for(p, m->nlmsg_len), m, NLMSG_ALIGN(m->nlmsg_len));
}
