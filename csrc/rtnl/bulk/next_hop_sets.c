/*
 * Finds which routes of a batch have the same next hops: those whose messages hold the same
 * attributes for them. Which of these sets are next-hop objects is decided in
 * lua/ecmp/nl/sharing.lua; the routes then refer to the objects.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/next_hop_sets.h"

#include "common/addr.h"
#include "rtnl/netlink/attr.h"
#include "rtnl/view/view.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* Attributes by number, as a set. */
#define BIT(type) (UINT64_C(1) << (type))

static const uint64_t hop_attributes = BIT(RTA_GATEWAY) | BIT(RTA_OIF) | BIT(RTA_MULTIPATH);

/* With these a route keeps its next hops: an IPv4 route of an object without metrics gets those of
 * an earlier route of the object and loses its realm; an IPv6 route with a source prefix may have
 * no object. */
static const uint64_t unshared = BIT(RTA_VIA) | BIT(RTA_NH_ID) | BIT(RTA_ENCAP_TYPE) |
				 BIT(RTA_METRICS) | BIT(RTA_FLOW) | BIT(RTA_SRC);

struct destination {
	uint8_t family, length, bytes[16];
};

/* What has been found: stack indexes of tables, see share_next_hops. */
struct found {
	int sets, uses, moved;
	int numbers;		     /* of the sets, by their bytes */
	int kind;		     /* the metatable of their views */
	lua_Integer count;	     /* of the sets */
	struct buffer *set;	     /* that of the route at hand */
	struct buffer *per_set;	     /* how many routes have each */
	struct buffer *destinations; /* of the changes: struct destination */
	struct buffer *stems;	     /* of the gateways: a bit for each */
};

enum {
	HEAD = NLMSG_HDRLEN + sizeof(struct rtmsg)
};

static bool is_among(uint64_t set, const struct nlattr *a)
{
	return set >> (attr_type(a) & 63) & 1;
}

static const struct nlattr *attr_of_message(const struct nlmsghdr *m, size_t at)
{
	return attr_at((const uint8_t *)m, m->nlmsg_len, at);
}

