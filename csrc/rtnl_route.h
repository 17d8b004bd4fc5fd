/*
 * Routes read as values, tables and views alike, without making a Lua value of anything: for lists
 * of a million. Only what is written plainly is read; of the rest is said that it was not, and
 * lua/ecmp/identity.lua sees to it, which knows every spelling and has a word for every mistake.
 *
 *   route (one route)  <-  compare (two)  <-  match (lists)
 */
#ifndef ECMP_RTNL_ROUTE_H
#define ECMP_RTNL_ROUTE_H

#include "rtnl.h"

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
	const char *dev; /* kept by the table or the names it is from; NULL: none */
};

/* The fields of a table: keys and values lie on the stack in pairs. */
struct fields {
	int top; /* of the stack before them */
	int count;
	bool strange;				 /* there are keys that no row has */
	uint64_t rows;				 /* that are there */
	uint8_t row[FIELDS_MAX], at[FIELDS_MAX]; /* row of the n-th; which is that of a row */
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
	H_VIA,
	H_DEV,
	H_WEIGHT,
	H_ONLINK,
	H_ENCAP,
	ROUTE_KEYS
};

/* What reads: one for a call from Lua. */
struct route_reader {
	lua_State *L;
	int row[ROUTE_KEYS]; /* where their rows are */
	uint64_t settled;    /* rows that the slot or the next hops stand for */
	struct key_cache keys;
};

/* A route being read. */
struct plain_route {
	int index;	      /* of the table or view on the stack */
	const struct view *v; /* NULL: a table */
	struct fields fields; /* of a table */
	struct slot slot;
	int count; /* of hops; -1: not read */
	struct plain_hop hops[HOPS_MAX];
};

enum verdict {
	SAME,
	DIFFERENT,
	UNSURE /* not written plainly: Lua must compare */
};

/* Reads an address of either family in front of `size` bytes of text; the end, or NULL. */
const char *read_address(const char *text, size_t size, uint8_t bytes[16], uint8_t *family);
void start_reading(struct route_reader *r, lua_State *L);
/* Stack index of the value of a field of a table, or 0. */
int field_value(const struct route_reader *r, const struct plain_route *route, enum route_key key);
/* Reads what the slot needs; false where it is not written plainly. Leaves a table's fields on the
 * stack until its top is set back to fields.top. */
bool read_route(struct route_reader *r, struct plain_route *route, int index);
/* The same for a route that has been read before, whose slot but for its type is known. */
void read_again(struct route_reader *r, struct plain_route *route, int index, struct slot slot);
/* Reads the next hops as well, of a table that is wanted: false also where the kernel would refuse
 * them or keep others. */
bool read_wanted_hops(struct route_reader *r, struct plain_route *route);
/* The same of a route that is there; the devices of a view only where they matter. */
bool read_held_hops(struct route_reader *r, struct plain_route *route, bool devices);
bool read_scope(struct route_reader *r, struct plain_route *route);

enum verdict compare_routes(struct route_reader *r, struct plain_route *have,
			    struct plain_route *want);

int match_routes(lua_State *L); /* Lua: rtnl.match */
int group_routes(lua_State *L); /* Lua: rtnl.group */

#endif
