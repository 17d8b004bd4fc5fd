/*
 * Routes of a batch that share next-hop objects. The messages are there already, so that two routes
 * have the same next hops when the same attributes say so; which of these sets become objects, and
 * makes them, is up to a function in Lua that is asked once for each window.
 */
#define _GNU_SOURCE
#include "rtnl_batch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* A key is the family, then the attributes that say the next hops. */
enum {
	KEY_HEAD = 4
};

struct attributes {
	const uint8_t *at;
	size_t left;
};

static const struct nlattr *next_attribute(struct attributes *a)
{
	const struct nlattr *attr = (const void *)a->at;
	if (a->left < NLA_HDRLEN || attr->nla_len < NLA_HDRLEN || attr->nla_len > a->left)
		return NULL;
	size_t step = NLA_ALIGN(attr->nla_len);
	a->at += step;
	a->left = step < a->left ? a->left - step : 0;
	return attr;
}

static struct attributes of_route(const struct nlmsghdr *m)
{
	size_t head = NLMSG_HDRLEN + sizeof(struct rtmsg);
	return (struct attributes){(const uint8_t *)m + head, m->nlmsg_len - head};
}

static bool says_hops(const struct nlattr *a)
{
	return a->nla_type == RTA_GATEWAY || a->nla_type == RTA_OIF || a->nla_type == RTA_MULTIPATH;
}

/* --- gateways ------------------------------------------------------------------------------- */

struct gateway {
	uint8_t family;
	uint8_t bytes[16];
};

static size_t bytes_of(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool take_gateway(lua_State *L, struct arena *into, uint8_t family, const struct nlattr *a)
{
	struct gateway g = {.family = family};
	if (a->nla_len != NLA_HDRLEN + bytes_of(family))
		return false;
	memcpy(g.bytes, (const uint8_t *)a + NLA_HDRLEN, bytes_of(family));
	if (into)
		memcpy(arena_room(L, into, sizeof(g)), &g, sizeof(g));
	return true;
}

/* The gateways of the hops of an RTA_MULTIPATH: one each and nothing beside it; -1 where not so. */
static int take_hops(lua_State *L, struct arena *into, uint8_t family, const struct nlattr *a)
{
	const uint8_t *at = (const uint8_t *)a + NLA_HDRLEN;
	size_t left = a->nla_len - NLA_HDRLEN;
	int n = 0;
	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left)
			return -1;
		struct attributes in = {at + sizeof(*hop), hop->rtnh_len - sizeof(*hop)};
		const struct nlattr *gateway = next_attribute(&in);
		if (!gateway || gateway->nla_type != RTA_GATEWAY || in.left > 0 ||
		    !take_gateway(L, into, family, gateway))
			return -1;
		size_t step = NLA_ALIGN(hop->rtnh_len);
		at += step;
		left = step < left ? left - step : 0;
		n++;
	}
	return n;
}

/* Appends the gateways of a key to `into`, which may be NULL. How many; -1: nothing to share. */
static int key_gateways(lua_State *L, const uint8_t *key, size_t length, struct arena *into)
{
	struct attributes all = {key + KEY_HEAD, length - KEY_HEAD};
	const struct nlattr *a;
	int n = 0, more = 0;
	while ((a = next_attribute(&all))) {
		if (a->nla_type == RTA_GATEWAY)
			more = take_gateway(L, into, key[0], a) ? 1 : -1;
		else if (a->nla_type == RTA_MULTIPATH)
			more = take_hops(L, into, key[0], a);
		else
			more = 0;
		if (more < 0)
			return -1;
		n += more;
	}
	return n > 0 ? n : -1;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct gateway));
}

