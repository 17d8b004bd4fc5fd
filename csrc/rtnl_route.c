/*
 * One route as a value: its slot and its next hops, from a table or from a view.
 */
#define _GNU_SOURCE
#include "rtnl_route.h"

#include <string.h>
#include <sys/socket.h>

/* --- the fields of a table ------------------------------------------------------------------- */

/* [.., key] -> the same: the row of a key that is met for the first time, or -1 */
static int find_row(struct route_reader *r, const struct schema *schema)
{
	int row = lua_type(r->L, -1) == LUA_TSTRING ? index_lookup(r->L, schema, -1) : -1;
	if (row >= 0) {
		const void *key = lua_topointer(r->L, -1);
		*known_place(&r->keys, schema, key) = (struct known_key){key, schema, row};
	}
	return row;
}

/* Walks the table at `index`. [] -> [key, value, key, value, ...] */
static void read_fields(struct route_reader *r, const struct schema *schema, int index,
			struct fields *f)
{
	lua_State *L = r->L;
	f->top = lua_gettop(L);
	f->count = 0;
	f->strange = false;
	f->rows = 0;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		const void *key = lua_topointer(L, -2);
		const struct known_key *known = known_place(&r->keys, schema, key);
		int row = known->row;
		lua_pushvalue(L, -2);
		if (known->key != key || known->schema != schema)
			row = find_row(r, schema);
		if (row < 0 || f->count == FIELDS_MAX) {
			f->strange = true;
			lua_replace(L, -3); /* the key for lua_next, without its pair */
			lua_pop(L, 1);
			continue;
		}
		f->rows |= (uint64_t)1 << row;
		f->at[row] = (uint8_t)f->count;
		f->row[f->count++] = (uint8_t)row;
	}
}

/* Stack index of the value of a row, or 0. */
static int value_of(const struct fields *f, int row)
{
	return f->rows >> row & 1 ? f->top + 2 * f->at[row] + 2 : 0;
}

int field_value(const struct route_reader *r, const struct plain_route *route, enum route_key key)
{
	return value_of(&route->fields, r->row[key]);
}

static int row_named(const struct schema *schema, const char *key)
{
	const struct field *f = schema->rows;
	while (!f->key || *f->key != *key || strcmp(f->key, key) != 0)
		f++;
	return (int)(f - schema->rows);
}

void start_reading(struct route_reader *r, lua_State *L)
{
	static const char *const names[ROUTE_KEYS] = {
		"family", "dst",    "table",	"metric", "tos",   "type", "via",
		"dev",	  "onlink", "nexthops", "from",	  "scope", "nhid", "encap",
		"via",	  "dev",    "weight",	"onlink", "encap",
	};
	*r = (struct route_reader){.L = L};
	for (int i = 0; i < ROUTE_KEYS; i++) {
		r->row[i] = row_named(i < H_VIA ? &schema_route : &schema_hop, names[i]);
		if (i <= R_NEXTHOPS)
			r->settled |= (uint64_t)1 << r->row[i];
	}
	luaL_checkstack(L, 8 * FIELDS_MAX, "too many values");
}

/* --- the slot of a table --------------------------------------------------------------------- */

/* "/24" behind an address; -1 where it is something else */
static int read_length(const char *text, int most)
{
	int length = 0;
	if (*text == '\0')
		return most;
	if (text[0] != '/' || !text[1] || (text[1] == '0' && text[2]))
		return -1;
	while (*++text >= '0' && *text <= '9' && length <= most)
		length = 10 * length + (*text - '0');
	return *text || length > most ? -1 : length;
}

static void mask(uint8_t *bytes, size_t size, unsigned length)
{
	for (size_t i = length / 8; i < size; i++)
		bytes[i] = i == length / 8 ? (uint8_t)(bytes[i] & ~(0xff >> length % 8)) : 0;
}

