/*
 * Routes of a batch that share next-hop objects. The messages are there already, so that two routes
 * have the same next hops when the same attributes say so; those sets that pay become objects, and
 * the messages are rewritten to refer to these.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/share.h"

#include "rtnl/base/error.h"

#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* A key is this, then the attributes that say the next hops. */
struct key_head {
	uint8_t family, table; /* 0: one that is not the main one */
	uint8_t filler[2];
};

enum {
	KEY_HEAD = sizeof(struct key_head)
};

static const struct key_head *head_of(const uint8_t *key)
{
	return (const void *)key;
}

/* Attributes by number, as a set. */
#define BIT(type) (UINT64_C(1) << (type))

static const uint64_t hop_attributes = BIT(RTA_GATEWAY) | BIT(RTA_OIF) | BIT(RTA_MULTIPATH);

/* With these a route keeps its hops. An IPv4 route by an object takes the metrics of an earlier
 * one, if it has none, and loses its realm; an IPv6 route by source may have none. */
static const uint64_t unshared = BIT(RTA_VIA) | BIT(RTA_NH_ID) | BIT(RTA_ENCAP_TYPE) |
				 BIT(RTA_METRICS) | BIT(RTA_FLOW) | BIT(RTA_SRC);

static bool is_among(uint64_t set, const struct nlattr *a)
{
	return set >> (a->nla_type & NLA_TYPE_MASK & 63) & 1;
}

static bool says_hops(const struct nlattr *a)
{
	return is_among(hop_attributes, a);
}

/* --- sets ------------------------------------------------------------------------------------ */

/* The key of a route that may share its next hops, put into `key`; false for all others. */
static bool key_of(struct batch *b, size_t i, struct buffer *key)
{
	const struct nlmsghdr *m = message_at(b, i);
	const struct rtmsg *r = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	struct attributes all = attributes_of(m, sizeof(*r));
	const struct nlattr *a;
	/* a scope that allows for no gateway is no matter to an object */
	if (!change_at(b, i)->sharable || r->rtm_type != RTN_UNICAST || r->rtm_flags ||
	    r->rtm_scope != RT_SCOPE_UNIVERSE)
		return false;
	struct key_head head = {.family = r->rtm_family,
				.table = r->rtm_table == RT_TABLE_MAIN ? RT_TABLE_MAIN : 0};
	key->length = 0;
	memcpy(buffer_room(b->L, key, sizeof(head)), &head, sizeof(head));
	while ((a = next_attribute(&all))) {
		if (is_among(unshared, a))
			return false;
		if (!says_hops(a))
			continue;
		if (a->nla_len != NLA_ALIGN(a->nla_len)) /* gateways fill whole words */
			return false;
		memcpy(buffer_room(b->L, key, a->nla_len), a, a->nla_len);
	}
	return key->length > KEY_HEAD;
}

/* One more member of the set whose members are gathered; false for hops that are not shared: those
 * without a gateway, and those the kernel has to complain about. */
static bool add_member(lua_State *L, struct sharing *x, struct way *way,
		       const struct nlattr *gateway, uint8_t weight)
{
	size_t size = bytes_of(way->family);
	if (!gateway || gateway->nla_type != RTA_GATEWAY || gateway->nla_len != NLA_HDRLEN + size ||
	    (way->onlink && !way->oif))
		return false;
	memcpy(way->gateway, payload_of(gateway), size);
	struct member m = {.hop = pool_number(L, &x->hops, way, sizeof(*way)), .weight = weight};
	memcpy(buffer_room(L, x->members, sizeof(m)), &m, sizeof(m));
	return true;
}

/* The hops of an RTA_MULTIPATH: one gateway each and nothing beside it. */
static bool add_members(lua_State *L, struct sharing *x, uint8_t family, const struct nlattr *a)
{
	const uint8_t *at = payload_of(a);
	size_t left = a->nla_len - NLA_HDRLEN;
	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		if (hop->rtnh_len < sizeof(*hop) || hop->rtnh_len > left ||
		    (hop->rtnh_flags & ~RTNH_F_ONLINK))
			return false;
		struct attributes in = {at + sizeof(*hop), hop->rtnh_len - sizeof(*hop)};
		const struct nlattr *gateway = next_attribute(&in);
		struct way way = {.family = family,
				  .oif = (uint32_t)hop->rtnh_ifindex,
				  .onlink = hop->rtnh_flags ? 1 : 0};
		if (in.left > 0 || !add_member(L, x, &way, gateway, hop->rtnh_hops))
			return false;
		size_t step = NLA_ALIGN(hop->rtnh_len);
		at += step;
		left = step < left ? left - step : 0;
	}
	return true;
}

