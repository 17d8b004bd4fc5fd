/*
 * Messages -> Lua values, driven by the rows. Nothing of a message is trusted: every attribute's
 * length is checked against what its kind needs before its payload is read, and one that does not
 * fit reads as absent.
 */
#define _GNU_SOURCE
#include "rtnl.h"

#include <linux/if_addr.h>
#include <linux/lwtunnel.h>
#include <linux/nexthop.h>
#include <linux/seg6.h>
#include <linux/seg6_hmac.h>
#include <linux/seg6_iptunnel.h>
#include <linux/seg6_local.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* --- attributes ------------------------------------------------------------------------------ */

const struct nlattr *find_attr(const struct stretch *s, uint16_t type)
{
	size_t at = NLA_ALIGN(s->schema->head);
	const struct nlattr *a;
	while ((a = attr_at(s->data, s->length, at))) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		at += NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

/* The attributes there are, as bits by their number; those of higher numbers do not count. */
uint64_t attrs_of(const struct stretch *s)
{
	uint64_t attrs = 0;
	size_t at = NLA_ALIGN(s->schema->head);
	const struct nlattr *a;
	while ((a = attr_at(s->data, s->length, at))) {
		if ((a->nla_type & NLA_TYPE_MASK) < 64)
			attrs |= (uint64_t)1 << (a->nla_type & NLA_TYPE_MASK);
		at += NLA_ALIGN(a->nla_len);
	}
	return attrs;
}

static const uint8_t *payload(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

static size_t payload_length(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

uint64_t read_uint(const uint8_t *data, size_t size, bool big)
{
	uint64_t value = 0;
	for (size_t i = 0; i < size; i++)
		value |= (uint64_t)data[i] << 8 * (big ? size - 1 - i : i);
	return value;
}

/* The integer an attribute holds, if it has exactly the size of the row (8 for 4 is what newer
 * kernels send). */
bool attr_uint(const struct nlattr *a, const struct field *f, uint64_t *value)
{
	size_t size = payload_length(a);
	if (size != f->size && !(f->kind == K_SCALED && size == 8))
		return false;
	*value = read_uint(payload(a), size, f->flags & F_BE);
	return true;
}

int stretch_family(const uint8_t *data, size_t length)
{
	return length > 0 ? data[0] : 0;
}

static size_t address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

/* --- what nests hold ------------------------------------------------------------------------- */

static const struct field no_rows[] = {{.kind = K_NONE}};
static const struct schema payload_only = {"", 0, no_rows};

/* No message nests deeper than this; one that does was made to exhaust the stack. */
static bool too_deep(const struct stretch *s)
{
	int depth = 0;
	for (; s; s = s->outer)
		depth++;
	return depth > 16;
}

bool stretch_of_nest(const struct stretch *s, const struct field *f, struct stretch *inner)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (!a || too_deep(s))
		return false;
	*inner = (struct stretch){f->sub ? f->sub : &payload_only, payload(a), payload_length(a),
				  s->family, s};
	return true;
}

const struct variant *encap_of(const struct stretch *s, const struct field *f)
{
	const struct nlattr *type = find_attr(s, f->offset);
	if (!type || payload_length(type) != 2)
		return NULL;
	return variant_by_number(f->variants, (uint16_t)read_uint(payload(type), 2, false));
}

/* The rows of a union: chosen by the text of its sibling, the row before. */
const struct variant *union_of(const struct stretch *s, const struct field *f)
{
	const struct nlattr *name = find_attr(s, f[-1].attr);
	if (!name || payload_length(name) == 0 || payload(name)[payload_length(name) - 1] != 0)
		return NULL;
	return variant_by_name(f->variants, (const char *)payload(name));
}

/* Steps through an RTA_MULTIPATH; false at its end or where its lengths lie. */
bool next_hop(struct hop_cursor *c, struct stretch *hop)
{
	if (c->left < sizeof(struct rtnexthop))
		return false;
	uint16_t length = (uint16_t)read_uint(c->data, 2, false);
	if (length < sizeof(struct rtnexthop) || length > c->left)
		return false;
	*hop = (struct stretch){c->schema, c->data, length, c->outer->family, c->outer};
	size_t step = (size_t)NLA_ALIGN(length);
	c->data += step;
	c->left = step < c->left ? c->left - step : 0;
	return true;
}

struct hop_cursor hops_of(const struct stretch *s, const struct field *f)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (!a)
		return (struct hop_cursor){NULL, 0, f->sub, s};
	return (struct hop_cursor){payload(a), payload_length(a), f->sub, s};
}

/* --- kinds ----------------------------------------------------------------------------------- */

static void push_word(lua_State *L, const struct field *f, uint64_t value)
{
	const char *word = f->words ? word_by_value(f->words, (uint32_t)value) : NULL;
	if (word)
		lua_pushstring(L, word);
	else
		lua_pushinteger(L, (lua_Integer)value);
}

static void push_ip(lua_State *L, int family, const uint8_t *bytes)
{
	char text[48];
	size_t n = ip_to_text(family, bytes, text);
	lua_pushlstring(L, text, n);
}

static bool push_address(lua_State *L, const struct stretch *s, const struct field *f,
			 const struct nlattr *a)
{
	int family = f->size == 4 ? AF_INET : f->size == 16 ? AF_INET6 : s->family;
	if (payload_length(a) != address_size(family))
		return false;
	push_ip(L, family, payload(a));
	return true;
}

/* A host's prefix length is left out and a zero one is "default", as ip(8) does; an address keeps
 * its length. */
static bool push_prefix(lua_State *L, const struct stretch *s, const struct field *f,
			const struct nlattr *a)
{
	unsigned length = s->data[f->offset], bits = 8 * (unsigned)address_size(s->family);
	bool address = s->schema->rows[1].attr == IFA_LOCAL &&
		       s->schema->rows[1].kind == K_PREFIX &&
		       strcmp(s->schema->name, "address") == 0;
	char text[64];
	if (!a) {
		if (address || length != 0 || strcmp(f->key, "dst") != 0)
			return false;
		lua_pushliteral(L, "default");
		return true;
	}
	if (payload_length(a) != address_size(s->family) || length > bits)
		return false;
	if (address &&
	    strcmp(f->key, "peer") == 0) { /* an address without a peer repeats itself here */
		const struct nlattr *local = find_attr(s, IFA_LOCAL);
		if (!local || payload_length(local) != payload_length(a) ||
		    memcmp(payload(local), payload(a), payload_length(a)) == 0)
			return false;
	}
	size_t n = ip_to_text(s->family, payload(a), text);
	if (length != bits || address) {
		text[n++] = '/';
		for (unsigned unit = length > 99 ? 100 : length > 9 ? 10 : 1; unit; unit /= 10)
			text[n++] = (char)('0' + length / unit % 10);
	}
	lua_pushlstring(L, text, n);
	return true;
}

static bool push_via(lua_State *L, const struct stretch *s, const struct field *f)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (a) {
		if (payload_length(a) != address_size(s->family))
			return false;
		push_ip(L, s->family, payload(a));
		return true;
	}
	a = f->offset ? find_attr(s, f->offset) : NULL;
	if (!a || payload_length(a) < 2)
		return false;
	int family = (int)read_uint(payload(a), 2, false);
	if ((family != AF_INET && family != AF_INET6) ||
	    payload_length(a) != 2 + address_size(family))
		return false;
	push_ip(L, family, payload(a) + 2);
	return true;
}

