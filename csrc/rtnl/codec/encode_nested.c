/*
 * Writing the kinds that hold others: nests, next hops, groups, encapsulations; and the table of
 * all writers.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <linux/ipv6.h>
#include <linux/mpls_iptunnel.h>
#include <linux/nexthop.h>
#include <linux/seg6.h>
#include <linux/seg6_hmac.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <string.h>
#include <sys/socket.h>

/* --- kinds that hold others ------------------------------------------------------------------ */

static void put_fields(struct encoder *e, const struct place *p, const struct field *rows);

/* Collects and writes the table at p->table. */
static void put_table_rows(struct encoder *e, const struct place *p, const struct schema *schema)
{
	struct given g;
	collect(e, schema, p->table, &g);
	put_rows(e, p, schema, &g);
	lua_settop(e->L, g.top);
}

static void put_nest(struct encoder *e, const struct place *p, const struct field *f)
{
	size_t at = open_attr(e, f->attr | (f->flags & F_NESTED ? NLA_F_NESTED : 0));
	struct place inner = {p->header, e->out->length, p->table};
	put_fields(e, &inner, f->sub->rows);
	if (e->out->length == inner.attrs)
		e->out->length = at; /* of a nest in a nest nothing was given */
	else
		close_attr(e, at, f->key);
}

/* Writes the fields that rows and table share: hoisted nests, whose strangers were refused outside.
 */
static void put_fields(struct encoder *e, const struct place *p, const struct field *rows)
{
	for (const struct field *f = rows; f->kind != K_NONE; f++) {
		if (f > rows && f->key && f[-1].key && strcmp(f[-1].key, f->key) == 0 &&
		    f->kind == f[-1].kind)
			continue; /* the same field in another family: its first row has seen to it
				   */
		if (!f->key) {
			if (f->kind == K_NEST)
				put_field(e, p, f);
			continue;
		}
		lua_getfield(e->L, p->table, f->key);
		if (!lua_isnil(e->L, -1))
			put_field(e, p, f);
		lua_pop(e->L, 1);
	}
}

static void put_union(struct encoder *e, const struct place *p, const struct field *f)
{
	const struct variant *v = variant_by_name(f->variants, lua_tostring(e->L, -1));
	if (!v || v->schema->rows[0].kind == K_NONE)
		return;
	size_t at = open_attr(e, f->attr);
	struct place inner = {p->header, e->out->length, p->table};
	put_fields(e, &inner, v->schema->rows);
	if (e->out->length == inner.attrs)
		e->out->length = at; /* nothing of it was given: no empty attribute */
	else
		close_attr(e, at, f->key);
}

/* The hop on top of the stack, at stack index `value`. Leaves more on the stack. */
static void put_hop(struct encoder *e, const struct field *f, int index, int value)
{
	lua_State *L = e->L;
	enter(e, f->key, index);
	if (lua_type(L, -1) != LUA_TTABLE)
		fail(e, NULL, "table expected, got %s", luaL_typename(L, -1));
	size_t header = e->out->length;
	arena_reserve(L, e->out, sizeof(struct rtnexthop));
	struct place inner = {header, e->out->length, value};
	struct given g;
	collect(e, f->sub, value, &g);
	put_rows(e, &inner, f->sub, &g);
	size_t length = e->out->length - header;
	if (length > ATTR_MAX)
		fail(e, NULL, "takes more bytes than a message has room for");
	uint16_t n = (uint16_t)length;
	memcpy(header_of(e, header) + offsetof(struct rtnexthop, rtnh_len), &n, sizeof(n));
	leave(e);
}

static void put_hops(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	expect(e, f, LUA_TTABLE, "list of next hops");
	size_t at = open_attr(e, f->attr);
	int n = 0, list = lua_gettop(e->L);
	while (lua_rawgeti(e->L, list, n + 1) != LUA_TNIL) {
		size_t length = e->out->length;
		put_hop(e, f, ++n, list + 1);
		lua_settop(e->L, list);
		if (e->out->length - at <= ATTR_MAX || !e->may_drop)
			continue;
		e->out->length = length;
		e->dropped++;
	}
	lua_settop(e->L, list);
	check_list(e, f->key, n);
	if (n == 0)
		fail(e, f->key, "an empty list: a route needs at least one next hop");
	close_attr(e, at, f->key);
}

