/*
 * Prints messages as ip(8) does, field by field. One intended difference: no blank at the end of a
 * line.
 */
#include "rtnl/text/print.h"

#include "rtnl/codec/decoder.h"
#include "rtnl/codec/encoder.h"

#include <lauxlib.h>
#include <linux/fib_rules.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- values that ip(8) omits ------------------------------------------------------------------ */

/* Defaults of a request: the action lookup of a rule, the scope global of an address. */
static bool is_default(const struct span *s, const struct field *f)
{
	if (s->schema == &schema_rule && f->words && f->flags & F_HEADER &&
	    f->offset == offsetof(struct fib_rule_hdr, action))
		return s->data[f->offset] == FR_ACT_TO_TBL;
	return s->schema == &schema_addr && f->words == WORDS_SCOPE &&
	       s->data[f->offset] == RT_SCOPE_UNIVERSE;
}

static bool left_out(const struct print *p, const struct span *s, const struct field *f)
{
	if (p->request && f->type == FIELD_WEIGHT)
		return s->data[f->offset] == 0; /* weight 1, the default */
	if (p->request && s->schema == &schema_link && f->flags & F_HEADER && f->attr == 0 &&
	    f->offset == offsetof(struct ifinfomsg, ifi_index))
		return f->type != FIELD_IFINDEX; /* a request has the name, not the index */
	if (p->request && is_default(s, f))
		return true;
	if (f->flags & F_SILENT || (f->flags & F_DETAIL && !p->details))
		return true;
	if (f->flags & F_ABSENT0 && p->request && !find_attr(s, f->attr))
		return true;
	if (f->words == WORDS_SCOPE && s->schema == &schema_nexthop)
		return s->data[f->offset] == RT_SCOPE_UNIVERSE && !p->details;
	if (s->schema != &schema_route || p->details)
		return false;
	const struct rtmsg *r = (const struct rtmsg *)(const void *)s->data;
	switch (f->flags & F_HEADER ? f->offset : SIZE_MAX) {
	case offsetof(struct rtmsg, rtm_type):
		return r->rtm_type == RTN_UNICAST;
	case offsetof(struct rtmsg, rtm_protocol):
		return r->rtm_protocol == RTPROT_BOOT;
	case offsetof(struct rtmsg, rtm_scope):
		return r->rtm_scope == RT_SCOPE_NOWHERE ||
		       r->rtm_scope == (p->request ? default_scope(s) : RT_SCOPE_UNIVERSE);
	default:
		return false;
	}
}

/* --- fields that are more than keyword and value -----------------------------------------------
 */

static const struct field *hops_field(const struct schema *schema)
{
	const struct field *f = schema->fields;
	while (f->type != FIELD_HOPS && f->type != FIELD_NONE)
		f++;
	return f;
}

/* The next hop of a list of one, which a request prints as gateway and device of the route. */
static bool only_hop(const struct print *p, const struct span *s, struct span *hop)
{
	const struct field *f = hops_field(s->schema);
	struct span second;
	if (!p->request || f->type == FIELD_NONE)
		return false;
	struct hop_cursor cursor = hops_of(s, f);
	return next_hop(&cursor, hop) && !next_hop(&cursor, &second) &&
	       ((const struct rtnexthop *)(const void *)hop->data)->rtnh_hops == 0;
}

static bool is_multicast(const char *address)
{
	int first = atoi(address);
	return strncmp(address, "ff", 2) == 0 || (first >= 224 && first < 240);
}

static void print_address(struct print *p, const struct span *s, const struct field *f)
{
	char text[ADDRESS_TEXT];
	size_t n = address_text(s, f, text);
	if (n == 0)
		return;
	if (!(f->flags & F_POSITIONAL))
		print_word(p, *f->unit && is_multicast(text) ? f->unit : field_word(f));
	if (f->type == FIELD_VIA && !find_attr(s, f->attr))
		print_word(p, "inet6");
	print_chars(p, text, n);
}

