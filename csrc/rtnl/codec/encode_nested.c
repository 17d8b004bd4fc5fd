/*
 * Encodes fields that hold others: nests, next hops, groups, encapsulations. Also the table of all
 * encoders.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include "common/addr.h"

#include <linux/ipv6.h>
#include <linux/mpls_iptunnel.h>
#include <linux/nexthop.h>
#include <linux/seg6.h>
#include <linux/seg6_hmac.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static void put_fields(struct encoder *e, const struct cursor *p, const struct field *fields);

void put_collected(struct encoder *e, const struct cursor *p, const struct schema *schema,
		   const struct collected *g)
{
	for (uint64_t left = g->fields & ~((uint64_t)1 << TYPE_KEY); left; left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->fields[i];
		struct value v = {.type = VALUE_NONE};
		if (*f->key && (f->type == FIELD_NEST || f->type == FIELD_UNION))
			v = get_value(e, &p->in, f->key); /* collected under its inner keys */
		else if (*f->key)
			v = collected_value(e, &p->in, g, i);
		put_field(e, p, f, &v);
	}
}

/* Collects and writes the fields of p->in. */
static void put_input(struct encoder *e, const struct cursor *p, const struct schema *schema)
{
	struct collected g;
	collect(e, schema, &p->in, &g);
	put_collected(e, p, schema, &g);
	lua_settop(e->L, g.top);
}

static void put_nest(struct encoder *e, const struct cursor *p, const struct field *f,
		     const struct value *v)
{
	size_t at = open_attr(e, f->attr | (f->flags & F_NESTED ? NLA_F_NESTED : 0));
	struct cursor inner = {p->header, e->out->length, p->in};
	(void)v;
	put_fields(e, &inner, sub_schema(f)->fields);
	if (e->out->length == inner.attrs)
		e->out->length = at; /* no field of a nested nest was given */
	else
		close_attr(e, at, f->key);
}

/* Writes those of the fields that the input has: a flattened nest, whose outer schema has rejected
 * unknown keys. */
static void put_fields(struct encoder *e, const struct cursor *p, const struct field *fields)
{
	int top = lua_gettop(e->L);
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		struct value v = {.type = VALUE_NONE};
		if (repeats_key(fields, f) && f->type == f[-1].type)
			continue; /* the attribute of the other family, written with the first */
		if (*f->key)
			v = get_value(e, &p->in, f->key);
		if (*f->key ? v.type != VALUE_NONE : f->type == FIELD_NEST)
			put_field(e, p, f, &v);
		lua_settop(e->L, top);
	}
}

static void put_union(struct encoder *e, const struct cursor *p, const struct field *f,
		      const struct value *v)
{
	const struct variant *chosen = is_text(v) ? variant_by_name(f, v->text) : NULL;
	if (!chosen || chosen->schema->fields[0].type == FIELD_NONE)
		return;
	size_t at = open_attr(e, f->attr);
	struct cursor inner = {p->header, e->out->length, p->in};
	put_fields(e, &inner, chosen->schema->fields);
	if (e->out->length == inner.attrs)
		e->out->length = at; /* no empty attribute */
	else
		close_attr(e, at, f->key);
}

static void put_hop(struct encoder *e, const struct field *f, int index, const struct value *v)
{
	enter(e, f->key, index);
	if (!has_fields(v))
		fail(e, NULL, "table expected, got %s", type_name(e, v));
	size_t header = e->out->length;
	buffer_reserve(e->L, e->out, sizeof(struct rtnexthop));
	struct cursor inner = {header, e->out->length, *v};
	put_input(e, &inner, sub_schema(f));
	size_t length = e->out->length - header;
	if (length > ATTR_MAX)
		fail(e, NULL, "takes more bytes than a message has room for");
	uint16_t n = (uint16_t)length;
	memcpy(header_of(e, header) + offsetof(struct rtnexthop, rtnh_len), &n, sizeof(n));
	leave(e);
}

