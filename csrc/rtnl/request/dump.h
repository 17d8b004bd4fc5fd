/*
 * A dump in progress: what the files share that read it and that repair it when IPv6 routes change
 * meanwhile.
 */
#ifndef ECMP_RTNL_DUMP_H
#define ECMP_RTNL_DUMP_H

#include "rtnl/netlink/extack.h"
#include "rtnl/request/request.h"
#include "rtnl/view/view.h"

/* The position of a prefix in the kernel's walk of a table. */
struct position {
	uint8_t dst[16];
	uint8_t length;
};

/*
 * Adjacent routes of one table that came in one receive: the complete content of the table between
 * the first and the last of them at one moment. Their messages, as far as they were kept, are in a
 * part of the dump.
 */
struct segment {
	uint32_t receive; /* its number */
	uint32_t table;	  /* 0: no IPv6 routes */
	struct position first, last;
	size_t from, to; /* bytes of the part */
	lua_Integer part;
	bool ends; /* the last of its table */
};

/* The messages of a dump, one after the other in several buffers, the parts, and how many of them
 * were returned. The parts are in a table, the segments at index 0 of it. */
struct dump {
	struct guard guard; /* against re-entry while a view is made */
	const struct object *object;
	const struct view *like; /* keep only routes of its destination; NULL: all */
	struct buffer *part;	 /* being filled, later read */
	size_t at;
	size_t bytes;		 /* of all messages kept */
	lua_Integer parts;	 /* number of the part in use */
	struct mnl_socket *nl;	 /* the dump's socket; NULL: the handle's */
	size_t room;		 /* bytes of a receive; 0: RECEIVE_SIZE */
	size_t largest;		 /* of the messages */
	bool watched;		 /* may have IPv6 routes, which can change during the dump */
	struct buffer *segments; /* of a watched dump */
	uint32_t receives;
	size_t last_length; /* of the receive before */
	bool unordered;	    /* routes came in an unexpected order: no repair is possible */
	bool interrupted;
	int error;
	struct extack x;
};

static inline struct segment *segment_at(const struct dump *d, size_t i)
{
	return (struct segment *)(void *)d->segments->base + i;
}

static inline size_t segment_count(const struct dump *d)
{
	return d->segments->length / sizeof(struct segment);
}

/* The changes during a dump: whether there were any, and the deletions. */
struct changes {
	struct buffer *deleted; /* struct deletion */
	bool any, lost;
};

struct deletion {
	uint32_t table;
	struct position at;
};

/* dump_index */
struct span message_span(const struct nlmsghdr *h);
int compare_positions(const struct position *a, const struct position *b);
struct position position_of(const struct nlmsghdr *h);
uint32_t table_of(const struct nlmsghdr *h);
size_t run_from(const struct dump *d, size_t i);
void index_message(lua_State *L, struct dump *d, const struct nlmsghdr *h, bool kept);
void index_receive(struct dump *d, size_t length, bool done);

/* dump_watch */
int start_watch(struct sock *s);
void read_changes(lua_State *L, struct sock *s, struct changes *c);
void discard_changes(struct sock *s);

/* dump_read: [] -> [parts], also when it fails: -1 with d->error */
int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at);
void append_message(lua_State *L, struct dump *d, int parts, const struct nlmsghdr *h);
void free_parts(lua_State *L, int parts);

/* dump_repair */
bool complete_dump(lua_State *L, struct sock *s, struct dump *d, size_t at, int *tries);

#endif
