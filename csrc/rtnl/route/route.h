/*
 * Routes read as values, tables and views alike, without making a Lua value of anything: for lists
 * of a million. Only what is written plainly is read; of the rest is said that it was not, and
 * lua/ecmp/fib/route.lua sees to it, which knows every alias and has a word for every mistake.
 *
 *   route_table, route_view  <-  route, said (one route)  <-  canonical, compare (two)
 *   <-  slots  <-  group, match (lists)
 */
#ifndef ECMP_RTNL_ROUTE_H
#define ECMP_RTNL_ROUTE_H

#include "rtnl/base/key_index.h"
#include "rtnl/view/view.h"

enum {
	FIELDS_MAX = 64, /* of one table */
	HOPS_MAX = 16	 /* of one route; longer lists are Lua's */
};

/* The place a route takes in the kernel's table, and what else tells groups apart. No padding:
 * compared and hashed as bytes. */
struct slot {
	uint8_t dst[16];
	uint32_t table, metric;
	uint8_t family, length, tos, type, scope, zero[3];
};

struct plain_hop {
	uint8_t via[16];
	uint8_t family; /* of via; 0: none */
	bool onlink;
	uint16_t weight;
	bool says_more;	 /* than where it leads and how much it carries */
	const char *dev; /* kept by the table or the names it is from; NULL: none */
};

/* The fields of a table: keys and values lie on the stack in pairs. */
struct fields {
	int top; /* of the stack before them */
	int count;
	bool strange;				   /* there are keys that no field has */
	uint64_t fields;			   /* that are there */
	uint8_t field[FIELDS_MAX], at[FIELDS_MAX]; /* field of the n-th; which is that of a field */
};

/* The fields that are read here, of routes and of next hops. */
enum route_key {
	R_FAMILY,
	R_DST,
	R_TABLE,
	R_METRIC,
	R_TOS,
	R_TYPE,
	R_VIA,
	R_DEV,
	R_ONLINK,
	R_NEXTHOPS, /* up to here the slot or the next hops stand for them */
	R_FROM,
	R_SCOPE,
	R_NHID,
	R_ENCAP,
	R_PROTO,
	R_SRC,
	R_PREF,
	H_VIA,
	H_DEV,
	H_WEIGHT,
	H_ONLINK,
	H_ENCAP,
	ROUTE_KEYS
};

/* The views of one operation share a metatable and the names of their interfaces. */
struct kin {
	const void *metatable;
	int names; /* stack index */
};

/* What reads: one for a call from Lua. */
struct route_reader {
	lua_State *L;
	const struct field *field[ROUTE_KEYS];
	uint8_t number[ROUTE_KEYS]; /* of these among the fields of their schema */
	uint64_t settled;	    /* fields that the slot or the next hops stand for */
	const struct field *metrics;
	struct kin kin[2]; /* of the views that were read last */
	struct key_cache keys;
};

/* A route being read. */
struct plain_route {
	int index;		    /* of the table or view on the stack */
	const struct view *v;	    /* NULL: a table */
	int names;		    /* of a view: stack index */
	uint32_t attr[RTA_MAX + 1]; /* of a view: where each attribute is; 0: nowhere */
	struct fields fields;	    /* of a table */
	struct slot slot;
	int count; /* of hops; -1: not read */
	struct plain_hop hops[HOPS_MAX];
};

enum verdict {
	SAME,
	DIFFERENT,
	UNSURE /* not written plainly: Lua must compare */
};

/* What a field says, so far as it is read here. */
struct plain_value {
	enum {
		NOTHING,
		NUMBER,
		ADDRESS,
		ODD /* something else */
	} type;
	uint32_t number;
	uint8_t address[16];
};

/* What a route says of one field. */
struct said {
	const struct field *f;
	bool metric; /* in the nest of metrics */
	struct plain_value value;
};

/* Returns whether it wants to hear more. */
typedef bool said_fn(void *arg, const struct said *one);

/* What does not change from one call to the next, which may be kept. */
void know_rows(struct route_reader *r);
void start_reading(struct route_reader *r, lua_State *L); /* [] -> [nil, nil]: kept for names */
/* Reads what the slot needs; false where it is not written plainly. Leaves a table's fields on the
 * stack until its top is set back to fields.top. */
