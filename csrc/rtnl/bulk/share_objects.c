/*
 * Next-hop objects for the sets of a batch: those that are there already, those that are made, and
 * those that are deleted again because no route came to refer to them.
 */
#define _GNU_SOURCE
#include "rtnl/bulk/share.h"

#include "rtnl/netlink/extack.h"

#include <linux/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- keys: the message that makes an object, without its number ------------------------------ */

struct single {
	struct nhmsg header;
	struct nlattr oif_head;
	uint32_t oif;
	struct nlattr gateway_head;
	uint8_t gateway[16];
};

struct group {
	struct nhmsg header;
	struct nlattr head;
	struct nexthop_grp members[];
};

static struct nlattr attribute(uint16_t type, size_t length)
{
	return (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
}

static uint32_t number_single(lua_State *L, struct sharing *x, const struct way *way, uint32_t oif)
{
	size_t size = bytes_of(way->family);
	struct single key = {.header = {.nh_family = way->family,
					.nh_protocol = x->terms.proto,
					.nh_flags = way->onlink ? RTNH_F_ONLINK : 0},
			     .oif_head = attribute(NHA_OIF, sizeof(oif)),
			     .oif = oif,
			     .gateway_head = attribute(NHA_GATEWAY, size)};
	memcpy(key.gateway, way->gateway, sizeof(key.gateway));
	return pool_number(L, &x->objects, &key, offsetof(struct single, gateway) + size);
}

static void begin_group(lua_State *L, struct sharing *x)
{
	x->group->length = 0;
	buffer_room(L, x->group, sizeof(struct group));
}

static void add_members(lua_State *L, struct sharing *x, const void *members, size_t length)
{
	memcpy(buffer_room(L, x->group, length), members, length);
}

static uint32_t number_group(lua_State *L, struct sharing *x)
{
	struct group *key = (void *)x->group->base;
	*key = (struct group){.header = {.nh_family = AF_UNSPEC, .nh_protocol = x->terms.proto},
			      .head = attribute(NHA_GROUP, x->group->length - sizeof(*key))};
	return pool_number(L, &x->objects, key, x->group->length);
}

/* The members of a group, of which there are *n; NULL of a single object. */
static const struct nexthop_grp *group_of(const struct sharing *x, const struct made *o, size_t *n)
{
	const struct group *key = (const void *)pool_key(&x->objects, &o->key);
	*n = (key->head.nla_len - NLA_HDRLEN) / sizeof(key->members[0]);
	return key->head.nla_type == NHA_GROUP ? key->members : NULL;
}

/* --- what is there --------------------------------------------------------------------------- */

static uint32_t hash_of_id(uint32_t id)
{
	return places_hash(&id, sizeof(id));
}

static bool is_taken(const struct sharing *x, uint32_t id)
{
	const struct cursor *at = places_first(&x->ids, hash_of_id(id));
	while (at->number && at->number != id)
		at = places_next(&x->ids, at);
	return at->number;
}

/* What a dump says of an object. */
struct told {
	const struct nlattr *attr[NHA_MAX + 1];
};

static bool has(const struct told *t, int type, size_t length)
{
	return t->attr[type] && t->attr[type]->nla_len == NLA_HDRLEN + length;
}

static bool is_group(const struct told *t)
{
	uint16_t type = NEXTHOP_GRP_TYPE_MPATH;
	if (has(t, NHA_GROUP_TYPE, sizeof(type)))
		memcpy(&type, payload_of(t->attr[NHA_GROUP_TYPE]), sizeof(type));
	return t->attr[NHA_GROUP] && type == NEXTHOP_GRP_TYPE_MPATH &&
	       (t->attr[NHA_GROUP]->nla_len - NLA_HDRLEN) % sizeof(struct nexthop_grp) == 0;
}

static bool is_single(const struct told *t, int family)
{
	return has(t, NHA_OIF, 4) && has(t, NHA_GATEWAY, bytes_of(family)) && !t->attr[NHA_ENCAP] &&
	       !t->attr[NHA_BLACKHOLE] && !t->attr[NHA_FDB];
}

/* The number of an object by what it holds; 0 where it is of no use to us. */
static uint32_t usable(lua_State *L, struct sharing *x, const struct nhmsg *header,
		       const struct told *t)
{
	if (header->nh_protocol != x->terms.proto ||
	    header->nh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return 0;
	if (is_group(t)) {
		begin_group(L, x);
		add_members(L, x, payload_of(t->attr[NHA_GROUP]),
			    t->attr[NHA_GROUP]->nla_len - NLA_HDRLEN);
		return number_group(L, x);
	}
	if (!is_single(t, header->nh_family))
		return 0;
	struct way way = {.family = header->nh_family,
			  .onlink = header->nh_flags & RTNH_F_ONLINK ? 1 : 0};
	uint32_t oif;
	memcpy(way.gateway, payload_of(t->attr[NHA_GATEWAY]), bytes_of(way.family));
	memcpy(&oif, payload_of(t->attr[NHA_OIF]), sizeof(oif));
	return number_single(L, x, &way, oif);
}

static void note_object(lua_State *L, struct sharing *x, const struct nlmsghdr *m)
{
	const struct nhmsg *header = (const void *)((const uint8_t *)m + NLMSG_HDRLEN);
	struct attributes all = attributes_of(m, sizeof(*header));
	struct told t = {.attr = {NULL}};
	const struct nlattr *a;
	uint32_t id;
	while ((a = next_attribute(&all)))
		if ((a->nla_type & NLA_TYPE_MASK) <= NHA_MAX)
			t.attr[a->nla_type & NLA_TYPE_MASK] = a;
	if (!has(&t, NHA_ID, sizeof(id)))
		return;
	memcpy(&id, payload_of(t.attr[NHA_ID]), sizeof(id));
	places_add(L, &x->ids, hash_of_id(id), id);
	uint32_t n = usable(L, x, header, &t);
	if (n)
		made_at(x, n)->id = id;
}

struct survey {
	struct sharing *x;
	int error;
	bool changed; /* meanwhile */
};

static void take_object(struct pipe *p, size_t i, const struct nlmsghdr *answer)
{
	struct survey *survey = p->owner;
	struct extack e;
	(void)i;
	survey->changed = survey->changed || (answer->nlmsg_flags & NLM_F_DUMP_INTR);
	if (answer->nlmsg_type == NLMSG_ERROR || answer->nlmsg_type == NLMSG_DONE)
		read_extack(answer, &e, &survey->error);
	else if (answer->nlmsg_len >= NLMSG_HDRLEN + sizeof(struct nhmsg))
		note_object(p->L, survey->x, answer);
}

/* Reads what the kernel has; false where it has no such objects, or they change all the time. */
static bool survey(struct batch *b, struct sharing *x)
{
	enum {
		TRIES = 32
	};
	const struct nhmsg all = {.nh_family = AF_UNSPEC};
	struct survey told;
	struct pipe p;
	pipe_open(b->L, &p, b->s, take_object, &told);
	for (int i = 0; i < TRIES; i++) {
		told = (struct survey){.x = x};
		pool_clear(&x->objects);
		places_clear(&x->ids);
		pipe_begin(&p, b->s->seq + 1, 0);
		memcpy(pipe_room(&p, NLMSG_HDRLEN + sizeof(all), RTM_GETNEXTHOP, NLM_F_DUMP), &all,
		       sizeof(all));
		pipe_flush(&p);
		if (told.error || !told.changed)
			break;
	}
	pipe_close(&p);
	lua_pop(b->L, 1);
	return !told.error && !told.changed;
}

/* Whether the kernel has such objects; what it has of them is known from then on. */
bool know_objects(struct batch *b, struct sharing *x)
{
	if (x->kernel == UNASKED)
		x->kernel = survey(b, x) ? KNOWN : ABSENT;
	return x->kernel == KNOWN;
}

/* --- making ---------------------------------------------------------------------------------- */

static void put_object(struct pipe *p, struct sharing *x, uint32_t n, uint16_t type)
{
	const struct nhmsg none = {.nh_family = AF_UNSPEC};
	const struct made *o = made_at(x, n);
	bool new = type == RTM_NEWNEXTHOP;
	size_t length = new ? o->key.length : sizeof(none);
	const struct nlattr id = attribute(NHA_ID, sizeof(o->id));
	memcpy(buffer_room(p->L, x->order, sizeof(n)), &n, sizeof(n));
	uint8_t *m = pipe_room(p, NLMSG_HDRLEN + length + NLA_HDRLEN + sizeof(o->id), type,
			       new ? NLM_F_CREATE | NLM_F_EXCL : 0);
	memcpy(m, new ? pool_key(&x->objects, &o->key) : (const void *)&none, length);
	memcpy(m + length, &id, sizeof(id));
	memcpy(m + length + NLA_HDRLEN, &o->id, sizeof(o->id));
}

/* An object of this batch. Ids are given in ascending order. */
struct creation {
	uint32_t id, object;
};

static const struct creation *creations(const struct sharing *x, size_t *n)
{
	*n = x->created->length / sizeof(struct creation);
	return (const void *)x->created->base;
}

/* The object of this batch that has the id, or 0. */
static uint32_t created(const struct sharing *x, uint32_t id)
{
	size_t low = 0, high, count;
	const struct creation *list = creations(x, &count);
	for (high = count; low < high;) {
		size_t middle = (low + high) / 2;
		if (list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && list[low].id == id ? list[low].object : 0;
}

/* A group is not there, or goes: its members are used once less. */
static void release_members(const struct sharing *x, const struct made *o)
{
	size_t count;
	const struct nexthop_grp *member = group_of(x, o, &count);
	for (size_t i = 0; member && i < count; i++) {
		uint32_t n = created(x, member[i].id);
		if (n)
			made_at(x, n)->uses--;
	}
}

/* A refused object is forgotten: its routes go by hops, and the kernel says of each what it thinks.
 */
static void take_made(struct pipe *p, size_t i, const struct nlmsghdr *answer)
{
	struct sharing *x = p->owner;
	struct made *o = made_at(x, ((const uint32_t *)(const void *)x->order->base)[i]);
	struct extack e;
	int error;
	if (answer->nlmsg_type != NLMSG_ERROR || !read_extack(answer, &e, &error) || !error)
		return;
	o->id = 0;
	release_members(x, o);
}

static void create(struct pipe *p, struct sharing *x, uint32_t n)
{
	do
		x->last_id++;
	while (is_taken(x, x->last_id));
	struct creation c = {.id = x->last_id, .object = n};
	memcpy(buffer_room(p->L, x->created, sizeof(c)), &c, sizeof(c));
	made_at(x, n)->id = c.id;
	put_object(p, x, n, RTM_NEWNEXTHOP);
}

/* The object of a hop, tried once in a window. */
static struct made *object_of(struct pipe *p, struct sharing *x, struct hop *hop)
{
	if (!hop->object) {
		hop->object = number_single(p->L, x, way_of(x, hop), hop->oif);
		if (!made_at(x, hop->object)->id)
			create(p, x, hop->object);
	}
	return made_at(x, hop->object);
}

static bool has_devices(const struct sharing *x, const struct set *set)
{
	for (uint32_t i = 0; i < set->hops; i++)
		if (!hop_at(x, members_of(x, set)[i].hop)->oif)
			return false;
	return true;
}

/* Lists the objects of the set's hops; false where one was refused, or two hops are one. */
static bool list_members(struct pipe *p, struct sharing *x, const struct set *set)
{
	begin_group(p->L, x);
	x->asked++;
	for (uint32_t i = 0; i < set->hops; i++) {
		const struct member *m = &members_of(x, set)[i];
		struct made *o = object_of(p, x, hop_at(x, m->hop));
		if (!o->id || o->seen == x->asked)
			return false;
		o->seen = x->asked;
		struct nexthop_grp g = {.id = o->id, .weight = m->weight};
		add_members(p->L, x, &g, sizeof(g));
	}
	return true;
}

static void make_group(struct pipe *p, struct sharing *x, struct set *set)
{
	set->object = number_group(p->L, x);
	if (made_at(x, set->object)->id)
		return;
	create(p, x, set->object);
	for (uint32_t i = 0; i < set->hops; i++)
		made_at(x, hop_at(x, members_of(x, set)[i].hop)->object)->uses++;
}

/* [] -> []: has an object for each wanted set, as far as the kernel makes them */
void make_objects(struct batch *b, struct sharing *x)
{
	lua_State *L = b->L;
	int top = lua_gettop(L);
	struct pipe p;
	pipe_open(L, &p, b->s, take_made, x);
	pipe_begin(&p, b->s->seq + 1, 0);
	x->order->length = 0;
	for (uint32_t n = 1; n <= x->sets.count; n++) {
		struct set *set = set_at(x, n);
		if (!set->wanted || !has_devices(x, set) || !list_members(&p, x, set))
			continue;
		if (set->hops > 1)
			make_group(&p, x, set);
		else
			set->object = hop_at(x, members_of(x, set)->hop)->object;
	}
	pipe_flush(&p);
	pipe_close(&p);
	lua_settop(L, top);
}

static void ignore(struct pipe *p, size_t i, const struct nlmsghdr *answer)
{
	(void)p;
	(void)i;
	(void)answer;
}

/* [] -> []: deletes what was made and serves nobody: groups first, which were made last, since
 * their members are in use until then */
void delete_unused(lua_State *L, struct sock *s, struct sharing *x)
{
	int top = lua_gettop(L);
	size_t count;
	struct pipe p;
	pipe_open(L, &p, s, ignore, x);
	pipe_begin(&p, s->seq + 1, 0);
	const struct creation *list = creations(x, &count);
	for (; count > 0; count--) {
		const struct creation *c = &list[count - 1];
		const struct made *o = made_at(x, c->object);
		if (o->id != c->id || o->uses > 0)
			continue;
		put_object(&p, x, c->object, RTM_DELNEXTHOP);
		release_members(x, o);
	}
	pipe_flush(&p);
	pipe_close(&p);
	lua_settop(L, top);
}