static bool push_lladdr(lua_State *L, const struct nlattr *a)
{
	static const char digits[] = "0123456789abcdef";
	char text[3 * 32];
	size_t n = payload_length(a);
	if (n == 0 || n > 32)
		return false;
	for (size_t i = 0; i < n; i++) {
		text[3 * i] = digits[payload(a)[i] >> 4];
		text[3 * i + 1] = digits[payload(a)[i] & 15];
		text[3 * i + 2] = ':';
	}
	lua_pushlstring(L, text, 3 * n - 1);
	return true;
}

static bool push_string(lua_State *L, const struct nlattr *a)
{
	const char *text = (const char *)payload(a);
	lua_pushlstring(L, text, strnlen(text, payload_length(a)));
	return true;
}

static void push_bits(lua_State *L, const struct field *f, uint64_t bits)
{
	int n = 0;
	lua_newtable(L);
	for (const struct word *w = f->words; w->name; w++) {
		if (!(bits & w->value))
			continue;
		lua_pushstring(L, w->name);
		lua_rawseti(L, -2, ++n);
	}
}

static bool push_hops(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	struct hop_cursor cursor = hops_of(s, f), ahead = cursor;
	struct stretch hop;
	int n = 0;
	while (next_hop(&ahead, &hop))
		n++;
	luaL_checkstack(L, 12, "too many values");
	lua_createtable(L, n, 0);
	for (int i = 1; next_hop(&cursor, &hop); i++) {
		push_stretch(L, &hop, names);
		lua_rawseti(L, -2, i);
	}
	return true;
}

