/*
 * Compares two messages of one object field by field, except volatile fields. Interfaces are
 * compared by index within one handle, else by name.
 */
#include "rtnl/view/view.h"

#include "rtnl/netlink/ifname.h"

#include <string.h>

#include "common/export.h"

struct sides {
	lua_State *L;
	int names[2]; /* stack indices */
	bool two_handles;
};

static bool same_span(const struct sides *s, const struct span *a, const struct span *b);

static bool same_link(const struct sides *s, uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0 || (!s->two_handles && a < INVENTED && b < INVENTED))
		return a == b;
	const char *one = ifnames_name(s->L, s->names[0], a);
	const char *other = ifnames_name(s->L, s->names[1], b);
	bool same = strcmp(one, other) == 0;
	lua_pop(s->L, 2);
	return same;
}

static bool same_attr(const struct span *a, const struct span *b, uint16_t type)
{
	const struct nlattr *x = find_attr(a, type), *y = find_attr(b, type);
	if (!x || !y)
		return x == y;
	return x->nla_len == y->nla_len && memcmp(payload(x), payload(y), payload_length(x)) == 0;
}

static bool same_link_attr(const struct sides *s, const struct span *a, const struct span *b,
			   const struct field *f)
{
	const struct nlattr *x = find_attr(a, f->attr), *y = find_attr(b, f->attr);
	if (!x || !y || payload_length(x) != f->size || payload_length(y) != f->size)
		return same_attr(a, b, f->attr);
	return same_link(s, (uint32_t)read_uint(payload(x), f->size, false),
			 (uint32_t)read_uint(payload(y), f->size, false));
}

static bool same_hops(const struct sides *s, const struct span *a, const struct span *b,
		      const struct field *f)
{
	struct hop_cursor x = hops_of(a, f), y = hops_of(b, f);
	struct span hop, other;
	while (next_hop(&x, &hop))
		if (!next_hop(&y, &other) || !same_span(s, &hop, &other))
			return false;
	return !next_hop(&y, &other);
}

static bool same_header(const struct sides *s, const struct span *a, const struct span *b,
			const struct field *f)
{
	if (f->type == FIELD_IFINDEX)
		return same_link(s, (uint32_t)read_uint(a->data + f->offset, f->size, false),
				 (uint32_t)read_uint(b->data + f->offset, f->size, false));
	uint64_t mask = f->type == FIELD_BIT ? f->mask : UINT64_MAX;
	return ((read_uint(a->data + f->offset, f->size, false) ^
		 read_uint(b->data + f->offset, f->size, false)) &
		mask) == 0;
}

static bool same_nest(const struct sides *s, const struct span *a, const struct span *b,
		      const struct field *f)
{
	struct span x, y;
	bool in_a = span_of_nest(a, f, &x), in_b = span_of_nest(b, f, &y);
	if (!in_a || !in_b)
		return in_a == in_b;
	return same_span(s, &x, &y);
}

static bool same_field(const struct sides *s, const struct span *a, const struct span *b,
		       const struct field *f)
{
	if (f->flags & F_HEADER)
		return same_header(s, a, b, f);
	switch (f->type) {
	case FIELD_HOPS:
		return same_hops(s, a, b, f);
	case FIELD_TABLE:
		return table_number(a, f->attr, f->offset) == table_number(b, f->attr, f->offset);
	case FIELD_NEST:
		return same_nest(s, a, b, f);
	case FIELD_IFINDEX:
		return same_link_attr(s, a, b, f);
	case FIELD_VIA:
		return same_attr(a, b, f->attr) && (!f->offset || same_attr(a, b, f->offset));
	case FIELD_PREFIX:
		return a->data[f->offset] == b->data[f->offset] && same_attr(a, b, f->attr);
	case FIELD_ENCAP:
		return same_attr(a, b, f->offset) && same_attr(a, b, f->attr);
	default:
		return same_attr(a, b, f->attr);
	}
}

static bool same_span(const struct sides *s, const struct span *a, const struct span *b)
{
	if (a->schema != b->schema)
		return false;
	for (const struct field *f = a->schema->fields; f->type != FIELD_NONE; f++)
		if (!(f->flags & F_VOLATILE) && !same_field(s, a, b, f))
			return false;
	return true;
}

/* [] -> []; of the views at stack indices 1 and 2 */
bool same_views(lua_State *L, const struct view *a, const struct view *b)
{
	struct span x = view_span(a), y = view_span(b);
	int top = lua_gettop(L);
	view_ifnames(L, 1);
	view_ifnames(L, 2);
	bool kernels = lua_rawgeti(L, top + 1, 0) == LUA_TUSERDATA &&
		       lua_rawgeti(L, top + 2, 0) == LUA_TUSERDATA;
	struct sides s = {L, {top + 1, top + 2}, kernels && !lua_rawequal(L, -1, -2)};
	bool same = same_span(&s, &x, &y);
	lua_settop(L, top);
	return same;
}