/* Reads the key of a set as members; false where these are not shared. */
static bool add_key(lua_State *L, struct sharing *x, const uint8_t *key, size_t length)
{
	struct attributes all = {key + KEY_HEAD, length - KEY_HEAD};
	const struct nlattr *a, *gateway = NULL, *multipath = NULL;
	struct way way = {.family = head_of(key)->family};
	while ((a = next_attribute(&all))) {
		if (a->nla_type == RTA_GATEWAY)
			gateway = a;
		else if (a->nla_type == RTA_MULTIPATH)
			multipath = a;
		else if (a->nla_len == NLA_HDRLEN + sizeof(way.oif))
			memcpy(&way.oif, payload_of(a), sizeof(way.oif));
	}
	if (!multipath)
		return add_member(L, x, &way, gateway, 0);
	return !gateway && !way.oif && add_members(L, x, way.family, multipath);
}

static bool is_link_local(const struct way *way)
{
	return way->family == AF_INET6 && way->gateway[0] == 0xfe &&
	       (way->gateway[1] & 0xc0) == 0x80;
}

/* Whether the kernel finds the devices that are not named where it is asked for them: it looks in
 * the route's own table first, and for what is on every link not at all. */
static bool asks_alike(const struct sharing *x, const struct set *set)
{
	bool main = head_of(pool_key(&x->sets, &set->key))->table == RT_TABLE_MAIN;
	for (uint32_t i = 0; i < set->hops; i++) {
		const struct way *way = way_of(x, hop_at(x, members_of(x, set)[i].hop));
		if (!way->oif && (!main || is_link_local(way)))
			return false;
	}
	return true;
}

static void read_members(lua_State *L, struct sharing *x, struct set *set)
{
	size_t before = x->members->length;
	if (!add_key(L, x, pool_key(&x->sets, &set->key), set->key.length))
		x->members->length = before;
	set->first = (uint32_t)(before / sizeof(struct member));
	set->hops = (uint32_t)((x->members->length - before) / sizeof(struct member));
	if (!asks_alike(x, set))
		set->hops = 0;
	for (uint32_t i = 0; i < set->hops; i++) {
		struct hop *hop = hop_at(x, members_of(x, set)[i].hop);
		hop->oif = way_of(x, hop)->oif;
		hop->sets++;
	}
}

/*
 * Numbers the sets of the window, counts the routes of each, and notes in each change which it has.
 * False where a change of another kind may move the ground.
 */
static bool number_sets(struct batch *b, struct sharing *x)
{
	struct buffer *key = x->scratch;
	pool_clear(&x->sets);
	pool_clear(&x->hops);
	x->members->length = 0;
	for (size_t i = 0; i < b->count; i++) {
		if (rtnl_objects[change_at(b, i)->object].schema != &schema_route)
			return false;
		if (!key_of(b, i, key))
			continue;
		uint32_t n = pool_number(b->L, &x->sets, key->base, key->length);
		set_at(x, n)->uses++;
		change_at(b, i)->set = n;
	}
	return true;
}

/* --- which of them pay ----------------------------------------------------------------------- */

static int family_of(const struct sharing *x, const struct set *set)
{
	return head_of(pool_key(&x->sets, &set->key))->family;
}

static int row_of(const struct sharing *x, const struct set *set)
{
	return family_of(x, set) == AF_INET6 ? 1 : 0;
}

/* What the routes of a set save when it has so many hops, and there are so many sets. */
static double savings(const struct costs *costs, const struct set *set, size_t hops, uint32_t sets)
{
	return set->uses * (costs->route + costs->hop * (double)hops) + costs->set * sets;
}

/* What the objects of a set cost, those of its hops by halves, thirds, ... where other sets have
 * them too. */
static double price(const struct sharing *x, const struct costs *costs, const struct set *set)
{
	double sum = set->hops > 1 ? costs->object : 0;
	for (uint32_t i = 0; i < set->hops; i++) {
		const struct hop *hop = hop_at(x, members_of(x, set)[i].hop);
		sum += (costs->object + (hop->oif ? 0 : costs->question)) / hop->sets;
	}
	return sum;
}