static bool push_group(lua_State *L, const struct nlattr *a)
{
	size_t n = payload_length(a) / sizeof(struct nexthop_grp);
	lua_createtable(L, (int)n, 0);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *member = payload(a) + i * sizeof(struct nexthop_grp);
		lua_createtable(L, 0, 2);
		lua_pushinteger(L, (lua_Integer)read_uint(member, 4, false));
		lua_setfield(L, -2, "id");
		lua_pushinteger(L, 1 + member[4] + 256 * member[5]);
		lua_setfield(L, -2, "weight");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
	return true;
}

static bool push_encap(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	const struct variant *v = encap_of(s, f);
	struct stretch inner;
	if (!v || !stretch_of_nest(s, f, &inner))
		return false;
	inner.schema = v->schema;
	luaL_checkstack(L, 12, "too many values");
	push_stretch(L, &inner, names);
	lua_pushstring(L, v->name);
	lua_setfield(L, -2, "type");
	return true;
}

static bool push_peer(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	struct stretch inner;
	if (!stretch_of_nest(s, f, &inner) || inner.length < f->sub->head)
		return false;
	push_stretch(L, &inner, names);
	return true;
}

/* Whether the header goes into the packet itself (mode inline, action End.B6): then the last
 * segment is the place where the kernel puts the packet's own address. */
bool inlines(const struct stretch *s)
{
	const struct nlattr *a = find_attr(s, SEG6_IPTUNNEL_SRH);
	const struct field *first = s->schema->rows;
	uint64_t value;
	if (first->kind == K_SEGMENTS)
		return a && payload_length(a) >= first->size &&
		       read_uint(payload(a), first->size, false) == SEG6_IPTUN_MODE_INLINE;
	a = find_attr(s, SEG6_LOCAL_ACTION);
	return a && attr_uint(a, first, &value) && value == SEG6_LOCAL_ACTION_END_B6;
}

static bool push_hmac(lua_State *L, const struct field *f, const struct nlattr *a)
{
	size_t length = payload_length(a), before = f->size;
	if (length < before + 8)
		return false;
	const uint8_t *srh = payload(a) + before;
	size_t tlv = 8 + 16 * ((size_t)srh[4] + 1);
	if (!(srh[5] & SR6_FLAG1_HMAC) || before + tlv + 8 > length || srh[tlv] != SR6_TLV_HMAC)
		return false;
	lua_pushinteger(L, (lua_Integer)read_uint(srh + tlv + 4, 4, true));
	return true;
}

/* The mode, or the segments in the order of travel; `size` bytes of mode stand before the header.
 */
static bool push_segments(lua_State *L, const struct stretch *s, const struct field *f,
			  const struct nlattr *a)
{
	size_t length = payload_length(a), before = f->size;
	if (length < before + 8)
		return false;
	const uint8_t *srh = payload(a) + before;
	if (f->words) {
		push_word(L, f, read_uint(payload(a), before, false));
		return true;
	}
	int count = srh[4] + 1, first = inlines(s) ? 1 : 0;
	if (before + 8 + 16 * (size_t)count > length)
		return false;
	lua_newtable(L);
	for (int i = count; i > first; i--) {
		push_ip(L, AF_INET6, srh + 8 + 16 * (size_t)(i - 1));
		lua_rawseti(L, -2, count - i + 1);
	}
	return true;
}

