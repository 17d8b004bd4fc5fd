/*
 * Views given back: a message of the kernel as a request, without what only the kernel sets.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <linux/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* The field of an attribute; of several, one that may be sent: an IPv6 address is read by a field
 * that may not. */
static const struct field *field_of_attr(const struct schema *schema, uint16_t type)
{
	const struct field *found = NULL;
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++)
		if (!(f->flags & F_HEADER) && f->attr == type &&
		    (!found || found->flags & F_READONLY))
			found = f;
	return found;
}

/* Bits that the kernel sets, and numbers with words (a next-hop object's scope), which it refuses.
 */
static void clear_readonly(uint8_t *header, const struct schema *schema)
{
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++) {
		bool number = f->type == FIELD_INT && f->words;
		uint32_t kept = number ? 0 : ~f->mask;

		if (!(f->flags & F_HEADER) || !(f->flags & F_READONLY) ||
		    (f->type != FIELD_BIT && !number))
			continue;
		store_uint(header + f->offset, read_uint(header + f->offset, f->size, false) & kept,
			   f->size, false);
	}
}

static void clear_hops(uint8_t *data, size_t length)
{
	while (length >= sizeof(struct rtnexthop)) {
		uint16_t n;
		memcpy(&n, data, sizeof(n));
		if (n < sizeof(struct rtnexthop) || n > length)
			return;
		clear_readonly(data, &schema_hop);
		size_t step = NLA_ALIGN(n);
		if (step >= length)
			return;
		data += step;
		length -= step;
	}
}

/*
 * Appends nested attributes, without those that only the kernel sets, and without the empty ones
 * that some processors want before a number of eight bytes.
 */
static void copy_nest(struct encoder *e, const struct field *f, uint16_t type, const uint8_t *data,
		      size_t length)
{
	size_t nest = open_attr(e, type);
	for (size_t at = 0; at + NLA_HDRLEN <= length;) {
		struct nlattr attr;
		memcpy(&attr, data + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > length - at)
			break;
		const struct field *inner =
			field_of_attr(sub_schema(f), attr.nla_type & NLA_TYPE_MASK);
		if (inner ? !(inner->flags & F_READONLY) : attr.nla_len > NLA_HDRLEN)
			memcpy(put_room(e, attr.nla_type, attr.nla_len - NLA_HDRLEN),
			       data + at + NLA_HDRLEN, attr.nla_len - NLA_HDRLEN);
		at += NLA_ALIGN(attr.nla_len);
	}
	close_attr(e, nest, f->key);
}

/* Whether a request to delete what a view holds would fit a route of several hops, too: IPv4 looks
 * at the first alone. */
static bool matches_several(const struct encoder *e, const struct span *s)
{
	return e->verb == VERB_DEL && s->schema == &schema_route && s->family == AF_INET &&
	       ((const struct rtmsg *)(const void *)s->data)->rtm_type == RTN_UNICAST &&
	       !find_attr(s, RTA_MULTIPATH) && !find_attr(s, RTA_NH_ID) &&
	       !find_attr(s, RTA_ENCAP) &&
	       (find_attr(s, RTA_GATEWAY) || find_attr(s, RTA_VIA) || find_attr(s, RTA_OIF));
}

/*
 * Appends what a view holds, without what only the kernel sets. Routes of a next-hop object come
 * back with the hops of the object beside its id; the kernel takes either, not both,
 * so the id is kept.
 */
void encode_view(struct encoder *e, const struct schema *schema, const uint8_t *data, size_t length)
{
	struct span s = {.schema = schema,
			 .data = data,
			 .length = length,
			 .family = span_family(data, length)};
	bool by_id = schema == &schema_route && find_attr(&s, RTA_NH_ID);
	e->start = e->out->length;
	e->family = s.family;
	memcpy(buffer_reserve(e->L, e->out, schema->header_size), data, schema->header_size);
	clear_readonly(header_of(e, e->start), schema);
	if (by_id && e->verb == VERB_DEL) /* it tells the object's type, and compares its own */
		((struct rtmsg *)(void *)header_of(e, e->start))->rtm_type = RTN_UNSPEC;
	for (size_t at = schema->header_size; at + NLA_HDRLEN <= length;) {
		struct nlattr attr;
		memcpy(&attr, data + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > length - at)
			return;
		uint16_t type = attr.nla_type & NLA_TYPE_MASK;
		const struct field *f = field_of_attr(schema, type);
		bool alias = schema == &schema_route && (type == RTA_VIA || type == RTA_ENCAP_TYPE);
		bool of_object =
			by_id && (type == RTA_MULTIPATH || type == RTA_GATEWAY || type == RTA_OIF ||
				  type == RTA_VIA || type == RTA_ENCAP || type == RTA_ENCAP_TYPE);
		bool sent = !of_object && (alias || (f && !(f->flags & (F_READONLY | F_QUERY))));
		if (sent && f && f->type == FIELD_NEST && sub_schema(f)) {
			copy_nest(e, f, attr.nla_type, data + at + NLA_HDRLEN,
				  attr.nla_len - NLA_HDRLEN);
		} else if (sent) {
			uint8_t *room = put_room(e, attr.nla_type, attr.nla_len - NLA_HDRLEN);
			memcpy(room, data + at + NLA_HDRLEN, attr.nla_len - NLA_HDRLEN);
			if (f && f->type == FIELD_HOPS)
				clear_hops(room, attr.nla_len - NLA_HDRLEN);
		}
		at += NLA_ALIGN(attr.nla_len);
	}
	if (matches_several(e, &s))
		list_one_hop(e);
}
