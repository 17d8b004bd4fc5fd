/*
 * A dump in progress, shared by the file that reads it and the file that makes it whole when IPv6
 * routes changed meanwhile.
 */
#ifndef ECMP_RTNL_DUMP_H
#define ECMP_RTNL_DUMP_H

#include "rtnl/netlink/extack.h"
#include "rtnl/request/request.h"
#include "rtnl/view/view.h"

/* Where in a table the kernel comes across a prefix. */
struct position {
	uint8_t dst[16];
	uint8_t length;
};

/*
 * Neighbours in one table that came in one receive, and so are all that was between the first and
 * the last of them at one moment. Their messages lie in a part of the dump, as far as they were
 * kept.
 */
struct piece {
	uint32_t receive; /* its number */
	uint32_t table;	  /* 0: no IPv6 routes */
	struct position first, last;
	size_t from, to; /* bytes of the part */
	lua_Integer part;
	bool ends; /* its table has nothing behind it */
};

/* What a dump has told: whole messages behind each other in parts, and how far they were handed
 * out. The parts are in a table, with the pieces at 0. */
struct dump {
	struct guard guard; /* of the next view that is being made */
	const struct object *object;
	const struct view *like; /* only routes with its destination; NULL: whatever comes */
	struct buffer *part;	 /* that is filled, later read */
	size_t at;
	size_t bytes;	       /* of all messages that were kept */
	lua_Integer parts;     /* that were begun */
	struct mnl_socket *nl; /* it is asked over, in receives of so many bytes; 0: as usual */
	size_t room;
	size_t largest;	       /* of the messages */
	bool watched;	       /* IPv6 routes may be among it, which can change meanwhile */
	struct buffer *pieces; /* of those that are watched */
	uint32_t receives;
	size_t last_length; /* of a receive */
	bool unordered;	    /* the pieces are not such as are understood */
	bool interrupted;
	int error;
	struct extack x;
};

static inline struct piece *piece_at(const struct dump *d, size_t i)
{
	return (struct piece *)(void *)d->pieces->base + i;
}

static inline size_t pieces_of(const struct dump *d)
{
	return d->pieces->length / sizeof(struct piece);
}

/* What was heard: whether anything was, and what was deleted where. */
struct changes {
	struct buffer *deleted; /* struct deletion */
	bool any, lost;
};

struct deletion {
	uint32_t table;
	struct position at;
};

/* dump_index */
int compare_positions(const struct position *a, const struct position *b);
struct position position_of(const struct nlmsghdr *h);
uint32_t table_of(const struct nlmsghdr *h);
size_t run_from(const struct dump *d, size_t i);
void note_message(lua_State *L, struct dump *d, const struct nlmsghdr *h, bool kept);
void note_receive(struct dump *d, size_t length, bool done);

/* dump_watch */
int start_watch(struct sock *s);
void hear(lua_State *L, struct sock *s, struct changes *c);
void forget_changes(struct sock *s);

/* dump_read: [] -> [parts]; -1 with d->error */
int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at);
void keep_message(lua_State *L, struct dump *d, int parts, const struct nlmsghdr *h);
void free_parts(lua_State *L, int parts);

/* dump_repair */
bool whole_dump(lua_State *L, struct sock *s, struct dump *d, size_t at, int *tries);

#endif
