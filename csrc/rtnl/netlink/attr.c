/*
 * Walks netlink attributes, nests and next hops. Every length is checked; what exceeds its message
 * counts as absent.
 */
#define _GNU_SOURCE
#include "rtnl/netlink/attr.h"

#include <linux/lwtunnel.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

const struct nlattr *find_attr(const struct span *s, uint16_t type)
{
	size_t at = NLA_ALIGN(s->schema->header_size);
	const struct nlattr *a;
	while ((a = attr_at(s->data, s->length, at)) && attr_type(a) != type)
		at += NLA_ALIGN(a->nla_len);
	return a;
}

/* The attributes of a span as bits by their number, below 64. */
uint64_t attrs_of(const struct span *s)
{
	size_t at = NLA_ALIGN(s->schema->header_size);
	const struct nlattr *a;
	uint64_t attrs = 0;
	for (; (a = attr_at(s->data, s->length, at)); at += NLA_ALIGN(a->nla_len))
		if (attr_type(a) < 64)
			attrs |= (uint64_t)1 << attr_type(a);
	return attrs;
}

/* Whether a field is certainly absent: its attribute is not in `attrs`. */
bool is_absent(const struct field *f, uint64_t attrs)
{
	return !(f->flags & (F_HEADER | F_ABSENT0)) && f->attr < 64 && !(attrs >> f->attr & 1) &&
	       f->type != FIELD_PREFIX && f->type != FIELD_VIA && f->type != FIELD_TABLE &&
	       f->type != FIELD_HOPS && f->type != FIELD_BYTES;
}

uint64_t read_uint(const uint8_t *data, size_t size, bool big)
{
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)data[i] << 8 * (big ? size - 1 - i : i);
	return value;
}

/* The integer of an attribute of the field's size; newer kernels send some 4-byte times with 8
 * bytes, and all kernels send small 64-bit counters with 4. */
bool attr_uint(const struct nlattr *a, const struct field *f, uint64_t *value)
{
	size_t size = payload_length(a);
	if (size != f->size && !(f->type == FIELD_SCALED && size == 8) &&
	    !(f->type == FIELD_INT && f->size == 8 && size == 4))
		return false;
	*value = read_uint(payload(a), size, f->flags & F_BE);
	return true;
}

/* The routing table: in the attribute, or in the header where it fits a byte. */
uint32_t table_number(const struct span *s, uint16_t attr, size_t offset)
{
	const struct nlattr *a = find_attr(s, attr);
	if (a && payload_length(a) == 4)
		return (uint32_t)read_uint(payload(a), 4, false);
	return s->data[offset];
}

int span_family(const uint8_t *data, size_t length)
{
	return length > 0 ? data[0] : 0;
}

/* --- nests ------------------------------------------------------------------------------------ */

static const struct field no_rows[] = {{.type = FIELD_NONE}};
static const struct schema payload_only = {"", 0, no_rows};

/* No message of the kernel nests deeper; a forged one could exhaust the stack. */
static bool too_deep(const struct span *s)
{
	int depth = 0;
	for (; s; s = s->outer)
		depth++;
	return depth > 16;
}

bool span_of_nest(const struct span *s, const struct field *f, struct span *inner)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (!a || too_deep(s))
		return false;
	*inner = (struct span){f->sub ? sub_schema(f) : &payload_only, payload(a),
			       payload_length(a), s->family, s};
	return true;
}

const struct variant *encap_of(const struct span *s, const struct field *f)
{
	const struct nlattr *type = find_attr(s, f->offset);
	if (!type || payload_length(type) != 2)
		return NULL;
	const struct variant *v =
		variant_by_number(f, (uint16_t)read_uint(payload(type), 2, false));
	return v ? v : &encap_other;
}

/* The variant of a type-selected field: selected by the text of the field before. */
const struct variant *union_of(const struct span *s, const struct field *f)
{
	const struct nlattr *name = find_attr(s, f[-1].attr);
	if (!name || payload_length(name) == 0 || payload(name)[payload_length(name) - 1] != 0)
		return NULL;
	return variant_by_name(f, (const char *)payload(name));
}

/* Iterates over an RTA_MULTIPATH; false at its end or at a wrong length. */
bool next_hop(struct hop_cursor *c, struct span *hop)
{
	if (c->left < sizeof(struct rtnexthop))
		return false;
	uint16_t length = (uint16_t)read_uint(c->data, 2, false);
	if (length < sizeof(struct rtnexthop) || length > c->left)
		return false;
	*hop = (struct span){c->schema, c->data, length, c->outer->family, c->outer};
	size_t step = (size_t)NLA_ALIGN(length);
	c->data += step;
	c->left = step < c->left ? c->left - step : 0;
	return true;
}

struct hop_cursor hops_of(const struct span *s, const struct field *f)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (!a)
		return (struct hop_cursor){NULL, 0, sub_schema(f), s};
	return (struct hop_cursor){payload(a), payload_length(a), sub_schema(f), s};
}

/* Iterates over the structures in attributes of the field's number; `at` starts as 0. */
bool next_struct(const struct span *s, const struct field *f, size_t *at, struct span *one)
{
	const struct nlattr *a;
	if (*at == 0)
		*at = NLA_ALIGN(s->schema->header_size);
	while ((a = attr_at(s->data, s->length, *at))) {
		*at += NLA_ALIGN(a->nla_len);
		if (attr_type(a) != f->attr || payload_length(a) < sub_schema(f)->header_size)
			continue;
		*one = (struct span){sub_schema(f), payload(a), payload_length(a), s->family, s};
		return true;
	}
	return false;
}

/* Whether the routing header is inserted into the packet (mode inline, action End.B6): then the
 * last segment is a placeholder for the packet's destination. */
bool is_inline(const struct span *s)
{
	const struct nlattr *a = find_attr(s, SEG6_IPTUNNEL_SRH);
	const struct field *first = s->schema->fields;
	uint64_t value;
	if (first->type == FIELD_SEGMENTS)
		return first->words && a && payload_length(a) >= first->size &&
		       read_uint(payload(a), first->size, false) == SEG6_IPTUN_MODE_INLINE;
	a = find_attr(s, SEG6_LOCAL_ACTION);
	return a && attr_uint(a, first, &value) && value == SEG6_LOCAL_ACTION_END_B6;
}