/* How many hops a set has if they are by gateways alone, told from the length of its key. */
static size_t most_hops(const struct sharing *x, const struct set *set)
{
	size_t size = sizeof(struct rtnexthop) + NLA_HDRLEN + bytes_of(family_of(x, set));
	size_t n = (set->key.length - KEY_HEAD - NLA_HDRLEN) / size;
	return n > 0 ? n : 1;
}

/* Reads the members of those sets that may pay: each needs an object of its own at least. */
static void read_sets(lua_State *L, struct sharing *x, const uint32_t count[2])
{
	for (uint32_t n = 1; n <= x->sets.count; n++) {
		struct set *set = set_at(x, n);
		int field = row_of(x, set);
		const struct costs *costs = &x->terms.costs[field];
		if (savings(costs, set, most_hops(x, set), count[field]) > costs->object)
			read_members(L, x, set);
	}
}

static bool is_moved(const struct sharing *x, const struct set *set)
{
	for (uint32_t i = 0; i < set->hops; i++)
		if (hop_at(x, members_of(x, set)[i].hop)->moved)
			return true;
	return false;
}

/* Marks the set, and its hops, where it pays. */
static bool choose(struct sharing *x, struct set *set, const uint32_t count[2])
{
	int field = row_of(x, set);
	const struct costs *costs = &x->terms.costs[field];
	set->wanted = set->hops > 0 && !is_moved(x, set) &&
		      savings(costs, set, set->hops, count[field]) > price(x, costs, set);
	for (uint32_t i = 0; set->wanted && i < set->hops; i++)
		hop_at(x, members_of(x, set)[i].hop)->wanted = true;
	return set->wanted;
}

/* [] -> []: marks the sets that pay; false where none does */
static bool choose_sets(struct batch *b, struct sharing *x)
{
	uint32_t count[2] = {0, 0};
	bool any = false;
	for (uint32_t n = 1; n <= x->sets.count; n++)
		count[row_of(x, set_at(x, n))]++;
	read_sets(b->L, x, count);
	mark_moved(b, x);
	for (uint32_t n = 1; n <= x->sets.count; n++)
		any = choose(x, set_at(x, n), count) || any;
	return any;
}

/* --- routes that refer to objects ------------------------------------------------------------ */

/* Makes the route refer to an object: its hops go, which take more room than the number that comes.
 */
static void refer(struct nlmsghdr *m, uint32_t id)
{
	struct attributes all = attributes_of(m, sizeof(struct rtmsg));
	const struct nlattr *a;
	uint8_t *to = (uint8_t *)m + NLMSG_HDRLEN + sizeof(struct rtmsg);
	while ((a = next_attribute(&all))) {
		size_t length = NLA_ALIGN(a->nla_len);
		if (says_hops(a))
			continue;
		if (to != (const uint8_t *)a) /* behind what went */
			memmove(to, a, length);
		to += length;
	}
	struct nlattr attr = {.nla_len = NLA_HDRLEN + sizeof(id), .nla_type = RTA_NH_ID};
	memcpy(to, &attr, sizeof(attr));
	memcpy(to + NLA_HDRLEN, &id, sizeof(id));
	m->nlmsg_len = (uint32_t)(to + NLA_HDRLEN + sizeof(id) - (uint8_t *)m);
}

/* Has sets of next hops become objects, and rewrites the routes of the window that have them. */
void share_window(struct batch *b)
{
	struct sharing *x = b->sharing;
	bool shared = number_sets(b, x) && choose_sets(b, x) && know_objects(b, x);
	if (shared) {
		ask_devices(b, x);
		make_objects(b, x);
	}
	for (size_t i = 0; i < b->count; i++) {
		struct change *c = change_at(b, i);
		struct made *o = NULL;
		if (shared && c->set && set_at(x, c->set)->object)
			o = made_at(x, set_at(x, c->set)->object);
		if (!o || !o->id) {
			c->set = 0;
			continue;
		}
		o->uses++;
		refer(message_at(b, i), o->id);
	}
}

/*
 * Change `i` was refused: its object has a route less. Returns the message as it was before it
 * referred to that, from the fixed header on, to be told of. [] -> [buffer with it]
 */