static void put_hops(struct encoder *e, const struct cursor *p, const struct field *f,
		     const struct value *v)
{
	(void)p;
	if (!has_fields(v))
		unexpected(e, f, v, "list of next hops");
	size_t at = open_attr(e, f->attr);
	struct elements it = elements_of(e, v);
	for (struct value hop; next_element(e, &it, f->key, &hop);) {
		size_t length = e->out->length;
		put_hop(e, f, it.count, &hop);
		if (e->out->length - at <= ATTR_MAX || !e->may_drop)
			continue;
		e->out->length = length;
		e->dropped++;
	}
	if (it.count == 0)
		fail(e, f->key, "an empty list: a route needs at least one next hop");
	close_attr(e, at, f->key);
}

/* { { id = 1, weight = 2 }, 3 }: weights of 16 bits on newer kernels. */
static void put_group(struct encoder *e, const struct cursor *p, const struct field *f,
		      const struct value *v)
{
	(void)p;
	if (!has_fields(v))
		unexpected(e, f, v, "list of next-hop ids");
	size_t at = open_attr(e, f->attr);
	struct elements it = elements_of(e, v);
	for (struct value one; next_element(e, &it, f->key, &one);) {
		lua_Integer id;
		enter(e, f->key, it.count);
		size_t header = e->out->length;
		uint8_t *member = buffer_reserve(e->L, e->out, sub_schema(f)->header_size);
		if (has_fields(&one)) {
			struct cursor inner = {header, e->out->length, one};
			put_input(e, &inner, sub_schema(f));
			member = header_of(e, header);
		} else {
			if (!whole_number(&one, &id) || id < 1 || id > UINT32_MAX)
				fail(e, NULL, "id of a next hop expected, got %s", shown(e, &one));
			store_uint(member, (uint64_t)id, 4, false);
		}
		if (read_uint(member, 4, false) == 0)
			fail(e, "id", "missing");
		leave(e);
	}
	close_attr(e, at, f->key);
}

/* An attribute that holds a structure and the attributes behind it. */
static void put_structure(struct encoder *e, const struct field *f, int index,
			  const struct value *v)
{
	enter(e, f->key, index);
	if (!has_fields(v))
		fail(e, NULL, "table expected, got %s", type_name(e, v));
	size_t at = open_attr(e, f->attr);
	size_t header = e->out->length;
	buffer_reserve(e->L, e->out, sub_schema(f)->header_size);
	struct cursor inner = {header, e->out->length, *v};
	put_input(e, &inner, sub_schema(f));
	close_attr(e, at, f->key);
	leave(e);
}

/* { { vid = 10, pvid = true }, { vid = 20 } }: a structure each, in attributes of one number. */
static void put_structs(struct encoder *e, const struct cursor *p, const struct field *f,
			const struct value *v)
{
	(void)p;
	if (!has_fields(v))
		unexpected(e, f, v, "list of tables");
	struct elements it = elements_of(e, v);
	for (struct value one; next_element(e, &it, f->key, &one);)
		put_structure(e, f, it.count, &one);
}

/* The type of an encapsulation: a word, or a number, which may have no word. */
static const struct variant *check_encap(struct encoder *e, const struct field *f,
					 const struct value *in, uint16_t *number)
{
	struct value type = get_value(e, in, "type");
	const struct variant *v = NULL;
	lua_Integer n;
	if (type.type == VALUE_NONE)
		fail(e, "type", "missing: one of " ENCAPS);
	if (is_text(&type)) {
		check_text(e, "type", &type);
		v = variant_by_name(f, type.text);
	} else if (whole_number(&type, &n) && n > 0 && n <= UINT16_MAX) {
		*number = (uint16_t)n;
		v = variant_by_number(f, *number);
		if (!v)
			v = &encap_other;
	}
	if (!v)
		fail(e, "type", "%s is none of " ENCAPS, shown(e, &type));
	if (v != &encap_other)
		*number = v->number;
	return v;
}

static void put_encap(struct encoder *e, const struct cursor *p, const struct field *f,
		      const struct value *v)
{
	uint16_t number = 0;
	int top = lua_gettop(e->L);
	if (!has_fields(v))
		unexpected(e, f, v, "table");
	enter(e, f->key, 0);
	const struct variant *encap = check_encap(e, f, v, &number);
	size_t at = open_attr(e, f->attr | NLA_F_NESTED);
	struct cursor inner = {p->header, e->out->length, *v};
	put_input(e, &inner, encap->schema);
	close_attr(e, at, f->key);
	put(e, f->offset, &number, sizeof(number));
	leave(e);
	lua_settop(e->L, top);
}