static bool push_labels(lua_State *L, const struct nlattr *a)
{
	int n = 0;
	lua_newtable(L);
	for (size_t i = 0; i + 4 <= payload_length(a); i += 4) {
		uint32_t label = (uint32_t)read_uint(payload(a) + i, 4, true) >> 12;
		lua_pushinteger(L, label);
		lua_rawseti(L, -2, ++n);
	}
	return true;
}

/* 5, or "7/5" where the realm it comes from is given too */
static void push_realm(lua_State *L, uint64_t value)
{
	int from = (int)(value / 65536), to = (int)(value % 65536);
	if (from)
		lua_pushfstring(L, "%d/%d", from, to);
	else
		lua_pushinteger(L, (lua_Integer)value);
}

/* Steps through the structures in attributes of the row's number; `at` is where it has got to,
 * 0 at first. */
bool next_struct(const struct stretch *s, const struct field *f, size_t *at, struct stretch *one)
{
	const struct nlattr *a;
	if (*at == 0)
		*at = NLA_ALIGN(s->schema->head);
	while ((a = attr_at(s->data, s->length, *at))) {
		*at += NLA_ALIGN(a->nla_len);
		if ((a->nla_type & NLA_TYPE_MASK) != f->attr || payload_length(a) < f->sub->head)
			continue;
		*one = (struct stretch){f->sub, payload(a), payload_length(a), s->family, s};
		return true;
	}
	return false;
}

static bool push_structs(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	struct stretch one;
	size_t at = 0;
	luaL_checkstack(L, 12, "too many values");
	lua_newtable(L);
	for (int i = 1; next_struct(s, f, &at, &one); i++) {
		push_stretch(L, &one, names);
		lua_rawseti(L, -2, i);
	}
	return true;
}

/* Every attribute of the row's number in this nest, as a list. */
static bool push_names(lua_State *L, const struct stretch *s, const struct field *f)
{
	const struct nlattr *a;
	int n = 0;
	lua_newtable(L);
	for (size_t at = NLA_ALIGN(s->schema->head); (a = attr_at(s->data, s->length, at));
	     at += NLA_ALIGN(a->nla_len)) {
		if ((a->nla_type & NLA_TYPE_MASK) != f->attr)
			continue;
		push_string(L, a);
		lua_rawseti(L, -2, ++n);
	}
	return true;
}

/* iproute2 writes one port alone, and one user twice. */
static bool push_range(lua_State *L, const struct field *f, const struct nlattr *a)
{
	if (payload_length(a) != 2 * (size_t)f->size)
		return false;
	lua_Integer first = (lua_Integer)read_uint(payload(a), f->size, false);
	lua_Integer last = (lua_Integer)read_uint(payload(a) + f->size, f->size, false);
	if (first == last && f->size == sizeof(uint16_t))
		lua_pushfstring(L, "%I", (LUAI_UACINT)first);
	else
		lua_pushfstring(L, "%I-%I", (LUAI_UACINT)first, (LUAI_UACINT)last);
	return true;
}

static bool push_member(lua_State *L, const struct field *f, const struct nlattr *a)
{
	if (payload_length(a) < f->whole)
		return false;
	int32_t value = (int32_t)read_uint(payload(a) + f->offset, 4, false);
	if (value == 0 && (f->flags & F_DEFAULT0))
		return false;
	if (value == -1 && f->mask == 1 && !(f->flags & F_READONLY))
		lua_pushliteral(L, "forever");
	else
		lua_pushinteger(L, value / (int32_t)f->mask);
	return true;
}