static const struct rtmsg *header_of_message(const struct nlmsghdr *m)
{
	return (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
}

/* --- sets ------------------------------------------------------------------------------------ */

/* add and replace: others have next hops join what is there */
static bool sets_hops(const struct change *c)
{
	uint16_t flags = verb_table[c->verb].flags;
	return flags & NLM_F_CREATE && flags & (NLM_F_EXCL | NLM_F_REPLACE);
}

/* Writes to f->set what two routes with the same next hops have in common, as a message: family,
 * whether it is in the main table, next hops. False where the route has to keep them. */
static bool read_set(lua_State *L, const struct nlmsghdr *m, struct found *f)
{
	const struct rtmsg *r = header_of_message(m);
	const struct nlattr *a;
	const struct rtmsg head = {.rtm_family = r->rtm_family,
				   .rtm_table = r->rtm_table == RT_TABLE_MAIN ? RT_TABLE_MAIN : 0};
	/* a scope that allows no gateway does not reach the object */
	if (r->rtm_type != RTN_UNICAST || r->rtm_flags || r->rtm_scope != RT_SCOPE_UNIVERSE)
		return false;
	f->set->length = 0;
	memcpy(buffer_room(L, f->set, sizeof(head)), &head, sizeof(head));
	for (size_t at = HEAD; (a = attr_of_message(m, at)); at += NLA_ALIGN(a->nla_len)) {
		size_t length = NLA_ALIGN(a->nla_len);
		if (is_among(unshared, a))
			return false;
		if (is_among(hop_attributes, a))
			memcpy(buffer_room(L, f->set, length), a, length);
	}
	return f->set->length > sizeof(head);
}

static uint32_t *uses_of(const struct found *f, lua_Integer n)
{
	return (uint32_t *)(void *)f->per_set->base + n - 1;
}

/* The number of the set that was read. */
static lua_Integer number_set(lua_State *L, struct found *f)
{
	lua_pushlstring(L, (const char *)f->set->base, f->set->length);
	lua_pushvalue(L, -1);
	lua_rawget(L, f->numbers);
	lua_Integer n = lua_tointeger(L, -1);
	lua_pop(L, 1);
	if (!n) {
		n = ++f->count;
		buffer_reserve(L, f->per_set, sizeof(uint32_t));
		view_new(L, object_by_name("route"), RTM_NEWROUTE, 0, f->set->base, f->set->length,
			 f->kind);
		lua_rawseti(L, f->sets, n);
		lua_pushvalue(L, -1);
		lua_pushinteger(L, n);
		lua_rawset(L, f->numbers);
	}
	lua_pop(L, 1);
	++*uses_of(f, n);
	return n;
}

/* --- gateways and what may lead to them ------------------------------------------------------ */

enum {
	STEMS = 1 << 16
};

/* What an address has in common with the prefixes it is in, if these are not shorter than that: the
 * first two bytes for IPv4, a hash of four for IPv6. */
static uint32_t stem_of(int family, const uint8_t *bytes)
{
	uint32_t two = (uint32_t)bytes[0] << 8 | bytes[1],
		 more = (uint32_t)bytes[2] << 8 | bytes[3];
	return family == AF_INET6 ? (two * 31 ^ more) % STEMS : two;
}

static unsigned stem_length(int family)
{
	return family == AF_INET6 ? 32 : 16;
}

/* Notes the gateways that a list of attributes holds, those of an RTA_MULTIPATH, too. */
static void note_gateways(struct found *f, int family, const uint8_t *data, size_t length)
{
	const struct nlattr *a;
	for (size_t at = 0; (a = attr_at(data, length, at)); at += NLA_ALIGN(a->nla_len)) {
		if (attr_type(a) == RTA_GATEWAY && payload_length(a) >= 4) {
			uint32_t stem = stem_of(family, payload(a));
			f->stems->base[stem / 8] |= (uint8_t)(1 << stem % 8);
		}
		if (attr_type(a) != RTA_MULTIPATH)
			continue;
		struct span hop, route = {.family = family};
		struct hop_cursor c = {payload(a), payload_length(a), &schema_hop, &route};
		while (next_hop(&c, &hop))
			note_gateways(f, family, hop.data + sizeof(struct rtnexthop),
				      hop.length - sizeof(struct rtnexthop));
	}
}

/*
 * Notes the destination of a change: gateways within it may be reached in another way afterwards.
 * Gateways are not looked for behind a default route that has a gateway itself.
 */
static void note_destination(lua_State *L, const struct found *f, const struct nlmsghdr *m)
{
	const struct rtmsg *r = header_of_message(m);
	const struct nlattr *a, *dst = NULL;
	size_t size = address_size(r->rtm_family);
	struct destination d = {.family = r->rtm_family, .length = r->rtm_dst_len};
	bool gateway = false;
	for (size_t at = HEAD; (a = attr_of_message(m, at)); at += NLA_ALIGN(a->nla_len)) {
		if (attr_type(a) == RTA_DST)
			dst = a;
		gateway = gateway ||
			  is_among(BIT(RTA_GATEWAY) | BIT(RTA_VIA) | BIT(RTA_MULTIPATH), a);
	}
	if ((!dst && gateway) || d.length > 8 * size || (dst && payload_length(dst) < size))
		return;
	if (dst)
		memcpy(d.bytes, payload(dst), size);
	mask_bytes(d.bytes, size, d.length);
	memcpy(buffer_room(L, f->destinations, sizeof(d)), &d, sizeof(d));
}

/* [] -> [table], the one at `key` of the table at stack index `in`, made where there is none */
static void push_table_of(lua_State *L, int in, lua_Integer key)
{
	if (lua_rawgeti(L, in, key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_pushvalue(L, -1);
	lua_rawseti(L, in, key);
}

static bool may_hold_gateway(const struct found *f, const struct destination *d)
{
	uint32_t stem = stem_of(d->family, d->bytes);
	return d->length < stem_length(d->family) || f->stems->base[stem / 8] >> stem % 8 & 1;
}

/* Lists those of the destinations that a gateway may be in. */
static void list_destinations(lua_State *L, const struct found *f)
{
	const struct destination *d = (const void *)f->destinations->base;
	for (size_t n = f->destinations->length / sizeof(*d); n > 0; n--, d++) {
		if (!may_hold_gateway(f, d))
			continue;
		push_table_of(L, f->moved, d->family == AF_INET6 ? 6 : 4);
		push_table_of(L, lua_gettop(L), d->length);
		lua_pushlstring(L, (const char *)d->bytes, (d->length + 7u) / 8);
		lua_pushboolean(L, 1);
		lua_rawset(L, -3);
		lua_pop(L, 2);
	}
}

/* --- a window -------------------------------------------------------------------------------- */

/* Notes which set of next hops each change has. False where one is not about a route: it may change
 * how gateways are reached. */
static bool find_sets(struct batch *b, struct found *f)
{
	for (size_t i = 0; i < b->count; i++) {
		struct change *c = change_at(b, i);
		const struct nlmsghdr *m = message_at(b, i);
		if (rtnl_objects[c->object].schema != &schema_route)
			return false;
		if (m->nlmsg_len < HEAD) /* left out */
			continue;
		if (sets_hops(c) && read_set(b->L, m, f)) {
			lua_Integer before = f->count;
			c->set = (uint32_t)number_set(b->L, f);
			if (f->count > before)
				note_gateways(f, f->set->base[0],
					      f->set->base + sizeof(struct rtmsg),
					      f->set->length - sizeof(struct rtmsg));
		}
		note_destination(b->L, f, m);
	}
	return true;
}

/* Makes a route refer to an object: its next hops go, which take more room than the number. */
static void refer(struct nlmsghdr *m, uint32_t id)
{
	const struct nlattr *a, attr = {.nla_len = NLA_HDRLEN + sizeof(id), .nla_type = RTA_NH_ID};
	uint8_t *to = (uint8_t *)m + HEAD;
	for (size_t at = HEAD, length; (a = attr_of_message(m, at)); at += length) {
		length = NLA_ALIGN(a->nla_len);
		if (is_among(hop_attributes, a))
			continue;
		memmove(to, a, length);
		to += length;
	}
	memcpy(to, &attr, sizeof(attr));
	memcpy(to + NLA_HDRLEN, &id, sizeof(id));
	m->nlmsg_len = (uint32_t)(to + NLA_HDRLEN + sizeof(id) - (uint8_t *)m);
}

/* Asks for the objects of the sets: [] -> [numbers by set, or nil]. */
static void ask_for_objects(struct batch *b, const struct found *f)
{
	lua_State *L = b->L;
	for (lua_Integer n = 1; n <= f->count; n++) {
		lua_pushinteger(L, *uses_of(f, n));
		lua_rawseti(L, f->uses, n);
	}
	list_destinations(L, f);
	lua_pushvalue(L, b->share);
	lua_pushvalue(L, f->sets);
	lua_pushvalue(L, f->uses);
	lua_pushvalue(L, f->moved);
	lua_call(L, 3, 1);
}

/* Each change comes to have the number of its object, or 0, instead of that of its set. */
static void refer_all(struct batch *b, int objects)
{
	lua_State *L = b->L;
	for (size_t i = 0; i < b->count; i++) {
		struct change *c = change_at(b, i);
		uint32_t set = c->set;
		c->set = 0;
		if (!set || !lua_istable(L, objects))
			continue;
		lua_rawgeti(L, objects, set);
		c->set = (uint32_t)lua_tointeger(L, -1);
		lua_pop(L, 1);
		if (c->set)
			refer(message_at(b, i), c->set);
	}
}

/*
 * share(sets, uses, moved) -> objects | nil
 * The function that chooses. sets[n] is a view of the next hops of set `n`, whose table is main or
 * none, and uses[n] how many routes of the window have it. moved[family][length] has as its keys
 * the bytes of the destinations of that length that the window adds, replaces or deletes, but for
 * those that none of the gateways is in. objects[n] is the number of the object for set `n`, or
 * none.
 */
void share_next_hops(struct batch *b)
{
	lua_State *L = b->L;
	int top = lua_gettop(L);
	struct found f = {.sets = top + 1,
			  .uses = top + 2,
			  .moved = top + 3,
			  .numbers = top + 4,
			  .kind = top + 5};
	for (int i = 0; i < 4; i++)
		lua_newtable(L);
	view_metatable(L, object_by_name("route"), b->names);
	f.set = buffer_new(L);
	f.per_set = buffer_new(L);
	f.destinations = buffer_new(L);
	f.stems = buffer_new(L);
	buffer_reserve(L, f.stems, STEMS / 8);
	if (find_sets(b, &f) && f.count > 0)
		ask_for_objects(b, &f);
	else
		lua_pushnil(L);
	refer_all(b, lua_gettop(L));
	buffer_free(f.set);
	buffer_free(f.per_set);
	buffer_free(f.destinations);
	buffer_free(f.stems);
	lua_settop(L, top);
}
