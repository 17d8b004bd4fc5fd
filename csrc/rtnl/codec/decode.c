/*
 * Decodes messages to Lua: fields that hold others, one field by its key, and all fields as a
 * table.
 */
#define _GNU_SOURCE
#include "rtnl/codec/decode.h"

#include "common/addr.h"
#include "rtnl/base/key_index.h"
#include "rtnl/netlink/ifname.h"

#include <lauxlib.h>
#include <linux/ipv6.h>
#include <linux/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- fields that hold others ------------------------------------------------------------------ */

static bool push_hops(lua_State *L, const struct span *s, const struct field *f, int names)
{
	struct hop_cursor cursor = hops_of(s, f), ahead = cursor;
	struct span hop;
	int n = 0;
	while (next_hop(&ahead, &hop))
		n++;
	luaL_checkstack(L, 12, "too many values");
	lua_createtable(L, n, 0);
	for (int i = 1; next_hop(&cursor, &hop); i++) {
		push_span(L, &hop, names);
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

static bool push_encap(lua_State *L, const struct span *s, const struct field *f, int names)
{
	const struct variant *v = encap_of(s, f);
	struct span inner;
	if (!v || !span_of_nest(s, f, &inner))
		return false;
	inner.schema = v->schema;
	luaL_checkstack(L, 12, "too many values");
	push_span(L, &inner, names);
	if (v->name)
		lua_pushstring(L, v->name);
	else
		lua_pushinteger(L,
				(lua_Integer)read_uint(payload(find_attr(s, f->offset)), 2, false));
	lua_setfield(L, -2, "type");
	return true;
}

static bool push_peer(lua_State *L, const struct span *s, const struct field *f, int names)
{
	struct span inner;
	if (!span_of_nest(s, f, &inner) || inner.length < sub_schema(f)->header_size)
		return false;
	push_span(L, &inner, names);
	return true;
}

/* The mode, or the segments in the order of travel; the header follows `size` bytes of mode. */
static bool push_segments(lua_State *L, const struct span *s, const struct field *f,
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
	char text[ADDRESS_TEXT];
	int count = f->mask == IPV6_SRCRT_TYPE_3 ? srh[3] : srh[4] + 1,
	    first = is_inline(s) ? 1 : 0;
	if (before + 8 + 16 * (size_t)count > length)
		return false;
	lua_newtable(L);
	for (int i = count; i > first; i--) {
		lua_pushlstring(L, text,
				ip_to_text(AF_INET6, srh + 8 + 16 * (size_t)(i - 1), text));
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

static bool push_structs(lua_State *L, const struct span *s, const struct field *f, int names)
{
	struct span one;
	size_t at = 0;
	luaL_checkstack(L, 12, "too many values");
	lua_newtable(L);
	for (int i = 1; next_struct(s, f, &at, &one); i++) {
		push_span(L, &one, names);
		lua_rawseti(L, -2, i);
	}
	return true;
}

/* Every attribute of the field's number in this nest, as a list. */
static bool push_names(lua_State *L, const struct span *s, const struct field *f)
{
	size_t at = NLA_ALIGN(s->schema->header_size);
	const struct nlattr *a;
	int n = 0;
	lua_newtable(L);
	for (; (a = attr_at(s->data, s->length, at)); at += NLA_ALIGN(a->nla_len)) {
		if (attr_type(a) != f->attr)
			continue;
		push_string(L, a);
		lua_rawseti(L, -2, ++n);
	}
	return true;
}

/* --- fields ---------------------------------------------------------------------------------- */

static bool push_header(lua_State *L, const struct span *s, const struct field *f, int names)
{
	uint64_t value = read_uint(s->data + f->offset, f->size, f->flags & F_BE);
	if (f->type == FIELD_FAMILY) {
		if (value != AF_INET && value != AF_INET6)
			return false;
		lua_pushinteger(L, value == AF_INET6 ? 6 : 4);
		return true;
	}
	if (f->type == FIELD_WEIGHT) {
		lua_pushinteger(L, (lua_Integer)value + 1);
		return true;
	}
	if (f->type == FIELD_IFINDEX) {
		if (value == 0)
			return false;
		ifnames_name(L, names, (uint32_t)value);
		return true;
	}
	return push_uint(L, f, value);
}

static bool push_attr(lua_State *L, const struct span *s, const struct field *f,
		      const struct nlattr *a, int names)
{
	uint64_t value = 0;
	switch (f->type) {
	case FIELD_LLADDR:
		return push_lladdr(L, a);
	case FIELD_STRING:
		return push_string(L, a);
	case FIELD_OPTION:
		return push_option(L, f, a);
	case FIELD_TTL:
		return push_ttl(L, s, f, a);
	case FIELD_BRIDGE_ID:
		return push_bridge_id(L, a);
	case FIELD_GROUP:
		return push_group(L, a);
	case FIELD_SEGMENTS:
		return push_segments(L, s, f, a);
	case FIELD_HMAC:
		return push_hmac(L, f, a);
	case FIELD_LABELS:
		return push_labels(L, a);
	case FIELD_RANGE:
		return push_range(L, f, a);
	case FIELD_RATIO:
		return push_ratio(L, s, f, a);
	case FIELD_MEMBER:
		return push_member(L, f, a);
	case FIELD_HOPS:
		return push_hops(L, s, f, names);
	case FIELD_PEER:
		return push_peer(L, s, f, names);
	case FIELD_FLAG:
	case FIELD_COUNT:
		lua_pushboolean(L, 1);
		return true;
	case FIELD_NAMES:
		return push_names(L, s, f);
	case FIELD_STRUCTS:
		return push_structs(L, s, f, names);
	case FIELD_NETNS:
		return false;
	case FIELD_IFINDEX:
		if (payload_length(a) != 4 || (value = read_uint(payload(a), 4, false)) == 0)
			return false;
		ifnames_name(L, names, (uint32_t)value);
		return true;
	default:
		return attr_uint(a, f, &value) && push_uint(L, f, value);
	}
}

/* Pushes the value of a field where it is present. */
bool push_field(lua_State *L, const struct span *s, const struct field *f, int names)
{
	if (f->flags & F_HEADER)
		return push_header(L, s, f, names);
	if (f->type == FIELD_PREFIX || f->type == FIELD_VIA || f->type == FIELD_ADDRESS)
		return push_address(L, s, f);
	if (f->type == FIELD_ENCAP)
		return push_encap(L, s, f, names);
	if (f->type == FIELD_BYTES)
		return push_bytes(L, s);
	if (f->type == FIELD_TABLE)
		return push_table(L, s, f);
	const struct nlattr *a = find_attr(s, f->attr);
	if (!a && (f->flags & F_ABSENT0))
		lua_pushinteger(L, 0);
	else
		return a && push_attr(L, s, f, a, names);
	return true;
}

/* --- by key, and all of them ----------------------------------------------------------------- */

typedef bool visit_fn(void *arg, const struct span *s, const struct field *f);

/* Calls `fn` for every field with a key, in flattened nests and type-selected schemas, too; stops
 * when it returns true. */
static bool visit(const struct span *s, visit_fn *fn, void *arg)
{
	uint64_t attrs = attrs_of(s);
	for (const struct field *f = s->schema->fields; f->type != FIELD_NONE; f++) {
		struct span inner;
		if (is_absent(f, attrs))
			continue;
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN)) {
			if (span_of_nest(s, f, &inner) && visit(&inner, fn, arg))
				return true;
		} else if (f->type == FIELD_UNION) {
			const struct variant *v = union_of(s, f);
			if (!v || !span_of_nest(s, f, &inner))
				continue;
			inner.schema = v->schema;
			if (visit(&inner, fn, arg))
				return true;
		} else if (*f->key && fn(arg, s, f)) {
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

static bool read_one(void *arg, const struct span *s, const struct field *f)
{
	struct reading *r = arg;
	return same_text(f->key, r->key) && push_field(r->L, s, f, r->names);
}

/* Pushes the value of a key where it is present; `known`: whether any field has the key. */
bool push_key(lua_State *L, const struct span *s, int key, int names, bool *known)
{
	key = lua_absindex(L, key);
	return push_known_field(L, s, index_lookup(L, s->schema, key), key, names, known);
}

/* The same with the number of the field, -1 where this schema has no such key. */
bool push_known_field(lua_State *L, const struct span *s, int field, int key, int names,
		      bool *known)
{
	const struct field *first = field >= 0 ? &s->schema->fields[field] : NULL, *f = first;
	struct span inner;
	*known = field >= 0;
	if (first && first->type != FIELD_NEST) {
		do {
			if (push_field(L, s, f, names))
				return true;
			f++;
		} while (*f->key && same_text(f->key, first->key));
	}
	if (s->schema == &schema_link) { /* the link's type may have the key */
		struct reading r = {L, names, lua_tostring(L, key)};
		bool found = visit(s, read_one, &r);
		*known = *known || found;
		return found;
	}
	return first && first->type == FIELD_NEST && span_of_nest(s, first, &inner) &&
	       push_key(L, &inner, key, names, known);
}

static bool read_all(void *arg, const struct span *s, const struct field *f)
{
	struct reading *r = arg;
	if (f->flags & F_VOLATILE && f->flags & F_HEADER && f->type == FIELD_IFINDEX)
		return false; /* "dev" repeats "index" of a link */
	if ((r->key && same_text(r->key, f->key)) || !push_field(r->L, s, f, r->names))
		return false;
	r->key = f->key; /* of adjacent fields with one key the first that is present */
	lua_setfield(r->L, -2, f->key);
	return false;
}

/* [] -> [table of everything the span holds] */
void push_span(lua_State *L, const struct span *s, int names)
{
	struct reading r = {L, names, NULL};
	luaL_checkstack(L, 8, "too many values");
	lua_createtable(L, 0, s->outer ? 4 : 8); /* as many fields as there usually are */
	visit(s, read_all, &r);
}