static void print_via(struct print *p, const struct span *s, const struct field *f)
{
	struct span hop;
	if (only_hop(p, s, &hop))
		print_span(p, &hop);
	else
		print_address(p, s, f);
}

/* A type without a word is printed as number and bytes, which can be parsed; ip(8): "unknown". */
static void print_encap(struct print *p, const struct span *s, const struct field *f)
{
	const struct variant *v = encap_of(s, f);
	struct span inner;
	if (!v || !span_of_nest(s, f, &inner))
		return;
	inner.schema = v->schema;
	if (!p->request)
		print_raw(p, " ", 1); /* ip(8) prints two blanks before "encap" */
	print_word(p, "encap");
	if (v->name)
		print_word(p, v->name);
	else
		print_number(p, (long long)read_uint(payload(find_attr(s, f->offset)), 2, false));
	print_span(p, &inner);
}

/* mode encap segs 2 [ fc00::1 fc00::2 ]; inline, with the placeholder of the packet's destination
 */
static void print_segments(struct print *p, const struct span *s, const struct field *f)
{
	lua_State *L = p->L;
	char count[16];
	bool room = false;
	if (!push_field(L, s, f, p->names))
		return;
	room = is_inline(s);
	if (f->words) {
		print_word(p, "mode");
		print_value(p, "");
		if (!push_field(L, s, f + 1, p->names))
			return;
	}
	if (room) {
		lua_pushliteral(L, "::");
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
	snprintf(count, sizeof(count), "%u", (unsigned)lua_rawlen(L, -1));
	print_word(p, "segs");
	print_word(p, count);
	print_word(p, "[");
	print_list(p, " ");
	print_word(p, "]");
}

/* The key id. ip(8) prints hexadecimal without 0x and reads decimal: from 10 on we print 0x. */
static void print_hmac(struct print *p, const struct span *s, const struct field *f)
{
	char text[16];
	if (!push_field(p->L, s, f, p->names))
		return;
	unsigned key = (unsigned)lua_tointeger(p->L, -1);
	lua_pop(p->L, 1);
	snprintf(text, sizeof(text), key < 10 ? "%u" : "%#x", key);
	print_word(p, f->key);
	print_word(p, text);
}

/* 1/2,5: ids, with weights that are not 1 */
static void print_group(struct print *p, const struct span *s, const struct field *f)
{
	lua_State *L = p->L;
	char text[32];
	if (!push_field(L, s, f, p->names))
		return;
	print_word(p, field_word(f));
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		lua_getfield(L, -1, "id");
		lua_getfield(L, -2, "weight");
		unsigned id = (unsigned)lua_tointeger(L, -2),
			 weight = (unsigned)lua_tointeger(L, -1);
		int n = weight == 1 ? snprintf(text, sizeof(text), "%u", id)
				    : snprintf(text, sizeof(text), "%u,%u", id, weight);
		print_raw(p, i > 1 ? "/" : " ", 1);
		print_raw(p, text, (size_t)n);
		lua_pop(L, 3);
	}
	lua_pop(L, 2);
}

static void print_nested(struct print *p, const struct span *s, const struct field *f)
{
	struct span inner;
	if (!span_of_nest(s, f, &inner))
		return;
	if (f->type == FIELD_UNION) {
		const struct variant *v = union_of(s, f);
		if (!v)
			return;
		inner.schema = v->schema;
	}
	if (f->type == FIELD_PEER) {
		if (inner.length < sub_schema(f)->header_size)
			return;
		print_word(p, field_word(f));
	}
	print_span(p, &inner);
}

/* The next-hop object of a route, as `ip -d` prints it. */
static void print_nexthop(struct print *p, const struct span *s)
{
	const struct nlattr *a = p->nexthops ? find_attr(s, RTA_NH_ID) : NULL;
	if (!a || payload_length(a) != 4)
		return;
	if (lua_rawgeti(p->L, p->nexthops, (lua_Integer)read_uint(payload(a), 4, false)) ==
	    LUA_TSTRING) {
		print_raw(p, "\n\tnh_info ", 10);
		print_text(p, lua_tostring(p->L, -1));
	}
	lua_pop(p->L, 1);
}