static void put_peer(struct encoder *e, const struct cursor *p, const struct field *f,
		     const struct value *v)
{
	(void)p;
	if (!has_fields(v))
		unexpected(e, f, v, "table");
	put_structure(e, f, 0, v);
}

enum {
	HMAC_SIZE = 40 /* struct sr6_tlv_hmac; the kernel fills in the signature */
};

/* Whether the input has an HMAC key, and which. */
static bool hmac_key(struct encoder *e, const struct cursor *p, uint32_t *key)
{
	static const struct field field = {.key = "hmac", .type = FIELD_INT, .size = 4};
	struct value v = get_value(e, &p->in, field.key);
	if (v.type == VALUE_NONE)
		return false;
	*key = (uint32_t)check_uint(e, &field, &v, UINT32_MAX);
	return true;
}

static void put_hmac(uint8_t *srh, uint8_t *tlv, uint32_t key)
{
	srh[5] |= SR6_FLAG1_HMAC;
	tlv[0] = SR6_TLV_HMAC;
	tlv[1] = HMAC_SIZE - 2;
	store_uint(tlv + 4, key, 4, true);
}

/* seg6local End.B6 inserts the header into the packet, as mode inline does. */
static bool is_b6(struct encoder *e, const struct cursor *p)
{
	struct value action = get_value(e, &p->in, "action");
	return is_word(&action, "End.B6");
}

static void put_count(struct encoder *e, const struct cursor *p, const struct field *f,
		      const struct value *v)
{
	(void)p;
	expect(e, f, v, VALUE_BOOLEAN, "boolean");
	if (!v->integer)
		return;
	size_t at = open_attr(e, f->attr | NLA_F_NESTED);
	for (int n = SEG6_LOCAL_CNT_PACKETS; n <= SEG6_LOCAL_CNT_ERRORS; n++)
		put_room(e, (uint16_t)n, 8);
	close_attr(e, at, f->key);
}

/* The type of a routing header and how many segments it has. */
static void put_counts(uint8_t *header, const struct field *f, uint8_t count)
{
	bool rpl = f->mask == IPV6_SRCRT_TYPE_3;
	header[2] = rpl ? IPV6_SRCRT_TYPE_3 : IPV6_SRCRT_TYPE_4;
	header[3] = rpl ? count : (uint8_t)(count - 1); /* segments left */
	header[4] = rpl ? 0 : (uint8_t)(count - 1);	/* first segment; RPL: nothing compressed */
}

/* Writes the addresses of a list from the last on, in front of `end`. */
static void put_reversed(struct encoder *e, const struct value *segs, uint8_t *end)
{
	struct elements it = elements_of(e, segs);
	for (struct value one; next_element(e, &it, "segs", &one);) {
		enter(e, "segs", it.count);
		if (!is_text(&one) ||
		    text_to_ip6(one.text, one.length, end - (ptrdiff_t)16 * it.count) !=
			    (int)one.length)
			fail(e, NULL, "IPv6 address expected");
		leave(e);
	}
}

/*
 * A segment routing header with the segments in reverse (RFC 8754); with the mode before it, struct
 * seg6_iptunnel_encap. The value is the mode, or the segments themselves.
 */
static void put_segments(struct encoder *e, const struct cursor *p, const struct field *f,
			 const struct value *v)
{
	uint32_t mode = f->words ? (uint32_t)check_uint(e, f, v, 4) : 0;
	bool room_for_dst = f->words ? mode == SEG6_IPTUN_MODE_INLINE : is_b6(e, p);
	uint32_t key = 0;
	bool hmac = hmac_key(e, p, &key);
	struct value segs = get_value(e, &p->in, "segs");
	if (!has_fields(&segs))
		fail(e, "segs", "list of addresses expected");
	int n = count_elements(e, &segs, "segs");
	if (n < 1 || n > 127)
		fail(e, "segs", "1..127 segments expected, got %d", n);
	size_t count = (size_t)n + (room_for_dst ? 1 : 0);
	size_t header = 8 + 16 * count + (hmac ? HMAC_SIZE : 0);
	uint8_t *room = put_room(e, f->attr, f->size + header);
	if (f->size)
		memcpy(room, &mode, sizeof(mode));
	uint8_t *srh = room + f->size;
	srh[1] = (uint8_t)(header / 8 - 1); /* hdrlen, in 8 bytes */
	put_counts(srh, f, (uint8_t)count);
	if (hmac)
		put_hmac(srh, srh + header - HMAC_SIZE, key);
	put_reversed(e, &segs, srh + 8 + 16 * count);
}