/* { { id = 1, weight = 2 }, 3 }: weights of 16 bits on newer kernels (kernel.md 2.3). */
static void put_group(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	(void)p;
	expect(e, f, LUA_TTABLE, "list of next-hop ids");
	size_t at = open_attr(e, f->attr);
	int n = 0, list = lua_gettop(L);
	while (lua_rawgeti(L, list, n + 1) != LUA_TNIL) {
		int id;
		enter(e, f->key, ++n);
		size_t header = e->out->length;
		uint8_t *member = arena_reserve(L, e->out, f->sub->head);
		if (lua_istable(L, -1)) {
			struct place inner = {header, e->out->length, list + 1};
			put_table_rows(e, &inner, f->sub);
			member = header_of(e, header);
		} else {
			lua_Integer given = lua_tointegerx(L, -1, &id);
			if (!id || given < 1 || given > UINT32_MAX)
				fail(e, NULL, "id of a next hop expected, got %s", shown(e));
			store_uint(member, (uint64_t)given, 4, false);
		}
		if (read_uint(member, 4, false) == 0)
			fail(e, "id", "missing");
		leave(e);
		lua_settop(L, list);
	}
	lua_settop(L, list);
	check_list(e, f->key, n);
	close_attr(e, at, f->key);
}

/* { { vid = 10, pvid = true }, { vid = 20 } }: a structure each, in attributes of one number. */
static void put_structs(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	(void)p;
	expect(e, f, LUA_TTABLE, "list of tables");
	int n = 0;
	while (lua_rawgeti(L, -1, n + 1) != LUA_TNIL) {
		enter(e, f->key, ++n);
		if (lua_type(L, -1) != LUA_TTABLE)
			fail(e, NULL, "table expected, got %s", luaL_typename(L, -1));
		size_t at = open_attr(e, f->attr);
		size_t header = e->out->length;
		arena_reserve(L, e->out, f->sub->head);
		struct place inner = {header, e->out->length, lua_gettop(L)};
		put_table_rows(e, &inner, f->sub);
		close_attr(e, at, f->key);
		leave(e);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	check_list(e, f->key, n);
}

/* What the table on top of the stack asks for by `type`: a word, or a number, which may have no
 * word here. */
static const struct variant *check_encap(struct encoder *e, const struct field *f, uint16_t *number)
{
	lua_State *L = e->L;
	const struct variant *v = &encap_other;
	int type = lua_getfield(L, -1, "type");
	if (type == LUA_TNIL)
		fail(e, "type", "missing: one of " ENCAPS);
	*number = (uint16_t)lua_tointeger(L, -1);
	if (type == LUA_TSTRING)
		check_text(e, "type");
	if (type == LUA_TSTRING)
		v = variant_by_name(f->variants, lua_tostring(L, -1));
	else if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) != *number || *number == 0)
		v = NULL;
	else if (variant_by_number(f->variants, *number))
		v = variant_by_number(f->variants, *number);
	if (!v)
		fail(e, "type", "%s is none of " ENCAPS, shown(e));
	if (v != &encap_other)
		*number = v->number;
	lua_pop(L, 1);
	return v;
}

static void put_encap(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	expect(e, f, LUA_TTABLE, "table");
	enter(e, f->key, 0);
	uint16_t number;
	const struct variant *v = check_encap(e, f, &number);
	size_t at = open_attr(e, f->attr | NLA_F_NESTED);
	struct place inner = {p->header, e->out->length, lua_gettop(L)};
	put_table_rows(e, &inner, v->schema);
	close_attr(e, at, f->key);
	put(e, f->offset, &number, sizeof(number));
	leave(e);
}

static void put_peer(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	expect(e, f, LUA_TTABLE, "table");
	enter(e, f->key, 0);
	size_t at = open_attr(e, f->attr);
	size_t header = e->out->length;
	arena_reserve(e->L, e->out, f->sub->head);
	struct place inner = {header, e->out->length, lua_gettop(e->L)};
	put_table_rows(e, &inner, f->sub);
	close_attr(e, at, f->key);
	leave(e);
}

enum {
	HMAC_SIZE = 40 /* struct sr6_tlv_hmac; the kernel fills in the signature */
};

/* Whether the table asks for a signature, and by which key. */
static bool hmac_key(struct encoder *e, const struct place *p, uint32_t *key)
{
	static const struct field row = {.key = "hmac", .kind = K_INT, .size = 4};
	bool asked = lua_getfield(e->L, p->table, row.key) != LUA_TNIL;
	if (asked)
		*key = (uint32_t)check_uint(e, &row, UINT32_MAX);
	lua_pop(e->L, 1);
	return asked;
}

static void put_hmac(uint8_t *srh, uint8_t *tlv, uint32_t key)
{
	srh[5] |= SR6_FLAG1_HMAC;
	tlv[0] = SR6_TLV_HMAC;
	tlv[1] = HMAC_SIZE - 2;
	store_uint(tlv + 4, key, 4, true);
}

/* seg6local End.B6 puts the header into the packet, as mode inline does. */
static bool is_b6(struct encoder *e, const struct place *p)
{
	bool b6 = lua_getfield(e->L, p->table, "action") == LUA_TSTRING &&
		  strcmp(lua_tostring(e->L, -1), "End.B6") == 0;
	lua_pop(e->L, 1);
	return b6;
}

