/*
 * A route as a table: its slot, its next hops, and what else it says.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include "common/addr.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- the fields of a table ------------------------------------------------------------------- */

/* [.., key] -> the same: the field of a key that is met for the first time, or -1 */
static int find_field(struct route_reader *r, const struct schema *schema)
{
	int field = lua_type(r->L, -1) == LUA_TSTRING ? index_lookup(r->L, schema, -1) : -1;
	if (field >= 0) {
		const void *key = lua_topointer(r->L, -1);
		*known_slot(&r->keys, schema, key) = (struct known_key){key, schema, field};
	}
	return field;
}

/* Walks the table at `index`. [] -> [key, value, key, value, ...] */
static void read_fields(struct route_reader *r, const struct schema *schema, int index,
			struct fields *f)
{
	lua_State *L = r->L;
	f->top = lua_gettop(L);
	f->count = 0;
	f->strange = false;
	f->fields = 0;
	lua_pushnil(L);
	while (lua_next(L, index)) {
		const void *key = lua_topointer(L, -2);
		const struct known_key *known = known_slot(&r->keys, schema, key);
		int field = known->field;
		lua_pushvalue(L, -2);
		if (known->key != key || known->schema != schema)
			field = find_field(r, schema);
		if (field < 0 || f->count == FIELDS_MAX) {
			f->strange = true;
			lua_replace(L, -3); /* the key for lua_next, without its pair */
			lua_pop(L, 1);
			continue;
		}
		f->fields |= (uint64_t)1 << field;
		f->at[field] = (uint8_t)f->count;
		f->field[f->count++] = (uint8_t)field;
	}
}

/* Stack index of the value of a field, or 0. */
static int value_of(const struct fields *f, int field)
{
	return f->fields >> field & 1 ? f->top + 2 * f->at[field] + 2 : 0;
}

/* The same of one of the fields that are known by name. */
static int value_of_key(const struct route_reader *r, const struct fields *f, enum route_key key)
{
	return value_of(f, r->number[key]);
}

int field_value(const struct route_reader *r, const struct plain_route *route, enum route_key key)
{
	return value_of_key(r, &route->fields, key);
}

void fields_of_table(struct route_reader *r, struct plain_route *route)
{
	read_fields(r, &schema_route, route->index, &route->fields);
}

/* --- the slot of a table --------------------------------------------------------------------- */

/* "/24" behind an address; -1 where it is something else */
static int read_length(const char *text, int most)
{
	if (*text == '\0')
		return most;
	return *text == '/' ? text_to_length(text + 1, strlen(text + 1), most) : -1;
}

/* An address to the end of the text or to a slash; where it ends, or NULL. */
static const char *read_address(const char *text, size_t size, uint8_t bytes[16], uint8_t *family)
{
	int read = text_to_ip4(text, size, bytes);
	*family = AF_INET;
	if (!read) {
		*family = AF_INET6;
		read = text_to_ip6(text, size, bytes);
		if (!read || is_v4_mapped(bytes))
			return NULL;
	}
	return text + read;
}

/* [] -> [text of the gateway of a route, of its first hop where it lists them, or nil]; false where
 * it is not written plainly */
static bool push_first_via(struct route_reader *r, const struct plain_route *route)
{
	lua_State *L = r->L;
	int via = field_value(r, route, R_VIA), list = field_value(r, route, R_NEXTHOPS);
	if (via || !list) {
		if (via)
			lua_pushvalue(L, via);
		else
			lua_pushnil(L);
		return !via || lua_type(L, via) == LUA_TSTRING;
	}
	if (!lua_istable(L, list) || lua_rawgeti(L, list, 1) != LUA_TTABLE)
		return false;
	lua_pushliteral(L, "via");
	int type = lua_rawget(L, -2);
	return type == LUA_TNIL || type == LUA_TSTRING;
}

/* 0 where it is not written plainly */
static uint8_t family_of_default(struct route_reader *r, const struct plain_route *route)
{
	lua_State *L = r->L;
	int top = lua_gettop(L), family = field_value(r, route, R_FAMILY);
	lua_Integer said = family && lua_isinteger(L, family) ? lua_tointeger(L, family) : 0;
	if (family)
		return said == 6 ? AF_INET6 : said == 4 ? AF_INET : 0;
	bool plain = push_first_via(r, route);
	const char *via = plain ? lua_tostring(L, -1) : NULL;
	/* "inet6 fe80::1" is an IPv4 route's gateway, and IPv4 routes have no preference */
	bool six = via ? *via != 'i' && strchr(via, ':') : field_value(r, route, R_PREF) != 0;
	lua_settop(L, top);
	return !plain ? 0 : six ? AF_INET6 : AF_INET;
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
		return s->family;
	}
	const char *end = read_address(text, size, s->dst, &s->family);
	int length = end ? read_length(end, s->family == AF_INET6 ? 128 : 32) : -1;
	if (length < 0)
		return false;
	s->length = (uint8_t)length;
	mask_bytes(s->dst, s->family == AF_INET6 ? 16 : 4, s->length);
	return true;
}

