/*
 * What the files of the encoder share.
 *
 *   encode_attr (errors, attributes)  <-  encode_value, encode_nested (one writer for each type of
 *   field)  <-  encode (messages)  ->  defaults
 */
#ifndef ECMP_RTNL_ENCODE_H
#define ECMP_RTNL_ENCODE_H

#include "rtnl/base/error.h"
#include "rtnl/codec/encoder.h"
#include "rtnl/codec/value.h"

#include <sys/socket.h>

enum {
	ATTR_MAX = 65535, /* nla_len has 16 bits */
	TYPE_KEY = 63	  /* number of the key `type` of an encapsulation, which has no field */
};

/* The fields of an input as bits, and where the value of each is: on the stack or in the buffer of
 * parsed text. */
struct collected {
	uint64_t fields;
	int top; /* of the stack before the values */
	uint32_t at[64];
};

/* Where fields are written, and the input that they come from. */
struct cursor {
	size_t header; /* offset in the buffer of the innermost header */
	size_t attrs;  /* offset in the buffer of its first attribute */
	struct value in;
};

/* encode_attr: errors with the path of the field, attributes */
__attribute__((noreturn)) void fail(struct encoder *e, const char *key, const char *format, ...);
__attribute__((noreturn)) void too_deep(struct encoder *e, const char *key);
__attribute__((noreturn)) void unexpected(struct encoder *e, const struct field *f,
					  const struct value *v, const char *what);
const char *type_name(struct encoder *e, const struct value *v);
const char *shown(struct encoder *e, const struct value *v); /* [] -> [text] */
void check_text(struct encoder *e, const char *key, const struct value *v);
size_t open_attr(struct encoder *e, uint16_t type);
void close_attr(struct encoder *e, size_t at, const char *key);
uint8_t *written(struct encoder *e, size_t from, uint16_t type);
void store_uint(uint8_t *to, uint64_t value, size_t size, bool big);
void list_one_hop(struct encoder *e); /* defaults */

static inline void enter(struct encoder *e, const char *key, int index)
{
	if (e->depth == (int)(sizeof(e->path) / sizeof(e->path[0])))
		too_deep(e, key);
	e->path[e->depth++] = (struct step){key, index};
}

static inline void leave(struct encoder *e)
{
	e->depth--;
}

static inline void expect(struct encoder *e, const struct field *f, const struct value *v,
			  enum value_type type, const char *what)
{
	if (v->type != type)
		unexpected(e, f, v, what);
}

static inline uint8_t *header_of(struct encoder *e, size_t at)
{
	return e->out->base + at;
}

/* Appends an attribute whose payload the caller writes; the padding is zeroed. */
static inline uint8_t *put_head(struct encoder *e, uint16_t type, size_t length)
{
	size_t whole = NLA_HDRLEN + NLA_ALIGN(length);
	uint8_t *room = buffer_room(e->L, e->out, whole);
	struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
	memset(room + whole - 4, 0, 4);
	memcpy(room, &attr, sizeof(attr));
	return room + NLA_HDRLEN;
}

/* The same, with a zeroed payload. */
static inline uint8_t *put_room(struct encoder *e, uint16_t type, size_t length)
{
	return memset(put_head(e, type, length), 0, length);
}

static inline void put(struct encoder *e, uint16_t type, const void *data, size_t length)
{
	uint8_t *payload = put_head(e, type, length);
	if (length == 4) /* the usual length: compiled to one store */
		memcpy(payload, data, 4);
	else
		memcpy(payload, data, length);
}

/* encode_value: types that hold one value */
typedef void put_fn(struct encoder *e, const struct cursor *p, const struct field *f,
		    const struct value *v);

put_fn put_int, put_signed, put_scaled, put_hex, put_bit, put_bits, put_flag, put_boolean,
	put_string, put_address, put_prefix, put_via, put_lladdr, put_ifindex, put_weight,
	put_table, put_option, put_ttl, put_realm, put_range, put_member, put_netns, put_units,
	put_ratio, put_bytes;
uint64_t check_uint(struct encoder *e, const struct field *f, const struct value *v, uint64_t max);

/* encode_nested: types that hold others, and the table of encoders */
put_fn put_field;

/* encode_fields: the fields of a table or of parsed text */
struct value get_value(struct encoder *e, const struct value *in, const char *key);
void collect(struct encoder *e, const struct schema *schema, const struct value *in,
	     struct collected *g);
/* The value of a collected field. */
static inline struct value collected_value(struct encoder *e, const struct value *in,
					   const struct collected *g, int field)
{
	uint32_t at = g->at[field];
	return in->type == VALUE_PART ? part_next(e->parts, &at, NULL) : lua_value(e->L, (int)at);
}

void put_collected(struct encoder *e, const struct cursor *p, const struct schema *schema,
		   const struct collected *g);

/* The elements of a list, one after the other. */
struct elements {
	struct value list;
	int count;     /* of those that were returned */
	int top;       /* of the stack below an element */
	uint32_t next; /* of a part */
};

struct elements elements_of(struct encoder *e, const struct value *list);
/* False behind the last; raises, naming `key`, where the list has other keys or a hole. */
bool next_element(struct encoder *e, struct elements *it, const char *key, struct value *v);
int count_elements(struct encoder *e, const struct value *list, const char *key);

/* defaults: as ip(8) fills them in */
void fill_defaults(struct encoder *e, const struct schema *schema, const struct collected *g);

#endif