bool read_route(struct route_reader *r, struct plain_route *route, int index);
/* The same of a message, whose interfaces have the names at stack index `names`. */
bool read_message(struct route_reader *r, struct plain_route *route, const struct view *v,
		  int names);
/* The same for a route that has been read before, whose slot but for its type is known. */
void read_again(struct route_reader *r, struct plain_route *route, int index, struct slot slot);
/* Reads the next hops of a route that is wanted: false also where the kernel would refuse them or
 * keep others. */
bool read_wanted_hops(struct route_reader *r, struct plain_route *route);
/* The same of a route that is there; the devices of a view only where they matter. */
bool read_held_hops(struct route_reader *r, struct plain_route *route, bool devices);
/* The scope, said or implied, of an IPv4 route; part of what tells groups apart. */
bool read_scope(struct route_reader *r, struct plain_route *route);
bool says_scope(const struct route_reader *r, const struct plain_route *route);

/* --- tables ---------------------------------------------------------------------------------- */

/* Stack index of the value of a field of a table, or 0. */
int field_value(const struct route_reader *r, const struct plain_route *route, enum route_key key);
void fields_of_table(struct route_reader *r, struct plain_route *route);
bool slot_of_table(struct route_reader *r, struct plain_route *route);
bool hops_of_table(struct route_reader *r, struct plain_route *route);
/* A number, or a word of the field; absent leaves *to as it is. */
bool read_number(struct route_reader *r, const struct plain_route *route, enum route_key key,
		 uint32_t *to);
/* The field of the n-th field, in a nest where it stands there. */
const struct field *row_of_field(struct route_reader *r, const struct plain_route *route, int n);
struct plain_value value_in_table(const struct route_reader *r, const struct plain_route *route,
				  const struct field *f, int value);

/* --- views ----------------------------------------------------------------------------------- */

const struct view *known_view(struct route_reader *r, int index, int *names);
bool slot_of_view(struct plain_route *route);
bool hops_of_view(struct route_reader *r, struct plain_route *route, bool devices);
/* Whether the header says what a route of the kernel's does: one made of a table that leaves its
 * table or type out has no scope that anybody chose. */
bool is_whole(const struct plain_route *route);
/* What a field says, of the route or of its metrics; of an attribute by itself. */
struct plain_value value_in_view(const struct plain_route *route, const struct field *f,
				 bool metric);
struct plain_value value_of_attr(const struct field *f, const struct nlattr *a, uint8_t family);
const struct nlattr *attr_of(const struct plain_route *route, uint16_t type);

static inline const struct rtmsg *header_of_route(const struct view *v)
{
	return (const void *)v->data;
}

/* --- both ------------------------------------------------------------------------------------ */

/* Types whose next hops are none, whatever the kernel shows of them. */
static inline bool is_blackhole_type(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT ||
	       type == RTN_THROW;
}

bool has_hops(const struct route_reader *r, const struct plain_route *route);
void mask_bytes(uint8_t *bytes, size_t size, unsigned length);
bool is_v4_mapped(const uint8_t *bytes); /* an IPv6 address that stands for an IPv4 one */
void set_metric(struct slot *s, uint32_t metric);
/* The table of a route that names none. */
uint32_t table_of_type(uint32_t type);

/* Tells what a route says beside its slot, its scope and its next hops; false where something of it
 * is not read here, or where the listener has heard enough. */
bool each_said(struct route_reader *r, const struct plain_route *route, said_fn *fn, void *arg);

/* Exactly: what the one leaves out the other may not have either. */
enum verdict compare_routes(struct route_reader *r, struct plain_route *have,
			    struct plain_route *want, bool exactly);

int match_routes(lua_State *L);	  /* Lua: rtnl.match */
int run_of_steps(lua_State *L);	  /* Lua: rtnl.run */
int near_routes(lua_State *L);	  /* Lua: rtnl.near */
int group_routes(lua_State *L);	  /* Lua: rtnl.group */
int push_canonical(lua_State *L); /* Lua: rtnl.canonical */

#endif
