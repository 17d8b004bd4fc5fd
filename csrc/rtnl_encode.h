/*
 * The inside of the encoder: what its files share.
 *
 *   build (errors, attributes)  <-  plain, nested (one writer per kind)  <-  encode (tables)  ->
 * defaults
 */
#ifndef ECMP_RTNL_ENCODE_H
#define ECMP_RTNL_ENCODE_H

#include "rtnl.h"

enum {
	ATTR_MAX = 65535, /* bytes an attribute can say it has */
	SELECTOR = 63	  /* stands for the `type` of an encapsulation, which has no row */
};

/* What a table gives: its rows, and where on the stack the value of each lies. */
struct given {
	uint64_t rows;
	int top; /* of the stack before the values */
	int at[64];
};

/* The place a value goes to. */
struct place {
	size_t header; /* offset in the arena of the header in force */
	size_t attrs;  /* offset in the arena of its first attribute */
	int table;     /* stack index of the Lua table being written */
};

/* build: errors with the path of the field, attributes */
__attribute__((noreturn)) void fail(struct encoder *e, const char *key, const char *format, ...);
void enter(struct encoder *e, const char *key, int index);
void leave(struct encoder *e);
const char *shown(struct encoder *e); /* [v] -> [v, text] */
void expect(struct encoder *e, const struct field *f, int type, const char *what);
uint8_t *put_room(struct encoder *e, uint16_t type, size_t length);
void put(struct encoder *e, uint16_t type, const void *data, size_t length);
size_t open_attr(struct encoder *e, uint16_t type);
void close_attr(struct encoder *e, size_t at, const char *key);
uint8_t *header_of(struct encoder *e, size_t at);
uint8_t *written(struct encoder *e, size_t from, uint16_t type);
void store_uint(uint8_t *to, uint64_t value, size_t size, bool big);

/* plain: kinds that hold one value */
typedef void put_fn(struct encoder *e, const struct place *p, const struct field *f);

put_fn put_int, put_signed, put_scaled, put_hex, put_bit, put_bits, put_flag, put_boolean,
	put_string, put_address, put_prefix, put_via, put_lladdr, put_ifindex, put_weight,
	put_table, put_realm, put_range, put_member, put_netns;
uint64_t check_uint(struct encoder *e, const struct field *f, uint64_t max);
int address_size(int family);

/* nested: kinds that hold others, and the choice of the writer; [value] -> [value] */
void put_field(struct encoder *e, const struct place *p, const struct field *f);

/* encode: tables */
void collect(struct encoder *e, const struct schema *schema, int table, struct given *g);
void put_rows(struct encoder *e, const struct place *p, const struct schema *schema,
	      const struct given *g);

/* defaults: what iproute2 fills in */
void fill_in(struct encoder *e, const struct schema *schema, const struct given *g);

#endif
