/*
 * Routes as messages, without a Lua value for any of them: for lists of a million. A table is
 * encoded when it comes in. What is not sure here is left to lua/ecmp/fib/route.lua.
 *
 *   route (one of them: key, scope), route_hops, route_attrs  <-  route_compare, route_canonical
 *   <-  route_index  <-  route_group, bulk/route_diff (lists)
 */
#ifndef ECMP_RTNL_ROUTE_H
#define ECMP_RTNL_ROUTE_H

#include "rtnl/codec/encoder.h"
#include "rtnl/view/view.h"

enum {
	HOPS_MAX = 16,	  /* of one route; longer lists are Lua's */
	READER_VALUES = 4 /* on the stack */
};

/* The key of a route in the kernel, and what else tells groups apart. No padding: compared and
 * hashed as bytes. */
struct route_key {
	uint8_t dst[16];
	uint32_t table, metric;
	uint8_t family, length, tos, type, scope, zero[3];
};

struct hop {
	uint8_t via[16];
	uint8_t family; /* of via; 0: none */
	bool onlink;
	uint16_t weight;
	bool says_more;	 /* than where it leads and how much it carries */
	const char *dev; /* kept by the names of the route; NULL: none */
};

/* Interface names of views with this metatable. */
struct view_names {
	const void *metatable;
	int names; /* stack index */
};

/* Reads routes: one for a call from Lua. */
struct route_reader {
	lua_State *L;
	const struct field *proto, *src, *nhid, *pref, *metrics;
	/* bits of fields: those the key is made of, those that name next hops, and some alone */
	uint64_t of_key, of_hops, of_proto, of_scope, of_table, of_from, of_dst;
	struct view_names views[2]; /* that were read last */
	struct encoder encoder;	    /* of tables */
};

/* A route being read. */
struct route {
	int index;	      /* of the table or view on the stack; 0: it is one of a list */
	const struct view *v; /* NULL: a table, encoded in the bytes of the reader */
	const struct buffer *bytes;
	size_t at, length;	    /* of the message, in these */
	int names;		    /* of its interfaces: stack index */
	uint64_t given;		    /* fields that somebody gave; a route of the kernel has all */
	bool unclear;		    /* there are keys that no field has, or a field is wrong */
	uint32_t attr[RTA_MAX + 1]; /* where each attribute is in the message; 0: nowhere */
	struct route_key key;
	int count; /* of hops; -1: not read */
	struct hop hops[HOPS_MAX];
};

enum read_what {
	KEY_ALONE, /* and what implies the scope */
	WHOLE
};

enum verdict {
	SAME,
	DIFFERENT,
	UNSURE /* Lua must compare */
};

/* The value of an attribute, so far as it is read here. */
struct attr_value {
	enum {
		NOTHING,
		NUMBER,
		ADDRESS,
		OTHER
	} type;
	uint32_t number;
	uint8_t address[16];
};

/* An attribute of a route. */
struct route_attr {
	const struct field *f;
	bool metric; /* in the nest of metrics */
	struct attr_value value;
};

/* Returns whether it wants to see more. */
typedef bool attr_fn(void *arg, const struct route_attr *a);

/* --- route ----------------------------------------------------------------------------------- */

/* What does not change from one call to the next, which may be kept. */
void find_route_fields(struct route_reader *r);
/* Names for the interfaces of tables, a buffer for their messages, and room for the names of views.
 * [] -> [READER_VALUES values, used while it reads] */
void start_reading(struct route_reader *r, lua_State *L);
/* The same with names and a buffer that are there. [names, buffer] -> [READER_VALUES values] */
void read_with(struct route_reader *r, lua_State *L);
/* Reads the key of the table or view at `index`; false where that is unclear. */
bool read_route(struct route_reader *r, struct route *route, int index, enum read_what what);
/* The same of a message, whose interfaces have the names at stack index `names`. */
bool read_message(const struct route_reader *r, struct route *route, const struct view *v,
		  int names);
/* The scope, given or implied, of an IPv4 route; part of what tells groups apart. */
void read_scope(const struct route_reader *r, struct route *route);
bool has_hops(const struct route_reader *r, const struct route *route);
const struct view_names *names_of_view(struct route_reader *r, int index);
/* The number in an attribute, or what stands for none. */
uint32_t attr_number(const struct route *route, uint16_t type, uint32_t otherwise);

/* The message, good until another table is encoded. */
static inline const uint8_t *message_of(const struct route *route)
{
	return route->v ? route->v->data : route->bytes->base + route->at;
}

static inline const struct rtmsg *header_of_route(const struct route *route)
{
	return (const void *)message_of(route);
}

static inline const struct nlattr *attr_of(const struct route *route, uint16_t type)
{
	uint32_t at = route->attr[type];
	return at ? (const void *)(message_of(route) + at) : NULL;
}

/* --- route_hops ------------------------------------------------------------------------------ */

/* Reads the next hops of a route that is wanted: false also where the kernel would refuse them or
 * keep others. */
bool read_wanted_hops(struct route_reader *r, struct route *route);
/* The same of a route that is there; their devices only where they matter. */
bool read_held_hops(struct route_reader *r, struct route *route, bool devices);

/* --- route_attrs ----------------------------------------------------------------------------- */

/* Hands on the attributes that are neither key nor hops; false where one of them is not read here,
 * or where the function has seen enough. */
bool each_attr(const struct route_reader *r, const struct route *route, attr_fn *fn, void *arg);
/* The value of a field of the route, or of its metrics. */
struct attr_value value_in_route(const struct route *route, const struct field *f, bool metric);

/* --- route_compare --------------------------------------------------------------------------- */

/* Whether a route that is there can stay for one that is wanted; exactly: what the one leaves out
 * the other may not have either. */
enum verdict compare_routes(struct route_reader *r, struct route *have, struct route *want,
			    bool exactly);

int match_routes(lua_State *L);	  /* Lua: rtnl.match */
int run_of_steps(lua_State *L);	  /* Lua: rtnl.run */
int near_routes(lua_State *L);	  /* Lua: rtnl.near */
int group_routes(lua_State *L);	  /* Lua: rtnl.group */
int push_canonical(lua_State *L); /* Lua: rtnl.canonical */

#endif
