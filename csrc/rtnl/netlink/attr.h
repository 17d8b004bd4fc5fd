/*
 * Walks the attributes of a message; every length is checked.
 */
#ifndef ECMP_RTNL_NETLINK_ATTR_H
#define ECMP_RTNL_NETLINK_ATTR_H

#include "rtnl/schema/field.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

/* A header and its attributes, with the schema to decode them. */
struct span {
	const struct schema *schema;
	const uint8_t *data;
	size_t length;
	int family;
	const struct span *outer;
};

/* The attribute at `at`, or NULL. Attributes are 4-byte aligned in all our buffers, so the header
 * is read in place. */
static inline const struct nlattr *attr_at(const uint8_t *data, size_t length, size_t at)
{
	const struct nlattr *a = (const struct nlattr *)(const void *)(data + at);
	if (at + NLA_HDRLEN > length || a->nla_len < NLA_HDRLEN || a->nla_len > length - at)
		return NULL;
	return a;
}

static inline uint16_t attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline const uint8_t *payload(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

static inline size_t payload_length(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

const struct nlattr *find_attr(const struct span *s, uint16_t type);
uint64_t attrs_of(const struct span *s);
bool is_absent(const struct field *f, uint64_t attrs);
int span_family(const uint8_t *data, size_t length);
uint64_t read_uint(const uint8_t *data, size_t size, bool big);
uint32_t table_number(const struct span *s, uint16_t attr, size_t offset);
bool attr_uint(const struct nlattr *a, const struct field *f, uint64_t *value);
const struct variant *encap_of(const struct span *s, const struct field *f);
bool is_inline(const struct span *s); /* of a seg6 or seg6local encap */
const struct variant *union_of(const struct span *s, const struct field *f);
bool span_of_nest(const struct span *s, const struct field *f, struct span *inner);

struct hop_cursor {
	const uint8_t *data;
	size_t left;
	const struct schema *schema;
	const struct span *outer;
};

struct hop_cursor hops_of(const struct span *s, const struct field *f);
bool next_hop(struct hop_cursor *c, struct span *hop);
bool next_struct(const struct span *s, const struct field *f, size_t *at, struct span *one);

#endif