/* IPv4 in IPv6 dress, which is IPv4 to some. */
static bool in_disguise(const uint8_t *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

/* An address to the end of the text or to a slash; where it ends, or NULL. */
const char *read_address(const char *text, size_t size, uint8_t bytes[16], uint8_t *family)
{
	int read = text_to_ip4(text, size, bytes);
	*family = AF_INET;
	if (!read) {
		*family = AF_INET6;
		read = text_to_ip6(text, size, bytes);
		if (!read || in_disguise(bytes))
			return NULL;
	}
	return text + read;
}

/* 0 where it is not written plainly */
static uint8_t family_of_default(struct route_reader *r, const struct plain_route *route)
{
	lua_State *L = r->L;
	int family = field_value(r, route, R_FAMILY), via = field_value(r, route, R_VIA);
	if (family && lua_isinteger(L, family))
		return lua_tointeger(L, family) == 6   ? AF_INET6
		       : lua_tointeger(L, family) == 4 ? AF_INET
						       : 0;
	if (family)
		return 0;
	if (!via || lua_type(L, via) != LUA_TSTRING)
		return AF_INET;
	return *lua_tostring(L, via) != 'i' && strchr(lua_tostring(L, via), ':') ? AF_INET6
										 : AF_INET;
}

static bool read_dst(struct route_reader *r, struct plain_route *route)
{
	lua_State *L = r->L;
	struct slot *s = &route->slot;
	int value = field_value(r, route, R_DST);
	size_t size;
	if (!value || lua_type(L, value) != LUA_TSTRING)
		return false;
	const char *text = lua_tolstring(L, value, &size);
	if (*text == 'd' && strcmp(text, "default") == 0) {
		s->family = family_of_default(r, route);
		return s->family && !field_value(r, route, R_NEXTHOPS);
	}
	const char *end = read_address(text, size, s->dst, &s->family);
	int length = end ? read_length(end, s->family == AF_INET6 ? 128 : 32) : -1;
	if (length < 0)
		return false;
	s->length = (uint8_t)length;
	mask(s->dst, s->family == AF_INET6 ? 16 : 4, s->length);
	return true;
}

/* A number, or a word of the row; absent leaves *to as it is. */
static bool read_number(struct route_reader *r, const struct plain_route *route, enum route_key key,
			uint32_t *to)
{
	lua_State *L = r->L;
	int value = field_value(r, route, key);
	if (!value)
		return true;
	if (lua_type(L, value) == LUA_TSTRING) {
		const struct word *words = schema_route.rows[r->row[key]].words;
		const struct word *w = words ? word_by_name(words, lua_tostring(L, value)) : NULL;
		if (w)
			*to = w->value;
		return w;
	}
	lua_Integer n = lua_tointeger(L, value);
	*to = (uint32_t)n;
	return lua_isinteger(L, value) && n >= 0 && n <= UINT32_MAX;
}

static void set_metric(struct slot *s, uint32_t metric)
{
	s->metric = metric == 0 && s->family == AF_INET6 ? 1024 : metric;
}

static void set_table(struct slot *s, uint32_t table)
{
	s->table = table == RT_TABLE_UNSPEC ? RT_TABLE_MAIN : table;
}

/* The table of a route that names none: the host's own are in the local one, as with ip(8). */
static uint32_t table_of_type(uint32_t type)
{
	bool local = type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST ||
		     type == RTN_NAT;
	return local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

static bool slot_of_table(struct route_reader *r, struct plain_route *route)
{
	uint32_t metric = 0, tos = 0, type = RTN_UNICAST;
	read_fields(r, &schema_route, route->index, &route->fields);
	int kind = field_value(r, route, R_TYPE);
	if ((kind && lua_type(r->L, kind) != LUA_TSTRING) || /* compared by its word */
	    !read_number(r, route, R_TYPE, &type) || !read_dst(r, route))
		return false;
	uint32_t table = table_of_type(type);
	if (!read_number(r, route, R_TABLE, &table) || !read_number(r, route, R_METRIC, &metric) ||
	    !read_number(r, route, R_TOS, &tos) || tos > 255 || field_value(r, route, R_FROM))
		return false;
	set_table(&route->slot, table);
	set_metric(&route->slot, metric);
	route->slot.tos = route->slot.family == AF_INET ? (uint8_t)tos : 0;
	route->slot.type = (uint8_t)type;
	return true;
}

/* --- the slot of a view ---------------------------------------------------------------------- */

static uint32_t uint_of(const struct stretch *s, uint16_t type, uint32_t otherwise)
{
	const struct nlattr *a = find_attr(s, type);
	return a && a->nla_len == NLA_HDRLEN + 4
		       ? (uint32_t)read_uint((const uint8_t *)a + NLA_HDRLEN, 4, false)
		       : otherwise;
}

static bool slot_of_view(struct plain_route *route)
{
	struct stretch s = view_stretch(route->v);
	const struct rtmsg *m = (const void *)s.data;
	struct slot *slot = &route->slot;
	size_t size = m->rtm_family == AF_INET6 ? 16 : 4;
	const struct nlattr *dst = find_attr(&s, RTA_DST);
	if ((m->rtm_family != AF_INET && m->rtm_family != AF_INET6) || m->rtm_src_len ||
	    m->rtm_dst_len > 8 * size || (dst && dst->nla_len != NLA_HDRLEN + size))
		return false;
	slot->family = m->rtm_family;
	slot->length = m->rtm_dst_len;
	if (dst)
		memcpy(slot->dst, (const uint8_t *)dst + NLA_HDRLEN, size);
	mask(slot->dst, size, slot->length);
	uint32_t table = uint_of(&s, RTA_TABLE, m->rtm_table);
	if (table == RT_TABLE_UNSPEC || m->rtm_type == RTN_UNSPEC) /* no route of the kernel's */
		return false;
	slot->table = table;
	set_metric(slot, uint_of(&s, RTA_PRIORITY, 0));
	slot->tos = slot->family == AF_INET ? m->rtm_tos : 0;
	slot->type = m->rtm_type;
	return true;
}

static void start_route(struct route_reader *r, struct plain_route *route, int index)
{
	route->index = index;
	route->count = -1;
	memset(&route->slot, 0, sizeof(route->slot));
	route->v = view_test(r->L, index);
	route->fields.top = lua_gettop(r->L);
	route->fields.strange = false;
	route->fields.rows = 0;
}

void read_again(struct route_reader *r, struct plain_route *route, int index, struct slot slot)
{
	uint32_t type = RTN_UNICAST;
	start_route(r, route, index);
	route->slot = slot;
	if (route->v) {
		route->slot.type = ((const struct rtmsg *)(const void *)route->v->data)->rtm_type;
		return;
	}
	read_fields(r, &schema_route, index, &route->fields);
	read_number(r, route, R_TYPE, &type);
	route->slot.type = (uint8_t)type;
}

bool read_route(struct route_reader *r, struct plain_route *route, int index)
{
	start_route(r, route, index);
	if (route->v)
		return route->v->object->schema == &schema_route && slot_of_view(route);
	return lua_type(r->L, index) == LUA_TTABLE && slot_of_table(r, route);
}

/* The scope, said or implied, of an IPv4 route; part of what tells groups apart. */
bool read_scope(struct route_reader *r, struct plain_route *route)
{
	static const uint8_t of_type[] = {
		[RTN_LOCAL] = RT_SCOPE_HOST,   [RTN_BROADCAST] = RT_SCOPE_LINK,
		[RTN_ANYCAST] = RT_SCOPE_LINK, [RTN_MULTICAST] = RT_SCOPE_LINK,
		[RTN_NAT] = RT_SCOPE_HOST,     [RTN_XRESOLVE] = 0};
	uint32_t scope = 0;
	uint8_t type = route->slot.type;
	if (route->slot.family == AF_INET6)
		return true;
	if (route->v)
		scope = ((const struct rtmsg *)(const void *)route->v->data)->rtm_scope;
	else if (field_value(r, route, R_SCOPE)) {
		if (!read_number(r, route, R_SCOPE, &scope) || scope > 255)
			return false;
	} else if (type != RTN_UNICAST)
		scope = type < sizeof(of_type) ? of_type[type] : 0;
	else if (!(field_value(r, route, R_VIA) || field_value(r, route, R_NEXTHOPS) ||
		   field_value(r, route, R_NHID)))
		scope = RT_SCOPE_LINK;
	route->slot.scope = (uint8_t)scope;
	return true;
}

/* --- next hops of a table -------------------------------------------------------------------- */

static bool read_bool(lua_State *L, int value, bool *to)
{
	if (!value)
		return true;
	*to = *to || lua_toboolean(L, value);
	return lua_type(L, value) == LUA_TBOOLEAN;
}

static bool read_via(lua_State *L, int value, struct plain_hop *hop)
{
	size_t size;
	if (!value)
		return true;
	if (lua_type(L, value) != LUA_TSTRING)
		return false;
	const char *text = lua_tolstring(L, value, &size);
	return read_address(text, size, hop->via, &hop->family) == text + size;
}

static bool read_dev(lua_State *L, int value, struct plain_hop *hop)
{
	if (!value)
		return true;
	hop->dev = lua_type(L, value) == LUA_TSTRING ? lua_tostring(L, value) : NULL;
	return hop->dev;
}

/* A hop that stands in the route itself. */
static bool read_own_hop(struct route_reader *r, struct plain_route *route)
{
	lua_State *L = r->L;
	int via = field_value(r, route, R_VIA), dev = field_value(r, route, R_DEV);
	struct plain_hop *hop = &route->hops[0];
	*hop = (struct plain_hop){.weight = 1};
	route->count = via || dev;
	return read_via(L, via, hop) && read_dev(L, dev, hop) &&
	       read_bool(L, field_value(r, route, R_ONLINK), &hop->onlink);
}

/* Whether a hop says nothing but where it leads and how much it carries. */
static bool says_where_only(const struct route_reader *r, const struct fields *f)
{
	static const enum route_key known[] = {H_VIA, H_DEV, H_WEIGHT, H_ONLINK};
	int found = 0;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		found += value_of(f, r->row[known[i]]) != 0;
	return !f->strange && found == f->count;
}

/* [hop] -> [hop] */
static bool read_listed_hop(struct route_reader *r, struct plain_hop *hop, bool onlink)
{
	lua_State *L = r->L;
	struct fields f;
	lua_Integer weight = 1;
	*hop = (struct plain_hop){.onlink = onlink};
	if (lua_type(L, -1) != LUA_TTABLE)
		return false;
	read_fields(r, &schema_hop, lua_gettop(L), &f);
	int value = value_of(&f, r->row[H_WEIGHT]);
	if (value)
		weight = lua_isinteger(L, value) ? lua_tointeger(L, value) : 0;
	hop->weight = (uint16_t)weight;
	bool plain = says_where_only(r, &f) && weight >= 1 && weight <= 256 &&
		     read_via(L, value_of(&f, r->row[H_VIA]), hop) &&
		     read_dev(L, value_of(&f, r->row[H_DEV]), hop) &&
		     read_bool(L, value_of(&f, r->row[H_ONLINK]), &hop->onlink);
	lua_settop(L, f.top);
	return plain;
}

static bool hops_of_table(struct route_reader *r, struct plain_route *route)
{
	lua_State *L = r->L;
	int list = field_value(r, route, R_NEXTHOPS), n = 0;
	bool onlink = false, plain = true;
	if (field_value(r, route, R_ENCAP))
		return false;
	if (!list)
		return read_own_hop(r, route);
	if (lua_type(L, list) != LUA_TTABLE || field_value(r, route, R_VIA) ||
	    field_value(r, route, R_DEV) || !read_bool(L, field_value(r, route, R_ONLINK), &onlink))
		return false;
	for (; plain && lua_rawgeti(L, list, n + 1) != LUA_TNIL; n++) {
		plain = n < HOPS_MAX && read_listed_hop(r, &route->hops[n], onlink);
		lua_pop(L, 1);
	}
	if (plain)
		lua_pop(L, 1);
	route->count = n;
	return plain;
}

/* --- next hops of a view --------------------------------------------------------------------- */

/* [names] -> [names] */
static bool hop_of_stretch(struct route_reader *r, const struct stretch *s, uint32_t index,
			   bool devices, struct plain_hop *hop)
{
	const struct nlattr *via = find_attr(s, RTA_GATEWAY), *other = find_attr(s, RTA_VIA);
	size_t size = s->family == AF_INET6 ? 16 : 4;
	if (via && via->nla_len == NLA_HDRLEN + size) {
		memcpy(hop->via, (const uint8_t *)via + NLA_HDRLEN, size);
		hop->family = (uint8_t)s->family;
	} else if (other && other->nla_len == NLA_HDRLEN + 2 + 16) {
		memcpy(hop->via, (const uint8_t *)other + NLA_HDRLEN + 2, 16);
		hop->family = AF_INET6;
	} else if (via || other) {
		return false;
	}
	if (index && devices) {
		hop->dev = names_name(r->L, lua_gettop(r->L), index);
		lua_pop(r->L, 1);
	}
	return true;
}

static bool hops_of_view(struct route_reader *r, struct plain_route *route, bool devices)
{
	struct stretch s = view_stretch(route->v), inner;
	const struct rtmsg *m = (const void *)s.data;
	struct hop_cursor cursor = hops_of(&s, &schema_route.rows[r->row[R_NEXTHOPS]]);
	bool plain = true;
	route->count = 0;
	view_names(r->L, route->index);
	while (plain && next_hop(&cursor, &inner)) {
		struct plain_hop *hop = &route->hops[route->count];
		const struct rtnexthop *n = (const void *)inner.data;
		if (route->count++ == HOPS_MAX) {
			plain = false;
			break;
		}
		*hop = (struct plain_hop){.weight = (uint16_t)(n->rtnh_hops + 1),
					  .onlink = (n->rtnh_flags | m->rtm_flags) & RTNH_F_ONLINK};
		plain = hop_of_stretch(r, &inner, (uint32_t)n->rtnh_ifindex, devices, hop);
	}
	uint32_t index = uint_of(&s, RTA_OIF, 0);
	if (plain && route->count == 0) {
		route->hops[0] =
			(struct plain_hop){.weight = 1, .onlink = m->rtm_flags & RTNH_F_ONLINK};
		plain = hop_of_stretch(r, &s, index, devices, &route->hops[0]);
		route->count = index || route->hops[0].family;
	}
	lua_pop(r->L, 1);
	return plain;
}

/* --- next hops ------------------------------------------------------------------------------- */

static bool same_way(const struct plain_hop *a, const struct plain_hop *b)
{
	return a->family == b->family && memcmp(a->via, b->via, sizeof(a->via)) == 0 &&
	       (a->dev && b->dev ? strcmp(a->dev, b->dev) == 0 : a->dev == b->dev);
}

/* Whether the kernel takes these hops as they are: of the route's family, each once. */
static bool will_be_kept(const struct plain_route *route)
{
	for (int i = 0; i < route->count; i++) {
		const struct plain_hop *hop = &route->hops[i];
		if (hop->family ? hop->family != route->slot.family
				: route->slot.family == AF_INET6 && route->count > 1)
			return false;
		for (int k = 0; k < i; k++)
			if (same_way(hop, &route->hops[k]))
				return false;
	}
	return true;
}

bool read_wanted_hops(struct route_reader *r, struct plain_route *route)
{
	return !route->v && hops_of_table(r, route) && will_be_kept(route);
}

bool read_held_hops(struct route_reader *r, struct plain_route *route, bool devices)
{
	return route->v ? hops_of_view(r, route, devices) : hops_of_table(r, route);
}
