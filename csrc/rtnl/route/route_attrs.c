/*
 * What a route says beside its slot, its scope and its next hops: numbers and addresses, whichever
 * way it is written.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/export.h"

/* False where the value is not read here, or nobody wants to hear more. */
static bool tell(const struct route_reader *r, const struct said *one, said_fn *fn, void *arg)
{
	bool medium = one->f == r->field[R_PREF] && one->value.number == 0;
	if (one->value.type == ODD)
		return false;
	/* what goes without saying */
	return one->value.type == NOTHING || medium || fn(arg, one);
}

static bool each_of_table(struct route_reader *r, const struct plain_route *route, said_fn *fn,
			  void *arg)
{
	for (int n = 0; n < route->fields.count; n++) {
		const struct field *field = &schema_route.fields[route->fields.field[n]];
		if (r->settled >> route->fields.field[n] & 1 || field == r->field[R_SCOPE])
			continue;
		struct said one = {.f = row_of_field(r, route, n),
				   .metric = field->type == FIELD_NEST};
		one.value = value_in_table(r, route, one.f, route->fields.top + 2 * n + 2);
		if (!tell(r, &one, fn, arg))
			return false;
	}
	return true;
}

static bool each_metric(struct route_reader *r, const struct plain_route *route, said_fn *fn,
			void *arg)
{
	const struct nlattr *nest = attr_of(route, RTA_METRICS), *a;
	for (size_t at = 0; (a = attr_at(payload(nest), payload_length(nest), at));
	     at += NLA_ALIGN(a->nla_len)) {
		struct said one = {.f = sub_schema(r->metrics)->fields, .metric = true};
		while (one.f->type != FIELD_NONE && one.f->attr != (a->nla_type & NLA_TYPE_MASK))
			one.f++;
		if (one.f->type == FIELD_NONE)
			continue;
		one.value = value_of_attr(one.f, a, route->slot.family);
		if (!tell(r, &one, fn, arg))
			return false;
	}
	return true;
}

/* The attributes of a view, and the protocol in its header. What only the kernel says is nobody's
 * word: its flags, and what it counts. */
static bool each_of_view(struct route_reader *r, const struct plain_route *route, said_fn *fn,
			 void *arg)
{
	static const enum route_key keys[] = {R_PROTO, R_SRC, R_NHID, R_PREF};
	uint64_t known = 1 << RTA_DST | 1 << RTA_TABLE | 1 << RTA_PRIORITY | 1 << RTA_OIF |
			 1 << RTA_GATEWAY | 1 << RTA_VIA | 1 << RTA_MULTIPATH | 1 << RTA_CACHEINFO |
			 1 << RTA_METRICS;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct said one = {.f = r->field[keys[i]]};
		bool any = keys[i] == R_PROTO && route->v->flags & ANY_PROTO;
		known |= one.f->flags & F_HEADER ? 0 : (uint64_t)1 << one.f->attr;
		one.value = value_in_view(route, one.f, false);
		if (!any && !tell(r, &one, fn, arg))
			return false;
	}
	for (int type = 0; type <= RTA_MAX; type++)
		if (route->attr[type] && !(known >> type & 1))
			return false;
	return !route->attr[RTA_METRICS] || each_metric(r, route, fn, arg);
}

bool each_said(struct route_reader *r, const struct plain_route *route, said_fn *fn, void *arg)
{
	return route->v ? each_of_view(r, route, fn, arg) : each_of_table(r, route, fn, arg);
}