static void put_count(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	expect(e, f, LUA_TBOOLEAN, "boolean");
	if (!lua_toboolean(e->L, -1))
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

/*
 * A segment routing header with the segments in reverse (RFC 8754); with the mode before it, struct
 * seg6_iptunnel_encap. [mode or segments] -> [the same]
 */
static void put_segments(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	uint32_t mode = f->words ? (uint32_t)check_uint(e, f, 4) : 0;
	bool room_for_dst = f->words ? mode == SEG6_IPTUN_MODE_INLINE : is_b6(e, p);
	uint32_t key = 0;
	bool hmac = hmac_key(e, p, &key);
	if (lua_getfield(L, p->table, "segs") != LUA_TTABLE)
		fail(e, "segs", "list of addresses expected");
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > 127)
		fail(e, "segs", "1..127 segments expected, got %I", (LUAI_UACINT)n);
	check_list(e, "segs", (int)n);
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
	for (lua_Integer i = 1; i <= n; i++) {
		size_t length;
		enter(e, "segs", (int)i);
		lua_rawgeti(L, -1, i);
		const char *text = lua_tolstring(L, -1, &length);
		if (!text ||
		    text_to_ip6(text, length, srh + 8 + 16 * (count - (size_t)i)) != (int)length)
			fail(e, NULL, "IPv6 address expected");
		leave(e);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void put_labels(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	(void)p;
	expect(e, f, LUA_TTABLE, "list of labels");
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > 30)
		fail(e, f->key, "1..30 labels expected, got %I", (LUAI_UACINT)n);
	check_list(e, f->key, (int)n);
	size_t at = open_attr(e, f->attr);
	for (lua_Integer i = 1; i <= n; i++) {
		int exact;
		enter(e, f->key, (int)i);
		lua_rawgeti(L, -1, i);
		lua_Integer label = lua_tointegerx(L, -1, &exact);
		if (!exact || label < 0 || label > 0xfffff)
			fail(e, NULL, "label in 0..1048575 expected");
		leave(e);
		lua_pop(L, 1);
		store_uint(arena_reserve(L, e->out, 4),
			   (uint64_t)label << 12 | (i == n ? 0x100 : 0), 4, true);
	}
	close_attr(e, at, f->key);
}

static void put_family(struct encoder *e, const struct place *p, const struct field *f)
{
	header_of(e, p->header)[f->offset] = (uint8_t)e->family;
}

/* Only the kernel sets it: refused before, or left out of what is only printed; or written with its
 * row before. */
static void put_nothing(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)e;
	(void)p;
	(void)f;
}

static put_fn *const writers[] = {
	[K_INT] = put_int,	     [K_SIGNED] = put_signed,	[K_SCALED] = put_scaled,
	[K_HEX] = put_hex,	     [K_BIT] = put_bit,		[K_BITS] = put_bits,
	[K_FLAG] = put_flag,	     [K_BOOL] = put_boolean,	[K_STRING] = put_string,
	[K_FAMILY] = put_family,     [K_ADDRESS] = put_address, [K_PREFIX] = put_prefix,
	[K_VIA] = put_via,	     [K_LLADDR] = put_lladdr,	[K_IFINDEX] = put_ifindex,
	[K_WEIGHT] = put_weight,     [K_TABLE] = put_table,	[K_NEST] = put_nest,
	[K_HOPS] = put_hops,	     [K_GROUP] = put_group,	[K_ENCAP] = put_encap,
	[K_UNION] = put_union,	     [K_PEER] = put_peer,	[K_SEGMENTS] = put_segments,
	[K_LABELS] = put_labels,     [K_RANGE] = put_range,	[K_MEMBER] = put_member,
	[K_NETNS] = put_netns,	     [K_REALM] = put_realm,	[K_NAMES] = put_nothing,
	[K_HMAC] = put_nothing,	     [K_COUNT] = put_count,	[K_STRUCTS] = put_structs,
	[K_UNITS] = put_units,	     [K_RATIO] = put_ratio,	[K_BYTES] = put_bytes,
	[K_OPTION] = put_option,     [K_TTL] = put_ttl,		[K_TIMER] = put_nothing,
	[K_BRIDGE_ID] = put_nothing,
};

/* [value] -> [value] */
void put_field(struct encoder *e, const struct place *p, const struct field *f)
{
	if ((f->flags & F_READONLY) && f->kind != K_SEGMENTS && e->verb != VERB_PRINT)
		fail(e, f->key, "only the kernel sets this");
	if (f->kind == K_SEGMENTS && (f->flags & F_READONLY))
		return; /* written together with the mode */
	/* gateways, of which there may be millions, are checked where they are read */
	if (f->kind != K_VIA && f->key && lua_type(e->L, -1) == LUA_TSTRING)
		check_text(e, f->key);
	writers[f->kind](e, p, f);
}
