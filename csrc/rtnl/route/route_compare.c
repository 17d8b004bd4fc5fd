/*
 * Whether the route that is there is the one that is wanted. What `want` leaves out matches
 * anything; next hops are a set. The rules are those of lua/ecmp/fib/route.lua; a SAME or DIFFERENT
 * said here is what would be said there.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- next hops ------------------------------------------------------------------------------- */

static bool hop_matches(const struct plain_hop *have, const struct plain_hop *want, bool alone)
{
	return have->family == want->family && have->onlink == want->onlink &&
	       (alone || have->weight == want->weight) &&
	       memcmp(have->via, want->via, sizeof(have->via)) == 0 &&
	       (!want->dev || (have->dev && strcmp(have->dev, want->dev) == 0));
}

/* Finds a hop of its own for each that names a device, or for each that does not. */
static bool pair(const struct plain_route *have, const struct plain_route *want, bool named,
		 uint32_t *taken)
{
	for (int i = 0; i < want->count; i++) {
		const struct plain_hop *hop = &want->hops[i];
		int k = 0;
		if ((hop->dev != NULL) != named)
			continue;
		while (k < have->count &&
		       (*taken >> k & 1 || !hop_matches(&have->hops[k], hop, have->count == 1)))
			k++;
		if (k == have->count)
			return false;
		*taken |= (uint32_t)1 << k;
	}
	return true;
}

/* A hop that names no device takes any, so it chooses last. */
static bool hops_match(const struct plain_route *have, const struct plain_route *want)
{
	uint32_t taken = 0;
	return have->count == want->count && pair(have, want, true, &taken) &&
	       pair(have, want, false, &taken);
}

static bool names_device(const struct plain_route *want)
{
	for (int i = 0; i < want->count; i++)
		if (want->hops[i].dev)
			return true;
	return false;
}

/* --- everything else ------------------------------------------------------------------------- */

/* The same field of a route that is there. */
static struct plain_value held_value(struct route_reader *r, const struct plain_route *have,
				     const struct field *f, bool metric)
{
	if (have->v)
		return value_in_view(have, f, metric);
	struct plain_value v = {.type = NOTHING};
	lua_pushstring(r->L, f->key);
	if (lua_rawget(r->L, have->index) != LUA_TNIL)
		v = value_in_table(r, have, f, lua_gettop(r->L));
	lua_pop(r->L, 1);
	return v;
}

/* The worse of two verdicts. */
static enum verdict both(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

struct comparison {
	struct route_reader *r;
	const struct plain_route *have; /* NULL: nothing is there */
	enum verdict verdict;
};

/* What is wanted of one field against what is there. */
static bool compare_one(void *arg, const struct said *want)
{
	struct comparison *c = arg;
	struct plain_value there = {.type = NOTHING};
	if (c->have)
		there = held_value(c->r, c->have, want->f, want->metric);
	bool same = there.type == want->value.type && there.number == want->value.number &&
		    memcmp(there.address, want->value.address, sizeof(there.address)) == 0;
	enum verdict one = there.type == ODD ? UNSURE : same ? SAME : DIFFERENT;
	c->verdict = both(c->verdict, one);
	return one != UNSURE;
}

static enum verdict compare_said(struct route_reader *r, const struct plain_route *have,
				 const struct plain_route *want)
{
	struct comparison c = {r, have, SAME};
	return each_said(r, want, compare_one, &c) ? c.verdict : UNSURE;
}

static enum verdict compare_scopes(struct route_reader *r, struct plain_route *have,
				   struct plain_route *want)
{
	uint32_t scope;
	if (!read_scope(r, want) || (!want->v && !read_number(r, want, R_SCOPE, &scope)))
		return UNSURE;
	if (!have || want->slot.family == AF_INET6 || !says_scope(r, want))
		return SAME;
	if (!read_scope(r, have))
		return UNSURE;
	return have->slot.scope == want->slot.scope ? SAME : DIFFERENT;
}

static bool is_by_object(const struct route_reader *r, const struct plain_route *want)
{
	return want->count == 0 &&
	       (want->v ? want->attr[RTA_NH_ID] != 0 : field_value(r, want, R_NHID) != 0);
}

/* Whether a route can have the next hops that it has. */
static bool can_be(struct route_reader *r, struct plain_route *want)
{
	if (is_blackhole_type(want->slot.type))
		return !has_hops(r, want);
	return want->slot.type == RTN_UNICAST && read_wanted_hops(r, want) &&
	       (want->count > 0 || is_by_object(r, want));
}

static enum verdict compare_hops(struct route_reader *r, struct plain_route *have,
				 const struct plain_route *want)
{
	if (have->slot.type != want->slot.type)
		return DIFFERENT;
	if (is_blackhole_type(want->slot.type) || is_by_object(r, want))
		return SAME;
	if (!read_held_hops(r, have, names_device(want)))
		return UNSURE;
	return hops_match(have, want) ? SAME : DIFFERENT;
}

/*
 * `have` and `want` have been read so far as to know that their slots are equal; `have` may be
 * NULL. What is not the same is DIFFERENT only where it is sure that the wanted route can be one.
 */
enum verdict compare_routes(struct route_reader *r, struct plain_route *have,
			    struct plain_route *want, bool exactly)
{
	if (want->fields.strange || (have && have->fields.strange) || !can_be(r, want))
		return UNSURE;
	enum verdict all = compare_scopes(r, have, want);
	all = both(all, compare_said(r, have, want));
	if (have)
		all = both(all, compare_hops(r, have, want));
	if (have && exactly && all == SAME)
		all = compare_said(r, want, have);
	return all == UNSURE || have ? all : DIFFERENT;
}