static void put_labels(struct encoder *e, const struct cursor *p, const struct field *f,
		       const struct value *v)
{
	(void)p;
	if (!has_fields(v))
		unexpected(e, f, v, "list of labels");
	int n = count_elements(e, v, f->key);
	if (n < 1 || n > 30)
		fail(e, f->key, "1..30 labels expected, got %d", n);
	size_t at = open_attr(e, f->attr);
	struct elements it = elements_of(e, v);
	for (struct value one; next_element(e, &it, f->key, &one);) {
		lua_Integer label;
		enter(e, f->key, it.count);
		if (!whole_number(&one, &label) || label < 0 || label > 0xfffff)
			fail(e, NULL, "label in 0..1048575 expected");
		leave(e);
		store_uint(buffer_reserve(e->L, e->out, 4),
			   (uint64_t)label << 12 | (it.count == n ? 0x100 : 0), 4, true);
	}
	close_attr(e, at, f->key);
}

static void put_family(struct encoder *e, const struct cursor *p, const struct field *f,
		       const struct value *v)
{
	(void)v;
	header_of(e, p->header)[f->offset] = (uint8_t)e->family;
}

/* Not written: only the kernel sets it, or it was written with the field before it. */
static void put_nothing(struct encoder *e, const struct cursor *p, const struct field *f,
			const struct value *v)
{
	(void)e;
	(void)p;
	(void)f;
	(void)v;
}

static put_fn *const encoders[] = {
	[FIELD_INT] = put_int,	       [FIELD_SIGNED] = put_signed,
	[FIELD_SCALED] = put_scaled,   [FIELD_HEX] = put_hex,
	[FIELD_BIT] = put_bit,	       [FIELD_BITS] = put_bits,
	[FIELD_FLAG] = put_flag,       [FIELD_BOOL] = put_boolean,
	[FIELD_STRING] = put_string,   [FIELD_FAMILY] = put_family,
	[FIELD_ADDRESS] = put_address, [FIELD_PREFIX] = put_prefix,
	[FIELD_VIA] = put_via,	       [FIELD_LLADDR] = put_lladdr,
	[FIELD_IFINDEX] = put_ifindex, [FIELD_WEIGHT] = put_weight,
	[FIELD_TABLE] = put_table,     [FIELD_NEST] = put_nest,
	[FIELD_HOPS] = put_hops,       [FIELD_GROUP] = put_group,
	[FIELD_ENCAP] = put_encap,     [FIELD_UNION] = put_union,
	[FIELD_PEER] = put_peer,       [FIELD_SEGMENTS] = put_segments,
	[FIELD_LABELS] = put_labels,   [FIELD_RANGE] = put_range,
	[FIELD_MEMBER] = put_member,   [FIELD_NETNS] = put_netns,
	[FIELD_REALM] = put_realm,     [FIELD_NAMES] = put_nothing,
	[FIELD_HMAC] = put_nothing,    [FIELD_COUNT] = put_count,
	[FIELD_STRUCTS] = put_structs, [FIELD_UNITS] = put_units,
	[FIELD_RATIO] = put_ratio,     [FIELD_BYTES] = put_bytes,
	[FIELD_OPTION] = put_option,   [FIELD_TTL] = put_ttl,
	[FIELD_TIMER] = put_nothing,   [FIELD_BRIDGE_ID] = put_nothing,
};

void put_field(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	if ((f->flags & F_READONLY) && f->type != FIELD_SEGMENTS && e->verb != VERB_PRINT)
		fail(e, f->key, "only the kernel sets this");
	if (f->type == FIELD_SEGMENTS && (f->flags & F_READONLY))
		return; /* written together with the mode */
	/* put_via checks gateways itself: one pass over the text */
	if (is_text(v) && v->index && f->type != FIELD_VIA && *f->key)
		check_text(e, f->key, v);
	encoders[f->type](e, p, f, v);
}
