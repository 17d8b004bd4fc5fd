/*
 * Turns a message of the kernel into a request, without what only the kernel sets.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <linux/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* The field of an attribute; of several fields one that may be sent: IFA_ADDRESS has one that may
 * not. */
static const struct field *field_of_attr(const struct schema *schema, uint16_t type)
{
	const struct field *found = NULL;
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++)
		if (!(f->flags & F_HEADER) && f->attr == type &&
		    (!found || found->flags & F_READONLY))
			found = f;
	return found;
}

/* Clears flags that only the kernel sets, and numbers that it refuses (a next-hop object's scope).
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
	struct span route = {.schema = &schema_route}, hop;
	struct hop_cursor cursor = {data, length, &schema_hop, &route};
	while (next_hop(&cursor, &hop))
		clear_readonly(data + (hop.data - data), &schema_hop);
}

/* Appends a nest without the attributes that only the kernel sets, and without empty ones that only
 * pad (64-bit values on some architectures). */
static void copy_nest(struct encoder *e, const struct field *f, uint16_t type, const uint8_t *data,
		      size_t length)
{
	size_t nest = open_attr(e, type);
	const struct nlattr *a;
	for (size_t at = 0; (a = attr_at(data, length, at)); at += NLA_ALIGN(a->nla_len)) {
		const struct field *inner = field_of_attr(sub_schema(f), attr_type(a));
		if (inner ? !(inner->flags & F_READONLY) : payload_length(a) > 0)
			put(e, a->nla_type, payload(a), payload_length(a));
	}
	close_attr(e, nest, f->key);
}

/* Whether a deletion of the view's route would match multipath routes as well: IPv4 compares with
 * their first next hop alone. */
static bool matches_multipath(const struct encoder *e, const struct span *s)
{
	return e->verb == VERB_DEL && s->schema == &schema_route && s->family == AF_INET &&
	       ((const struct rtmsg *)(const void *)s->data)->rtm_type == RTN_UNICAST &&
	       !find_attr(s, RTA_MULTIPATH) && !find_attr(s, RTA_NH_ID) &&
	       !find_attr(s, RTA_ENCAP) &&
	       (find_attr(s, RTA_GATEWAY) || find_attr(s, RTA_VIA) || find_attr(s, RTA_OIF));
}

/*
 * Appends the message of a view as a request. The kernel reports a route of a next-hop object with
 * both the object's id and its next hops, and takes only one of them: the id is kept.
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
	if (by_id &&
	    e->verb == VERB_DEL) /* reported is the object's type, compared the route's own */
		((struct rtmsg *)(void *)header_of(e, e->start))->rtm_type = RTN_UNSPEC;
	const struct nlattr *a;
	for (size_t at = schema->header_size; (a = attr_at(data, length, at));
	     at += NLA_ALIGN(a->nla_len)) {
		uint16_t type = attr_type(a);
		const struct field *f = field_of_attr(schema, type);
		bool alias = schema == &schema_route && (type == RTA_VIA || type == RTA_ENCAP_TYPE);
		bool of_object =
			by_id && (type == RTA_MULTIPATH || type == RTA_GATEWAY || type == RTA_OIF ||
				  type == RTA_VIA || type == RTA_ENCAP || type == RTA_ENCAP_TYPE);
		bool sent = !of_object && (alias || (f && !(f->flags & (F_READONLY | F_QUERY))));
		if (sent && f && f->type == FIELD_NEST && sub_schema(f)) {
			copy_nest(e, f, a->nla_type, payload(a), payload_length(a));
		} else if (sent) {
			put(e, a->nla_type, payload(a), payload_length(a));
			if (f && f->type == FIELD_HOPS)
				clear_hops(written(e, e->start + schema->header_size, type),
					   payload_length(a));
		}
	}
	if (matches_multipath(e, &s))
		list_one_hop(e);
}
