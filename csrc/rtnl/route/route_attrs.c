/*
 * The attributes of a route that are neither its key nor its next hops: numbers and addresses.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static struct attr_value read_value(const struct field *f, const struct nlattr *a, uint8_t family)
{
	struct attr_value v = {.type = NOTHING};
	size_t size = a ? payload_length(a) : 0;
	if (!a)
		return v;
	v.type = OTHER;
	if (f->type == FIELD_INT && size == f->size) {
		v.type = NUMBER;
		v.number = (uint32_t)read_uint(payload(a), size, f->flags & F_BE);
	} else if (f->type == FIELD_ADDRESS && size == address_size(family)) {
		v.type = ADDRESS;
		memcpy(v.address, payload(a), size);
	}
	return v;
}

/* The attribute of a field, which may be one of the metrics. */
static const struct nlattr *find_value(const struct route *route, const struct field *f,
				       bool metric)
{
	if (!metric)
		return attr_of(route, f->attr);
	const struct nlattr *nest = attr_of(route, RTA_METRICS), *a = NULL;
	for (size_t at = 0; nest && (a = attr_at(payload(nest), payload_length(nest), at)) &&
			    attr_type(a) != f->attr;)
		at += NLA_ALIGN(a->nla_len);
	return a;
}

struct attr_value value_in_route(const struct route *route, const struct field *f, bool metric)
{
	if (!(f->flags & F_HEADER))
		return read_value(f, find_value(route, f, metric), route->key.family);
	struct attr_value v = {.number = message_of(route)[f->offset]};
	v.type = f->type != FIELD_INT			    ? OTHER
		 : v.number == 0 && (f->flags & F_DEFAULT0) ? NOTHING
							    : NUMBER;
	return v;
}

/* False where the value is not read here, or enough was seen. */
static bool hand_on(const struct route_reader *r, const struct route_attr *a, attr_fn *fn,
		    void *arg)
{
	bool medium = a->f == r->pref && a->value.number == 0; /* goes without saying */
	if (a->value.type == OTHER)
		return false;
	return a->value.type == NOTHING || medium || fn(arg, a);
}

static bool each_metric(const struct route_reader *r, const struct route *route, attr_fn *fn,
			void *arg)
{
	const struct nlattr *nest = attr_of(route, RTA_METRICS), *a;
	for (size_t at = 0; nest && (a = attr_at(payload(nest), payload_length(nest), at));
	     at += NLA_ALIGN(a->nla_len)) {
		struct route_attr one = {.f = sub_schema(r->metrics)->fields, .metric = true};
		while (one.f->type != FIELD_NONE && one.f->attr != attr_type(a))
			one.f++;
		if (one.f->type == FIELD_NONE)
			continue;
		one.value = read_value(one.f, a, route->key.family);
		if (!hand_on(r, &one, fn, arg))
			return false;
	}
	return true;
}

/* Skips what only the kernel sets: flags and counters. */
bool each_attr(const struct route_reader *r, const struct route *route, attr_fn *fn, void *arg)
{
	const struct field *const fields[] = {r->proto, r->src, r->nhid, r->pref};
	uint64_t known = 1 << RTA_DST | 1 << RTA_TABLE | 1 << RTA_PRIORITY | 1 << RTA_OIF |
			 1 << RTA_GATEWAY | 1 << RTA_VIA | 1 << RTA_MULTIPATH | 1 << RTA_CACHEINFO |
			 1 << RTA_METRICS | 1 << RTA_PREFSRC | 1 << RTA_NH_ID | 1 << RTA_PREF;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		struct route_attr one = {.f = fields[i],
					 .value = value_in_route(route, fields[i], false)};
		bool any = fields[i] == r->proto && !(route->given & r->of_proto);
		if (!any && !hand_on(r, &one, fn, arg))
			return false;
	}
	for (int type = 0; type <= RTA_MAX; type++)
		if (route->attr[type] && !(known >> type & 1))
			return false;
	return each_metric(r, route, fn, arg);
}