/* In the attribute, or where it fits a byte in the header. */
uint32_t table_number(const struct stretch *s, uint16_t attr, size_t offset)
{
	const struct nlattr *a = find_attr(s, attr);
	if (a && payload_length(a) == 4)
		return (uint32_t)read_uint(payload(a), 4, false);
	return s->data[offset];
}

static bool push_table(lua_State *L, const struct stretch *s, const struct field *f)
{
	uint32_t table = table_number(s, f->attr, f->offset);
	if (table == 0)
		return false;
	push_word(L, f, table);
	return true;
}

static bool push_uint(lua_State *L, const struct field *f, uint64_t value)
{
	if ((value == 0 && (f->flags & F_DEFAULT0)) ||
	    ((int32_t)value < 0 && (f->flags & F_NEGATIVE)))
		return false;
	if (f->kind == K_BIT) {
		if (!(value & f->mask))
			return false;
		lua_pushboolean(L, 1);
	} else if (f->kind == K_BITS) {
		push_bits(L, f, value);
	} else if (f->kind == K_BOOL) {
		lua_pushboolean(L, value != 0);
	} else if (f->kind == K_REALM) {
		push_realm(L, value);
	} else if (f->kind == K_SIGNED) {
		lua_pushinteger(L, (int32_t)value);
	} else if (f->kind == K_SCALED && value % f->mask != 0) {
		lua_pushnumber(L, (lua_Number)value / f->mask);
	} else {
		push_word(L, f, f->kind == K_SCALED ? value / f->mask : value);
	}
	return true;
}

static bool push_header(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	uint64_t value = read_uint(s->data + f->offset, f->size, f->flags & F_BE);
	if (f->kind == K_FAMILY) {
		if (value != AF_INET && value != AF_INET6)
			return false;
		lua_pushinteger(L, value == AF_INET6 ? 6 : 4);
		return true;
	}
	if (f->kind == K_WEIGHT) {
		lua_pushinteger(L, (lua_Integer)value + 1);
		return true;
	}
	if (f->kind == K_IFINDEX) {
		if (value == 0)
			return false;
		names_name(L, names, (uint32_t)value);
		return true;
	}
	return push_uint(L, f, value);
}

static bool push_attr(lua_State *L, const struct stretch *s, const struct field *f,
		      const struct nlattr *a, int names)
{
	uint64_t value = 0;
	switch (f->kind) {
	case K_ADDRESS:
		return push_address(L, s, f, a);
	case K_LLADDR:
		return push_lladdr(L, a);
	case K_STRING:
		return push_string(L, a);
	case K_GROUP:
		return push_group(L, a);
	case K_SEGMENTS:
		return push_segments(L, s, f, a);
	case K_HMAC:
		return push_hmac(L, f, a);
	case K_LABELS:
		return push_labels(L, a);
	case K_RANGE:
		return push_range(L, f, a);
	case K_MEMBER:
		return push_member(L, f, a);
	case K_HOPS:
		return push_hops(L, s, f, names);
	case K_PEER:
		return push_peer(L, s, f, names);
	case K_FLAG:
	case K_COUNT:
		lua_pushboolean(L, 1);
		return true;
	case K_NAMES:
		return push_names(L, s, f);
	case K_STRUCTS:
		return push_structs(L, s, f, names);
	case K_NETNS:
		return false;
	case K_IFINDEX:
		if (payload_length(a) != 4 || (value = read_uint(payload(a), 4, false)) == 0)
			return false;
		names_name(L, names, (uint32_t)value);
		return true;
	default:
		return attr_uint(a, f, &value) && push_uint(L, f, value);
	}
}

/* Pushes the value of one row, if the message has it. */
bool push_field(lua_State *L, const struct stretch *s, const struct field *f, int names)
{
	if (f->flags & F_HEADER)
		return push_header(L, s, f, names);
	if (f->kind == K_VIA)
		return push_via(L, s, f);
	if (f->kind == K_ENCAP)
		return push_encap(L, s, f, names);
	if (f->kind == K_TABLE)
		return push_table(L, s, f);
	const struct nlattr *a = find_attr(s, f->attr);
	if (f->kind == K_PREFIX)
		return push_prefix(L, s, f, a);
	if (!a && (f->flags & F_ABSENT0))
		lua_pushinteger(L, 0);
	else
		return a && push_attr(L, s, f, a, names);
	return true;
}

