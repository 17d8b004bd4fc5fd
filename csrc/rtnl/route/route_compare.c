/*
 * Compares an installed route with a desired one. What `want` leaves out matches
 * anything; next hops are a set. The rules are those of lua/ecmp/fib/route.lua; a SAME or DIFFERENT
 * said here is what would be said there.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- next hops ------------------------------------------------------------------------------- */

static bool hop_matches(const struct hop *have, const struct hop *want, bool alone)
{
	return have->family == want->family && have->onlink == want->onlink &&
	       (alone || have->weight == want->weight) &&
	       memcmp(have->via, want->via, sizeof(have->via)) == 0 &&
	       (!want->dev || (have->dev && strcmp(have->dev, want->dev) == 0));
}

/* Finds a hop of its own for each that names a device, or for each that does not. */
static bool pair(const struct route *have, const struct route *want, bool named, uint32_t *taken)
{
	for (int i = 0; i < want->count; i++) {
		const struct hop *hop = &want->hops[i];
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
static bool hops_match(const struct route *have, const struct route *want)
{
	uint32_t taken = 0;
	return have->count == want->count && pair(have, want, true, &taken) &&
	       pair(have, want, false, &taken);
}

/* An encapsulation or a realm, which are not compared here. */
static bool says_more(const struct route *have)
{
	for (int i = 0; i < have->count; i++)
		if (have->hops[i].says_more)
			return true;
	return false;
}

static bool names_device(const struct route *want)
{
	for (int i = 0; i < want->count; i++)
		if (want->hops[i].dev)
			return true;
	return false;
}

/* --- everything else ------------------------------------------------------------------------- */

/* The worse of two verdicts. */
static enum verdict both(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
}

struct comparison {
	const struct route *have; /* NULL: nothing is there */
	enum verdict verdict;
};

/* Compares one attribute of the desired route with the installed one. */
static bool compare_attr(void *arg, const struct route_attr *want)
{
	struct comparison *c = arg;
	struct attr_value there = {.type = NOTHING};
	if (c->have)
		there = value_in_route(c->have, want->f, want->metric);
	bool same = there.type == want->value.type && there.number == want->value.number &&
		    memcmp(there.address, want->value.address, sizeof(there.address)) == 0;
	enum verdict one = there.type == OTHER ? UNSURE : same ? SAME : DIFFERENT;
	c->verdict = both(c->verdict, one);
	return one != UNSURE;
}

static enum verdict compare_attrs(const struct route_reader *r, const struct route *have,
				  const struct route *want)
{
	struct comparison c = {have, SAME};
	return each_attr(r, want, compare_attr, &c) ? c.verdict : UNSURE;
}

static enum verdict compare_scopes(const struct route_reader *r, struct route *have,
				   struct route *want)
{
	if (!have || want->key.family == AF_INET6 || !(want->given & r->of_scope))
		return SAME;
	read_scope(r, want);
	read_scope(r, have);
	return have->key.scope == want->key.scope ? SAME : DIFFERENT;
}

static bool is_by_object(const struct route *want)
{
	return want->count == 0 && want->attr[RTA_NH_ID];
}

/* Whether a route can have the next hops that it has. */
static bool can_be(struct route_reader *r, struct route *want)
{
	if (is_blackhole_type(want->key.type))
		return !has_hops(r, want);
	return want->key.type == RTN_UNICAST && read_wanted_hops(r, want) &&
	       (want->count > 0 || is_by_object(want));
}

static enum verdict compare_hops(struct route_reader *r, struct route *have,
				 const struct route *want)
{
	if (have->key.type != want->key.type)
		return DIFFERENT;
	if (is_blackhole_type(want->key.type) || is_by_object(want))
		return SAME;
	if (!read_held_hops(r, have, names_device(want)) || says_more(have))
		return UNSURE;
	/* The kernel does not always tell the hops of an object. */
	if (have->count == 0 && want->attr[RTA_NH_ID])
		return SAME;
	return hops_match(have, want) ? SAME : DIFFERENT;
}

/*
 * `have` and `want` have been read so far as to know that their keys are equal; `have` may be NULL.
 * What is not the same is DIFFERENT only where it is sure that the wanted route can be one.
 */
enum verdict compare_routes(struct route_reader *r, struct route *have, struct route *want,
			    bool exactly)
{
	if (want->unclear || (have && have->unclear) || !can_be(r, want))
		return UNSURE;
	enum verdict all = compare_scopes(r, have, want);
	all = both(all, compare_attrs(r, have, want));
	if (have)
		all = both(all, compare_hops(r, have, want));
	if (have && exactly && all == SAME)
		all = compare_attrs(r, want, have);
	return all == UNSURE || have ? all : DIFFERENT;
}