/* The first of the sorted gateways that is not below `g`. */
static size_t not_below(const struct arena *all, const struct gateway *g)
{
	const struct gateway *list = (const void *)all->base;
	size_t low = 0, high = all->length / sizeof(*list);
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare(&list[middle], g) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- gateways that the batch itself moves ---------------------------------------------------- */

/* All bits behind the first `length` become one, beyond those of the address too. */
static void fill_host(uint8_t bytes[16], unsigned length)
{
	unsigned whole = (length + 7) / 8;
	if (length % 8)
		bytes[whole - 1] |= (uint8_t)(0xff >> length % 8);
	memset(bytes + whole, 0xff, 16 - whole);
}

/* Notes that a change to this route may change how the gateways within its destination are reached.
 */
static void cover(const struct arena *gateways, struct arena *marks, const struct nlmsghdr *m)
{
	const struct rtmsg *r = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	struct attributes all = of_route(m);
	const struct nlattr *a;
	int32_t *mark = (void *)marks->base;
	while ((a = next_attribute(&all))) {
		size_t size = bytes_of(r->rtm_family);
		if (a->nla_type != RTA_DST || a->nla_len != NLA_HDRLEN + size ||
		    r->rtm_dst_len > 8 * size)
			continue;
		struct gateway first = {.family = r->rtm_family}, past;
		memcpy(first.bytes, (const uint8_t *)a + NLA_HDRLEN, size);
		past = first;
		fill_host(past.bytes, r->rtm_dst_len);
		mark[not_below(gateways, &first)]++;
		mark[not_below(gateways, &past)]--; /* no gateway is all ones */
	}
}

static bool is_covered(lua_State *L, const struct arena *gateways, const int32_t *mark,
		       struct arena *scratch)
{
	size_t length;
	const uint8_t *key = (const uint8_t *)lua_tolstring(L, -2, &length);
	scratch->length = 0;
	int n = key_gateways(L, key, length, scratch);
	for (int i = 0; i < n; i++)
		if (mark[not_below(gateways,
				   (const struct gateway *)(const void *)scratch->base + i)] > 0)
			return true;
	return false;
}

/* [sets] -> [sets] without those whose gateways a change of this window covers */
static void drop_moved(struct batch *b)
{
	lua_State *L = b->L;
	int sets = lua_gettop(L);
	struct arena *gateways = arena_new(L), *marks = arena_new(L), *scratch = arena_new(L);
	for (lua_pushnil(L); lua_next(L, sets); lua_pop(L, 1)) {
		size_t length;
		const uint8_t *key = (const uint8_t *)lua_tolstring(L, -2, &length);
		key_gateways(L, key, length, gateways);
	}
	size_t n = gateways->length / sizeof(struct gateway);
	qsort(gateways->base, n, sizeof(struct gateway), compare);
	int32_t *mark = (void *)arena_reserve(L, marks, (n + 1) * sizeof(*mark));
	for (size_t i = 0; i < b->count; i++)
		cover(gateways, marks, message_at(b, i));
	for (size_t i = 1; i <= n; i++)
		mark[i] += mark[i - 1];
	for (lua_pushnil(L); lua_next(L, sets); lua_pop(L, 1)) {
		if (!is_covered(L, gateways, mark, scratch))
			continue;
		lua_pushvalue(L, -2);
		lua_pushnil(L);
		lua_rawset(L, sets);
	}
	arena_free(gateways);
	arena_free(marks);
	arena_free(scratch);
	lua_settop(L, sets);
}

/* --- sets ------------------------------------------------------------------------------------ */

/* One set of next hops: its key, how many routes have it, and in the end the object it became. */
struct set {
	size_t at; /* of the key among the keys */
	uint32_t length, uses, id;
	bool plain; /* by gateways alone */
};

struct sets {
	struct arena *list, *keys, *places; /* places: number of a set, or 0 */
	size_t count, mask;
};

static struct set *set_at(const struct sets *x, uint32_t n)
{
	return (struct set *)(void *)x->list->base + n - 1;
}

/* Room for as many as the window has changes. [] -> [three arenas] */
static void open_sets(lua_State *L, struct sets *x, size_t most)
{
	size_t size = 16;
	while (size < 2 * most)
		size *= 2;
	*x = (struct sets){.mask = size - 1};
	x->list = arena_new(L);
	x->keys = arena_new(L);
	x->places = arena_new(L);
	arena_reserve(L, x->places, size * sizeof(uint32_t));
}

static void close_sets(struct sets *x)
{
	arena_free(x->list);
	arena_free(x->keys);
	arena_free(x->places);
}

/* The key of a route that may share its next hops, put into `key`; false for all others. */
static bool key_of(struct batch *b, size_t i, struct arena *key)
{
	const struct nlmsghdr *m = message_at(b, i);
	const struct rtmsg *r = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	struct attributes all = of_route(m);
	const struct nlattr *a;
	if (!change_at(b, i)->sharable || r->rtm_type != RTN_UNICAST || r->rtm_flags)
		return false;
	key->length = 0;
	*arena_reserve(b->L, key, KEY_HEAD) = r->rtm_family;
	while ((a = next_attribute(&all))) {
		/* an IPv4 route by an object takes the metrics of an earlier one, if it has none */
		if (a->nla_type == RTA_VIA || a->nla_type == RTA_NH_ID ||
		    a->nla_type == RTA_ENCAP_TYPE || (a->nla_type & NLA_TYPE_MASK) == RTA_METRICS)
			return false;
		if (says_hops(a))
			memcpy(arena_reserve(b->L, key, NLA_ALIGN(a->nla_len)), a, a->nla_len);
	}
	return key->length > KEY_HEAD;
}

/* Keys are whole words of four bytes. */
static uint64_t hash_of(const struct arena *key)
{
	uint64_t h = key->length;
	for (size_t at = 0; at < key->length; at += 4) {
		uint32_t word;
		memcpy(&word, key->base + at, 4);
		h = (h ^ word) * 0xff51afd7ed558ccd;
		h ^= h >> 32;
	}
	return h;
}

/* The number of the set with this key, which is made where there is none. */
static uint32_t number_of(lua_State *L, struct sets *x, const struct arena *key)
{
	uint32_t *places = (void *)x->places->base;
	size_t at = hash_of(key) & x->mask;
	for (; places[at]; at = (at + 1) & x->mask) {
		const struct set *s = set_at(x, places[at]);
		if (s->length == key->length &&
		    memcmp(x->keys->base + s->at, key->base, key->length) == 0)
			return places[at];
	}
	struct set s = {.at = x->keys->length, .length = (uint32_t)key->length};
	s.plain = key_gateways(L, key->base, key->length, NULL) > 0;
	memcpy(arena_room(L, x->keys, key->length), key->base, key->length);
	memcpy(arena_room(L, x->list, sizeof(s)), &s, sizeof(s));
	return places[at] = (uint32_t)++x->count;
}

/*
 * Numbers the sets of the window, counts the routes of each, and notes in each change which it has.
 * False where a change of another kind may move the ground.
 */
static bool number_sets(struct batch *b, struct sets *x, struct arena *key)
{
	for (size_t i = 0; i < b->count; i++) {
		if (rtnl_objects[change_at(b, i)->object].schema != &schema_route)
			return false;
		if (!key_of(b, i, key))
			continue;
		uint32_t n = number_of(b->L, x, key);
		set_at(x, n)->uses++;
		change_at(b, i)->id = n;
	}
	return true;
}

static void push_set_key(lua_State *L, const struct sets *x, uint32_t n)
{
	const struct set *s = set_at(x, n);
	lua_pushlstring(L, (const char *)x->keys->base + s->at, s->length);
}

/* [] -> [uses by key], of sets by gateways alone; false where there are none */
static bool push_uses(lua_State *L, const struct sets *x)
{
	bool any = false;
	lua_newtable(L);
	for (uint32_t n = 1; n <= x->count; n++) {
		if (!set_at(x, n)->plain)
			continue;
		push_set_key(L, x, n);
		lua_pushinteger(L, set_at(x, n)->uses);
		lua_rawset(L, -3);
		any = true;
	}
	return any;
}

/* [ids by key, or something else] -> [the same]: what each set became */
static void take_ids(lua_State *L, struct sets *x)
{
	for (uint32_t n = 1; n <= x->count && lua_istable(L, -1); n++) {
		push_set_key(L, x, n);
		if (lua_rawget(L, -2) == LUA_TNUMBER)
			set_at(x, n)->id = (uint32_t)lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
}

/* Makes the route refer to an object: its hops go, which take more room than the number that comes.
 */
static void refer(struct nlmsghdr *m, uint32_t id)
{
	struct attributes all = of_route(m);
	const struct nlattr *a;
	uint8_t *to = (uint8_t *)m + NLMSG_HDRLEN + sizeof(struct rtmsg);
	while ((a = next_attribute(&all))) {
		size_t length = NLA_ALIGN(a->nla_len);
		if (says_hops(a))
			continue;
		memmove(to, a, length);
		to += length;
	}
	struct nlattr attr = {.nla_len = NLA_HDRLEN + sizeof(id), .nla_type = RTA_NH_ID};
	memcpy(to, &attr, sizeof(attr));
	memcpy(to + NLA_HDRLEN, &id, sizeof(id));
	m->nlmsg_len = (uint32_t)(to + NLA_HDRLEN + sizeof(id) - (uint8_t *)m);
}

/* [sets] -> [sets, views]: a route that has the hops, for each key */
static void push_views(struct batch *b, struct arena *scratch)
{
	lua_State *L = b->L;
	int sets = lua_gettop(L);
	lua_newtable(L);
	for (lua_pushnil(L); lua_next(L, sets);) {
		size_t length;
		const char *key = lua_tolstring(L, -2, &length);
		struct rtmsg r = {.rtm_family = (uint8_t)key[0], .rtm_type = RTN_UNICAST};
		scratch->length = 0;
		memcpy(arena_room(L, scratch, sizeof(r)), &r, sizeof(r));
		memcpy(arena_room(L, scratch, length - KEY_HEAD), key + KEY_HEAD,
		       length - KEY_HEAD);
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		view_push(L, object_by_name("route"), RTM_NEWROUTE, 0, scratch->base,
			  scratch->length, b->names);
		lua_rawset(L, sets + 1);
	}
}

/* [sets, views] -> [ids]; the function asks and tells the kernel over this socket, so the window is
 * put aside meanwhile */
static void call_choose(struct batch *b)
{
	lua_State *L = b->L;
	struct arena *window = b->s->out;
	int sets = lua_gettop(L) - 1;
	struct arena *own = arena_new(L);
	b->s->out = own;
	lua_pushvalue(L, b->choose);
	lua_pushvalue(L, sets);
	lua_pushvalue(L, sets + 1);
	int failed = lua_pcall(L, 2, 1, 0);
	b->s->out = window;
	if (failed)
		lua_error(L);
	lua_replace(L, sets);
	lua_settop(L, sets);
}

/* Has sets of next hops become objects, and rewrites the routes of the window that have them. */
void share_window(struct batch *b)
{
	lua_State *L = b->L;
	int top = lua_gettop(L);
	struct sets x;
	open_sets(L, &x, b->count);
	struct arena *scratch = arena_new(L);
	if (number_sets(b, &x, scratch) && push_uses(L, &x)) {
		drop_moved(b);
		push_views(b, scratch);
		call_choose(b);
		take_ids(L, &x);
	}
	for (size_t i = 0; i < b->count; i++) {
		struct change *c = change_at(b, i);
		c->id = c->id ? set_at(&x, c->id)->id : 0;
		if (c->id)
			refer(message_at(b, i), c->id);
	}
	close_sets(&x);
	arena_free(scratch);
	lua_settop(L, top);
}

void share_note_used(struct batch *b)
{
	lua_State *L = b->L;
	for (size_t i = 0; i < b->count; i++) {
		uint32_t id = change_at(b, i)->id;
		if (id &&
		    lua_rawgeti(L, b->results, (lua_Integer)(b->first + i) + 1) == LUA_TBOOLEAN)
			lua_rawseti(L, b->used, (lua_Integer)id);
		else if (id)
			lua_pop(L, 1);
	}
}