/* --- by key, and all of them ----------------------------------------------------------------- */

typedef bool visit_fn(void *arg, const struct stretch *s, const struct field *f);

/* Whether the message has nothing of a row, as its attributes tell; of some rows they do not. */
bool is_absent(const struct field *f, uint64_t attrs)
{
	return !(f->flags & (F_HEADER | F_ABSENT0)) && f->attr < 64 && !(attrs >> f->attr & 1) &&
	       f->kind != K_PREFIX && f->kind != K_VIA && f->kind != K_TABLE && f->kind != K_HOPS;
}

/* Calls `fn` for every row with a key, through hoisted nests and unions; stops when it returns
 * true. */
static bool visit(const struct stretch *s, visit_fn *fn, void *arg)
{
	uint64_t attrs = attrs_of(s);
	for (const struct field *f = s->schema->rows; f->kind != K_NONE; f++) {
		struct stretch inner;
		if (is_absent(f, attrs))
			continue;
		if (f->kind == K_NEST && (f->flags & F_HOIST)) {
			if (stretch_of_nest(s, f, &inner) && visit(&inner, fn, arg))
				return true;
		} else if (f->kind == K_UNION) {
			const struct variant *v = union_of(s, f);
			if (!v || !stretch_of_nest(s, f, &inner))
				continue;
			inner.schema = v->schema;
			if (visit(&inner, fn, arg))
				return true;
		} else if (fn(arg, s, f)) {
			return true;
		}
	}
	return false;
}

struct reading {
	lua_State *L;
	int names;
	const char *key;
};

static bool read_one(void *arg, const struct stretch *s, const struct field *f)
{
	struct reading *r = arg;
	return strcmp(f->key, r->key) == 0 && push_field(r->L, s, f, r->names);
}

/* Pushes the value of a key, nil where the message lacks it; `known` says whether any row has the
 * key. */
bool push_key(lua_State *L, const struct stretch *s, int key, int names, bool *known)
{
	key = lua_absindex(L, key);
	return push_row(L, s, index_lookup(L, s->schema, key), key, names, known);
}

/* The same where the row of the key is known, -1 where no row of this schema has it. */
bool push_row(lua_State *L, const struct stretch *s, int row, int key, int names, bool *known)
{
	const struct field *first = row >= 0 ? &s->schema->rows[row] : NULL, *f = first;
	struct stretch inner;
	*known = row >= 0;
	if (first && first->kind != K_NEST) {
		do {
			if (push_field(L, s, f, names))
				return true;
			f++;
		} while (f->key && strcmp(f->key, first->key) == 0);
	}
	if (s->schema == &schema_link) { /* what a link lacks its kind may have */
		struct reading r = {L, names, lua_tostring(L, key)};
		bool found = visit(s, read_one, &r);
		*known = *known || found;
		return found;
	}
	return first && first->kind == K_NEST && stretch_of_nest(s, first, &inner) &&
	       push_key(L, &inner, key, names, known);
}

static bool read_all(void *arg, const struct stretch *s, const struct field *f)
{
	struct reading *r = arg;
	if (f->flags & F_VOLATILE && f->kind == K_IFINDEX)
		return false;
	if ((r->key && strcmp(r->key, f->key) == 0) || !push_field(r->L, s, f, r->names))
		return false;
	r->key = f->key; /* of rows with one key, which stand together, the first that is there */
	lua_setfield(r->L, -2, f->key);
	return false;
}

/* [] -> [table of everything the stretch holds] */
void push_stretch(lua_State *L, const struct stretch *s, int names)
{
	struct reading r = {L, names, NULL};
	luaL_checkstack(L, 8, "too many values");
	lua_createtable(L, 0, s->outer ? 4 : 8); /* as many fields as there usually are */
	visit(s, read_all, &r);
}