const struct buffer *share_refused(struct batch *b, size_t i)
{
	struct sharing *x = b->sharing;
	const struct set *set = set_at(x, change_at(b, i)->set);
	const struct nlmsghdr *m = message_at(b, i);
	struct buffer *told = buffer_new(b->L);
	size_t kept = m->nlmsg_len - NLMSG_HDRLEN - NLA_HDRLEN - sizeof(uint32_t);
	memcpy(buffer_room(b->L, told, kept), (const uint8_t *)m + NLMSG_HDRLEN, kept);
	memcpy(buffer_room(b->L, told, set->key.length - KEY_HEAD),
	       pool_key(&x->sets, &set->key) + KEY_HEAD, set->key.length - KEY_HEAD);
	made_at(x, set->object)->uses--;
	return told;
}

/* --- for Lua --------------------------------------------------------------------------------- */

static double number_in(lua_State *L, int table, const char *key)
{
	lua_getfield(L, table, key);
	double value = luaL_checknumber(L, -1);
	lua_pop(L, 1);
	return value;
}

static void read_terms(lua_State *L, int table, struct terms *t)
{
	static const char *const fields[] = {"ipv4", "ipv6"};
	luaL_checktype(L, table, LUA_TTABLE);
	t->proto = (uint8_t)number_in(L, table, "proto");
	t->first_id = (uint32_t)number_in(L, table, "first_id");
	for (int i = 0; i < 2; i++) {
		lua_getfield(L, table, fields[i]);
		int field = lua_gettop(L);
		luaL_checktype(L, field, LUA_TTABLE);
		t->costs[i] = (struct costs){.route = number_in(L, field, "route"),
					     .hop = number_in(L, field, "hop"),
					     .set = number_in(L, field, "set"),
					     .object = number_in(L, field, "object"),
					     .question = number_in(L, field, "question")};
		lua_pop(L, 1);
	}
}

enum {
	SOCKET = 1, /* user values: the socket, then the buffers */
	ARENAS = 15
};

/*
 * socket:sharing(terms) -> what batches over this socket share. When it is closed, objects that it
 * made and that no route came to refer to are deleted.
 */
int socket_sharing(lua_State *L)
{
	check_socket(L);
	lua_settop(L, 2);
	struct sharing *x = lua_newuserdatauv(L, sizeof(*x), SOCKET + ARENAS);
	*x = (struct sharing){.kernel = UNASKED};
	read_terms(L, 2, &x->terms);
	x->last_id = x->terms.first_id;
	luaL_checkstack(L, ARENAS, "too many values");
	lua_pushvalue(L, 1);
	pool_open(L, &x->sets, sizeof(struct set));
	pool_open(L, &x->hops, sizeof(struct hop));
	pool_open(L, &x->objects, sizeof(struct made));
	places_open(L, &x->ids, 0);
	x->members = buffer_new(L);
	x->created = buffer_new(L);
	x->order = buffer_new(L);
	x->group = buffer_new(L);
	x->scratch = buffer_new(L);
	for (int i = lua_gettop(L); i > 3; i--)
		lua_setiuservalue(L, 3, i - 3);
	luaL_setmetatable(L, RTNL_SHARING);
	return 1;
}

/* What batches over the socket at stack index 1 share; its numbers are those of one kernel. */
struct sharing *check_sharing(lua_State *L, int index)
{
	struct sharing *x = luaL_checkudata(L, index, RTNL_SHARING);
	lua_getiuservalue(L, index, SOCKET);
	if (!lua_rawequal(L, -1, 1)) {
		lua_pushliteral(L, "sharing: it is another handle's");
		throw_at_caller(L);
	}
	lua_pop(L, 1);
	return x;
}

/* The socket, and what its batches shared. */
static int tidy_up(lua_State *L)
{
	struct sharing *x = check_sharing(L, 2);
	delete_unused(L, check_socket(L), x);
	x->created->length = 0;
	return 0;
}

static int sharing_close(lua_State *L)
{
	luaL_checkudata(L, 1, RTNL_SHARING);
	lua_settop(L, 1);
	lua_getiuservalue(L, 1, SOCKET);
	struct sock *s = lua_touserdata(L, -1);
	lua_insert(L, 1);
	return s->nl ? guard_call(L, &s->guard, tidy_up) : 0;
}

void sharing_register(lua_State *L)
{
	luaL_newmetatable(L, RTNL_SHARING);
	lua_pushcfunction(L, sharing_close);
	lua_setfield(L, -2, "__close");
	lua_pop(L, 1);
}
