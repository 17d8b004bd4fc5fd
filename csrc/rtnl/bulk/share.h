/*
 * Batches whose routes share next-hop objects: what their files have in common.
 *
 *   gateway (devices, moves)  <-  objects (known, made, deleted)  <-  share (sets of a window)
 */
#ifndef ECMP_RTNL_SHARE_H
#define ECMP_RTNL_SHARE_H

#include "rtnl/bulk/batch.h"
#include "rtnl/bulk/share_places.h"

#include <sys/socket.h>

#define RTNL_SHARING "ecmp.rtnl.sharing"

/* What decides, in microseconds. A route by object saves `route`, and `hop` for each of its hops; a
 * set that becomes one saves `set` for each other set there is. Both are paid for with objects, and
 * with questions for the devices of gateways. */
struct costs {
	double route, hop, set, object, question;
};

struct terms {
	struct costs costs[2]; /* IPv4, IPv6 */
	uint32_t first_id;     /* where the numbers of our objects begin */
	uint8_t proto;	       /* by which they are known */
};

/* --- of a window ----------------------------------------------------------------------------- */

/* One set of next hops. Its key says family and table, then the attributes that say the hops. */
struct set {
	struct key key;
	uint32_t first, hops; /* members, once they were read; none: these hops are not shared */
	uint32_t uses;	      /* routes that have it */
	uint32_t object;      /* its number, or 0 */
	bool wanted;	      /* as an object */
};

struct member {
	uint32_t hop;
	uint8_t weight; /* as the kernel writes it: one less */
};

/* The key of a hop: how the kernel reaches a neighbour. */
struct way {
	uint8_t family, onlink, filler[2];
	uint32_t oif; /* 0: by the device the kernel finds */
	uint8_t gateway[16];
};

struct hop {
	struct key key;
	uint32_t sets; /* that have it */
	uint32_t oif, object;
	bool wanted, moved;
};

/* --- of a batch ------------------------------------------------------------------------------ */

/* A next-hop object. Its key is the message that makes it, without the number. */
struct made {
	struct key key;
	uint32_t id;   /* 0: there is none */
	uint32_t uses; /* routes of this batch, and groups it made */
	uint32_t seen; /* by the last set that asked for it */
};

struct sharing {
	struct terms terms;
	struct pool sets, hops; /* of the window */
	struct buffer *members;
	struct pool objects;
	struct places ids;	/* in use */
	struct buffer *created; /* by this batch, in the order of their ids */
	struct buffer *order;	/* what is in flight, by number */
	struct buffer *group;	/* the members of one */
	struct buffer *scratch;
	uint32_t last_id, asked;
	enum {
		UNASKED,
		KNOWN,
		ABSENT
	} kernel; /* whether what the kernel has is known, or it has no such objects */
};

static inline struct set *set_at(const struct sharing *x, uint32_t n)
{
	return pool_at(&x->sets, n);
}

static inline struct hop *hop_at(const struct sharing *x, uint32_t n)
{
	return pool_at(&x->hops, n);
}

static inline const struct way *way_of(const struct sharing *x, const struct hop *hop)
{
	return (const void *)pool_key(&x->hops, &hop->key);
}

static inline struct made *made_at(const struct sharing *x, uint32_t n)
{
	return pool_at(&x->objects, n);
}

static inline const struct member *members_of(const struct sharing *x, const struct set *s)
{
	return (const struct member *)(const void *)x->members->base + s->first;
}

static inline size_t bytes_of(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* gateway */
void mark_moved(struct batch *b, struct sharing *x);
void ask_devices(struct batch *b, struct sharing *x);

/* objects */
bool know_objects(struct batch *b, struct sharing *x);
void make_objects(struct batch *b, struct sharing *x);
void delete_unused(lua_State *L, struct sock *s, struct sharing *x);

int socket_sharing(lua_State *L); /* Lua: socket:sharing */
void sharing_register(lua_State *L);

/* --- attributes of a message ----------------------------------------------------------------- */

struct attributes {
	const uint8_t *at;
	size_t left;
};

static inline const struct nlattr *next_attribute(struct attributes *a)
{
	const struct nlattr *attr = (const void *)a->at;
	if (a->left < NLA_HDRLEN || attr->nla_len < NLA_HDRLEN || attr->nla_len > a->left)
		return NULL;
	size_t step = NLA_ALIGN(attr->nla_len);
	a->at += step;
	a->left = step < a->left ? a->left - step : 0;
	return attr;
}

static inline struct attributes attributes_of(const struct nlmsghdr *m, size_t header)
{
	size_t head = NLMSG_HDRLEN + header;
	return (struct attributes){(const uint8_t *)m + head,
				   m->nlmsg_len > head ? m->nlmsg_len - head : 0};
}

static inline const void *payload_of(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

#endif