/* Next hops, and before them in details their next-hop object. */
static void print_hops(struct print *p, const struct span *s, const struct field *f)
{
	struct hop_cursor cursor = hops_of(s, f);
	struct span hop;
	print_nexthop(p, s);
	if (only_hop(p, s, &hop))
		return;
	while (next_hop(&cursor, &hop)) {
		if (!p->one_line)
			print_raw(p, "\n\t", 2);
		print_word(p, "nexthop");
		print_span(p, &hop);
	}
}

/* The main table is never printed, others where several are listed or in a request. */
static void print_table(struct print *p, const struct span *s, const struct field *f)
{
	bool main = table_number(s, f->attr, f->offset) == RT_TABLE_MAIN;
	if (s->schema == &schema_route && (!(p->any_table || p->request) || (main && !p->details)))
		return;
	print_single(p, s, f);
}

/* vid 10 pvid untagged vid 20 */
static void print_structs(struct print *p, const struct span *s, const struct field *f)
{
	struct span one;
	size_t at = 0;
	while (next_struct(s, f, &at, &one)) {
		print_word(p, field_word(f));
		print_span(p, &one);
	}
}

static print_fn *const printers[] = {
	[FIELD_INT] = print_single,	  [FIELD_SIGNED] = print_single,
	[FIELD_SCALED] = print_time,	  [FIELD_HEX] = print_hex,
	[FIELD_BIT] = print_switch,	  [FIELD_BITS] = print_bits,
	[FIELD_FLAG] = print_switch,	  [FIELD_BOOL] = print_switch,
	[FIELD_STRING] = print_single,	  [FIELD_FAMILY] = print_single,
	[FIELD_ADDRESS] = print_address,  [FIELD_PREFIX] = print_address,
	[FIELD_VIA] = print_via,	  [FIELD_LLADDR] = print_single,
	[FIELD_IFINDEX] = print_single,	  [FIELD_WEIGHT] = print_single,
	[FIELD_TABLE] = print_table,	  [FIELD_NEST] = print_nested,
	[FIELD_HOPS] = print_hops,	  [FIELD_GROUP] = print_group,
	[FIELD_ENCAP] = print_encap,	  [FIELD_UNION] = print_nested,
	[FIELD_PEER] = print_nested,	  [FIELD_SEGMENTS] = print_segments,
	[FIELD_LABELS] = print_labels,	  [FIELD_RANGE] = print_range,
	[FIELD_MEMBER] = print_single,	  [FIELD_NETNS] = print_single,
	[FIELD_REALM] = print_realm,	  [FIELD_NAMES] = print_names,
	[FIELD_HMAC] = print_hmac,	  [FIELD_COUNT] = print_switch,
	[FIELD_STRUCTS] = print_structs,  [FIELD_OPTION] = print_single,
	[FIELD_TTL] = print_single,	  [FIELD_TIMER] = print_timer,
	[FIELD_BRIDGE_ID] = print_single, [FIELD_UNITS] = print_single,
	[FIELD_RATIO] = print_single,	  [FIELD_BYTES] = print_single,
};

/* Whether the field before, with the same key, was printed. */
static bool printed_before(struct print *p, const struct span *s, const struct field *f)
{
	if (!repeats_key(s->schema->fields, f) || f->type == FIELD_UNION)
		return false;
	if (!push_field(p->L, s, f - 1, p->names))
		return false;
	lua_pop(p->L, 1);
	return true;
}

void print_field(struct print *p, const struct span *s, const struct field *f)
{
	printers[f->type](p, s, f);
}

void print_span(struct print *p, const struct span *s)
{
	uint64_t attrs = attrs_of(s);
	luaL_checkstack(p->L, 10, "too many values");
	for (const struct field *f = s->schema->fields; f->type != FIELD_NONE; f++)
		if (!is_absent(f, attrs) && !left_out(p, s, f) && !printed_before(p, s, f))
			printers[f->type](p, s, f);
}