/* A number, or a word of the field; absent leaves *to as it is. */
bool read_number(struct route_reader *r, const struct plain_route *route, enum route_key key,
		 uint32_t *to)
{
	lua_State *L = r->L;
	int value = field_value(r, route, key);
	if (!value)
		return true;
	if (lua_type(L, value) == LUA_TSTRING) {
		enum word_list words = r->field[key]->words;
		const struct word *w = words ? word_by_name(words, lua_tostring(L, value)) : NULL;
		if (w)
			*to = w->value;
		return w;
	}
	lua_Integer n = lua_tointeger(L, value);
	*to = (uint32_t)n;
	return lua_isinteger(L, value) && n >= 0 && n <= UINT32_MAX;
}

static void set_table(struct slot *s, uint32_t table)
{
	s->table = table == RT_TABLE_UNSPEC ? RT_TABLE_MAIN : table;
}

bool slot_of_table(struct route_reader *r, struct plain_route *route)
{
	uint32_t metric = 0, tos = 0, type = RTN_UNICAST;
	fields_of_table(r, route);
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
		found += value_of_key(r, f, known[i]) != 0;
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
	int value = value_of_key(r, &f, H_WEIGHT);
	if (value)
		weight = lua_isinteger(L, value) ? lua_tointeger(L, value) : 0;
	hop->weight = (uint16_t)weight;
	bool plain = says_where_only(r, &f) && weight >= 1 && weight <= 256 &&
		     read_via(L, value_of_key(r, &f, H_VIA), hop) &&
		     read_dev(L, value_of_key(r, &f, H_DEV), hop) &&
		     read_bool(L, value_of_key(r, &f, H_ONLINK), &hop->onlink);
	lua_settop(L, f.top);
	return plain;
}

bool hops_of_table(struct route_reader *r, struct plain_route *route)
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

/* --- everything else ------------------------------------------------------------------------- */

const struct field *row_of_field(struct route_reader *r, const struct plain_route *route, int n)
{
	const struct field *f = &schema_route.fields[route->fields.field[n]];
	if (f->type != FIELD_NEST)
		return f;
	lua_pushvalue(r->L, route->fields.top + 2 * n + 1);
	const void *key = lua_topointer(r->L, -1);
	const struct known_key *known = known_slot(&r->keys, sub_schema(f), key);
	int field = known->key == key && known->schema == sub_schema(f)
			    ? known->field
			    : find_field(r, sub_schema(f));
	lua_pop(r->L, 1);
	return field < 0 ? f : &sub_schema(f)->fields[field];
}

/* The largest number of a field: what the wire has room for, or less. */
static uint32_t most_of(const struct field *f)
{
	return f->mask ? f->mask : f->size < 4 ? (1U << 8 * f->size) - 1 : UINT32_MAX;
}

struct plain_value value_in_table(const struct route_reader *r, const struct plain_route *route,
				  const struct field *f, int value)
{
	lua_State *L = r->L;
	struct plain_value v = {.type = ODD};
	uint8_t family;
	size_t size;
	if (f->flags & (F_READONLY | F_VOLATILE))
		return v;
	if (f->type == FIELD_INT && lua_isinteger(L, value)) {
		lua_Integer n = lua_tointeger(L, value);
		v.number = (uint32_t)n;
		v.type = n >= 0 && n <= most_of(f) ? NUMBER : ODD;
	} else if (f->words && f->type == FIELD_INT && lua_type(L, value) == LUA_TSTRING) {
		const struct word *w = word_by_name(f->words, lua_tostring(L, value));
		v.number = w ? w->value : 0;
		v.type = w ? NUMBER : ODD;
	} else if (f->type == FIELD_ADDRESS && lua_type(L, value) == LUA_TSTRING) {
		const char *text = lua_tolstring(L, value, &size);
		bool read = read_address(text, size, v.address, &family) == text + size;
		v.type = read && family == route->slot.family ? ADDRESS : ODD;
	}
	return v;
}
