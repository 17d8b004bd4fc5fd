/*
 * Whether the route that is there is the one that is wanted. What `want` leaves out matches
 * anything; next hops are a set. The rules are those of lua/ecmp/identity.lua; a SAME or DIFFERENT
 * said here is what would be said there.
 */
#define _GNU_SOURCE
#include "rtnl_route.h"

#include <string.h>
#include <sys/socket.h>

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

/* A value that is nothing but what is there without being asked for. */
static bool is_default(const struct route_reader *r, const struct field *f,
		       const struct plain_value *v)
{
	return f == r->row[R_PREF] && v->kind == NUMBER && v->number == 0; /* medium */
}

/* The same row of a route that is there. */
static struct plain_value held_value(struct route_reader *r, const struct plain_route *have,
				     const struct field *f, bool metric)
{
	if (have->v)
		return value_in_view(have, f, metric);
	struct plain_value v = {.kind = NOTHING};
	lua_pushstring(r->L, f->key);
	if (lua_rawget(r->L, have->index) != LUA_TNIL)
		v = value_in_table(r, have, f, lua_gettop(r->L));
	lua_pop(r->L, 1);
	return v;
}

/* What is wanted of one row against what is there; `have` may be NULL: nothing is. */
static enum verdict compare_value(struct route_reader *r, const struct plain_route *have,
				  const struct field *f, bool metric,
				  const struct plain_value *want)
{
	if (want->kind == ODD)
		return UNSURE;
	if (want->kind == NOTHING || is_default(r, f, want))
		return SAME;
	if (!have)
		return DIFFERENT;
	struct plain_value there = held_value(r, have, f, metric);
	if (there.kind == ODD)
		return UNSURE;
	bool same = there.kind == want->kind && there.number == want->number &&
		    memcmp(there.address, want->address, sizeof(want->address)) == 0;
	return same ? SAME : DIFFERENT;
}

/* The worse of two verdicts. */
static enum verdict both(enum verdict a, enum verdict b)
{
	return a > b ? a : b;
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

/* The fields of a table. */
static enum verdict compare_fields(struct route_reader *r, const struct plain_route *have,
				   const struct plain_route *want)
{
	enum verdict all = SAME;
	for (int n = 0; n < want->fields.count && all != UNSURE; n++) {
		const struct field *row = &schema_route.rows[want->fields.row[n]];
		if (r->settled >> want->fields.row[n] & 1 || row == r->row[R_SCOPE])
			continue;
		const struct field *f = row_of_field(r, want, n);
		struct plain_value v = value_in_table(r, want, f, want->fields.top + 2 * n + 2);
		all = both(all, compare_value(r, have, f, row->kind == K_NEST, &v));
	}
	return all;
}

static enum verdict compare_metrics(struct route_reader *r, const struct plain_route *have,
				    const struct plain_route *want)
{
	const struct nlattr *nest = attr_of(want, RTA_METRICS), *a;
	const uint8_t *data = (const uint8_t *)nest + NLA_HDRLEN;
	enum verdict all = SAME;
	size_t at = 0, size = nest->nla_len - (size_t)NLA_HDRLEN;
	for (; (a = attr_at(data, size, at)); at += NLA_ALIGN(a->nla_len)) {
		const struct field *f = r->metrics->sub->rows;
		while (f->kind != K_NONE && f->attr != (a->nla_type & NLA_TYPE_MASK))
			f++;
		if (f->kind == K_NONE)
			continue;
		struct plain_value v = value_of_attr(f, a, want->slot.family);
		all = both(all, compare_value(r, have, f, true, &v));
	}
	return all;
}

/* The attributes of a view, and the protocol in its header. What only the kernel says is not asked
 * for: its flags, and what it counts. */
static enum verdict compare_attrs(struct route_reader *r, const struct plain_route *have,
				  const struct plain_route *want)
{
	static const uint64_t settled = 1 << RTA_DST | 1 << RTA_TABLE | 1 << RTA_PRIORITY |
					1 << RTA_OIF | 1 << RTA_GATEWAY | 1 << RTA_VIA |
					1 << RTA_MULTIPATH | 1 << RTA_CACHEINFO;
	static const enum route_key keys[] = {R_PROTO, R_SRC, R_NHID, R_PREF};
	uint64_t known = settled | 1 << RTA_METRICS;
	enum verdict all = want->attr[RTA_METRICS] ? compare_metrics(r, have, want) : SAME;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const struct field *f = r->row[keys[i]];
		struct plain_value v = value_in_view(want, f, false);
		if (keys[i] == R_PROTO && want->v->flags & ANY_PROTO)
			v.kind = NOTHING;
		all = both(all, compare_value(r, have, f, false, &v));
		known |= f->flags & F_HEADER ? 0 : (uint64_t)1 << f->attr;
	}
	for (int type = 0; type <= RTA_MAX; type++)
		if (want->attr[type] && !(known >> type & 1))
			return UNSURE;
	return all;
}

/*
 * `have` and `want` have been read so far as to know that their slots are equal; `have` may be
 * NULL. What is not the same is DIFFERENT only where it is sure that the wanted route can be one.
 */
enum verdict compare_routes(struct route_reader *r, struct plain_route *have,
			    struct plain_route *want)
{
	if (want->fields.strange || want->slot.type != RTN_UNICAST || !read_wanted_hops(r, want))
		return UNSURE;
	bool by_object = want->count == 0 &&
			 (want->v ? want->attr[RTA_NH_ID] != 0 : field_value(r, want, R_NHID) != 0);
	if (want->count == 0 && !by_object)
		return UNSURE;
	if (have && (have->fields.strange || !read_held_hops(r, have, names_device(want))))
		return UNSURE;
	enum verdict all = compare_scopes(r, have, want);
	all = both(all, want->v ? compare_attrs(r, have, want) : compare_fields(r, have, want));
	if (all == UNSURE || !have)
		return all == UNSURE ? UNSURE : DIFFERENT;
	if (have->slot.type != want->slot.type || (!by_object && !hops_match(have, want)))
		return DIFFERENT;
	return all;
}
