/*
 * Whether two messages of one kind say the same, by rows: what changes by itself is left out.
 */
#include "rtnl.h"

#include <string.h>

static bool same_attr(const struct stretch *a, const struct stretch *b, uint16_t type)
{
	const struct nlattr *x = find_attr(a, type), *y = find_attr(b, type);
	if (!x || !y)
		return x == y;
	return x->nla_len == y->nla_len && memcmp(payload(x), payload(y), payload_length(x)) == 0;
}

static bool same_hops(const struct stretch *a, const struct stretch *b, const struct field *f)
{
	struct hop_cursor x = hops_of(a, f), y = hops_of(b, f);
	struct stretch hop, other;
	while (next_hop(&x, &hop))
		if (!next_hop(&y, &other) || !same_stretch(&hop, &other))
			return false;
	return !next_hop(&y, &other);
}

static bool same_header(const struct stretch *a, const struct stretch *b, const struct field *f)
{
	uint64_t mask = f->kind == K_BIT ? f->mask : UINT64_MAX;
	return ((read_uint(a->data + f->offset, f->size, false) ^
		 read_uint(b->data + f->offset, f->size, false)) &
		mask) == 0;
}

static bool same_nest(const struct stretch *a, const struct stretch *b, const struct field *f)
{
	struct stretch x, y;
	bool in_a = stretch_of_nest(a, f, &x), in_b = stretch_of_nest(b, f, &y);
	if (!in_a || !in_b)
		return in_a == in_b;
	return same_stretch(&x, &y);
}

static bool same_field(const struct stretch *a, const struct stretch *b, const struct field *f)
{
	if (f->flags & F_HEADER)
		return same_header(a, b, f);
	switch (f->kind) {
	case K_HOPS:
		return same_hops(a, b, f);
	case K_TABLE:
		return table_number(a, f->attr, f->offset) == table_number(b, f->attr, f->offset);
	case K_NEST:
		return same_nest(a, b, f);
	case K_VIA:
		return same_attr(a, b, f->attr) && (!f->offset || same_attr(a, b, f->offset));
	case K_PREFIX:
		return a->data[f->offset] == b->data[f->offset] && same_attr(a, b, f->attr);
	case K_ENCAP:
		return same_attr(a, b, f->offset) && same_attr(a, b, f->attr);
	default:
		return same_attr(a, b, f->attr);
	}
}

bool same_stretch(const struct stretch *a, const struct stretch *b)
{
	if (a->schema != b->schema)
		return false;
	for (const struct field *f = a->schema->rows; f->kind != K_NONE; f++)
		if (!(f->flags & F_VOLATILE) && !same_field(a, b, f))
			return false;
	return true;
}
