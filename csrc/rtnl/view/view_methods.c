/*
 * The methods of views in Lua. Reading a field scans the attributes of this one message.
 */
#include "rtnl/view/view.h"

#include "rtnl/base/error.h"
#include "rtnl/base/key_index.h"
#include "rtnl/codec/decoder.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* [] -> [view], with the ifname cache at stack index `names` */
void view_push(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	       const uint8_t *data, size_t length, int names)
{
	view_metatable(L, object, names);
	view_new(L, object, type, flags, data, length, lua_gettop(L));
	lua_remove(L, -2);
}

/* view:raw(n): the payload of attribute n as bytes, with or without a field */
static int view_raw(lua_State *L)
{
	struct view *v = check_view(L);
	struct span s = view_span(v);
	const struct nlattr *a = find_attr(&s, (uint16_t)luaL_checkinteger(L, 2));
	if (!a)
		return 0;
	lua_pushlstring(L, (const char *)a + NLA_HDRLEN, payload_length(a));
	return 1;
}

static int view_bytes(lua_State *L)
{
	struct view *v = check_view(L);
	lua_pushlstring(L, (const char *)v->data, v->length);
	return 1;
}

/* view:verb(): "add", "change" or "del" of a notification; and whether it was appended */
static int view_verb(lua_State *L)
{
	struct view *v = check_view(L);
	lua_pushstring(L, v->type == v->object->del  ? "del"
			  : v->flags & NLM_F_REPLACE ? "change"
						     : "add");
	lua_pushboolean(L, v->flags & NLM_F_APPEND);
	return 2;
}

static int view_object(lua_State *L)
{
	lua_pushstring(L, check_view(L)->object->name);
	return 1;
}

static int view_next(lua_State *L);

/* view:copy{ metric = 50 }: a table of the fields that a request may have, with changes */
static int view_copy(lua_State *L);

static const luaL_Reg methods[] = {
	{"text", view_text}, {"raw", view_raw},	      {"bytes", view_bytes}, {"verb", view_verb},
	{"copy", view_copy}, {"object", view_object}, {NULL, NULL},
};

/* Upvalues of __index. */
enum {
	METHODS = 1,
	NAMES,
	FIELDS,
	METATABLE,
	KEYS
};

/* The field of the key at index 2, -1 where there is none; adds it to the key cache. */
static int find_field(lua_State *L, const struct schema *schema, const void *key)
{
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(FIELDS)) == LUA_TNIL)
		return -1;
	int field = (int)lua_tointeger(L, -1);
	struct key_cache *keys = lua_touserdata(L, lua_upvalueindex(KEYS));
	*cached_key_at(keys, schema, key) = (struct cached_key){key, schema, field};
	return field;
}

/* The field of the view or table at `index`, as any reader gets it. [] -> [value] */
static bool push_named(lua_State *L, int index, const char *key)
{
	return lua_getfield(L, index, key) != LUA_TNIL;
}

static bool is_blackhole_type(lua_State *L, int index)
{
	static const char *const types[] = {"blackhole", "unreachable", "prohibit", "throw"};
	bool found = false;
	const char *type = push_named(L, index, "type") ? lua_tostring(L, -1) : NULL;
	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		found = found || strcmp(type, types[i]) == 0;
	lua_pop(L, 1);
	return found;
}

/*
 * The next hops of the route at `index`, a view or a table, as one list: as they are listed, the
 * one that the route names itself, or none. A blackhole has none, though the kernel shows a device;
 * nor has a route by a next-hop object whose hops the kernel leaves to the object. [] -> [list]
 */
static int push_hops(lua_State *L, int index)
{
	static const char *const fields[] = {"via", "dev", "encap", "onlink"};
	if (push_named(L, index, "nexthops"))
		return 1;
	lua_settop(L, index);
	lua_newtable(L);
	if (is_blackhole_type(L, index))
		return 1;
	lua_createtable(L, 0, 5);
	bool any = false;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		any = push_named(L, index, fields[i]) || any;
		lua_setfield(L, -2, fields[i]);
	}
	lua_pushinteger(L, 1);
	lua_setfield(L, -2, "weight");
	if (any)
		lua_rawseti(L, -2, 1);
	else
		lua_pop(L, 1);
	return 1;
}

/* `route.hops` of a table of a route's fields */
static int fields_index(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "hops") != 0)
		return 0;
	lua_settop(L, 1);
	return push_hops(L, 1);
}

/* [table] -> [table]: one of a route's fields, which has `hops` beside them */
void view_mark_fields(lua_State *L)
{
	luaL_setmetatable(L, ROUTE_FIELDS);
}

bool view_is_fields(lua_State *L, int index)
{
	if (!lua_getmetatable(L, index))
		return false;
	luaL_getmetatable(L, ROUTE_FIELDS);
	bool same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

/* A key without a field: a method, or an error. */
static int no_field(lua_State *L, const struct schema *schema)
{
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(METHODS)) != LUA_TNIL)
		return 1;
	if (schema == &schema_route && lua_type(L, 2) == LUA_TSTRING &&
	    strcmp(lua_tostring(L, 2), "hops") == 0) {
		lua_settop(L, 1);
		return push_hops(L, 1);
	}
	/* a number: ipairs tries 1; a string: the field of another type of link */
	if (lua_type(L, 2) == LUA_TNUMBER ||
	    (lua_type(L, 2) == LUA_TSTRING && schema == &schema_link)) {
		lua_pushnil(L);
		return 1;
	}
	if (lua_type(L, 2) != LUA_TSTRING) {
		lua_pushfstring(L, "a field of %s %s is named by a string, not by a %s",
				article(schema), schema->name, luaL_typename(L, 2));
		throw_at_caller(L);
	}
	const char *key = lua_tostring(L, 2);
	const char *near = nearest_key(L, schema, key);
	if (near)
		lua_pushfstring(L, "%s: unknown field of %s %s (did you mean '%s'?)", key,
				article(schema), schema->name, near);
	else
		lua_pushfstring(L, "%s: unknown field of %s %s", key, article(schema),
				schema->name);
	throw_at_caller(L);
}

static int view_index(lua_State *L)
{
	const struct view *v = lua_touserdata(L, 1);
	if (!v || !lua_getmetatable(L, 1) || !lua_rawequal(L, -1, lua_upvalueindex(METATABLE)))
		return luaL_typeerror(L, 1, RTNL_VIEW);
	struct span s = view_span(v);
	const void *key = lua_topointer(L, 2);
	const struct cached_key *cached =
		cached_key_at(lua_touserdata(L, lua_upvalueindex(KEYS)), s.schema, key);
	int field = cached->field;
	bool any;
	if (cached->key != key || cached->schema != s.schema)
		field = find_field(L, s.schema, key);
	if (field < 0 && (s.schema != &schema_link || lua_type(L, 2) != LUA_TSTRING))
		return no_field(L, s.schema);
	if (push_known_field(L, &s, field, 2, lua_upvalueindex(NAMES), &any))
		return 1;
	if (!any)
		return no_field(L, s.schema);
	lua_pushnil(L);
	return 1;
}

static int view_newindex(lua_State *L)
{
	const struct schema *schema = check_view(L)->object->schema;
	lua_pushfstring(L, "%s %s from the kernel is read-only: change a copy, view:copy{ ... }",
			article(schema), schema->name);
	throw_at_caller(L);
}

static int view_eq(lua_State *L)
{
	const struct view *a = view_test(L, 1), *b = view_test(L, 2);
	lua_pushboolean(L, a && b && a->object == b->object && same_views(L, a, b));
	return 1;
}

/* The fields that the table's `type` or `port` selects, or none. */
static const struct field *fields_of_type(lua_State *L, const struct field *f, int table)
{
	static const struct field none = {.type = FIELD_NONE};
	const struct variant *v = NULL;
	if (lua_getfield(L, table, f->key) == LUA_TSTRING)
		v = variant_by_name(f, lua_tostring(L, -1));
	lua_pop(L, 1);
	return v ? v->schema->fields : &none;
}

/* Lists the keys that the table of values has, in the order of the fields. */
static void list_keys(lua_State *L, const struct field *fields, int table, int keys, int *n)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			list_keys(L, sub_schema(f)->fields, table, keys, n);
		if (f->type == FIELD_UNION) {
			list_keys(L, fields_of_type(L, f, table), table, keys, n);
			continue;
		}
		if (!*f->key || repeats_key(fields, f))
			continue;
		if (lua_getfield(L, table, f->key) != LUA_TNIL) {
			lua_pushstring(L, f->key);
			lua_rawseti(L, keys, ++*n);
		}
		lua_pop(L, 1);
	}
}

/* [view, position] -> next key and value */
static int view_next(lua_State *L)
{
	lua_Integer at = lua_tointeger(L, lua_upvalueindex(3)) + 1;
	lua_pushinteger(L, at);
	lua_replace(L, lua_upvalueindex(3));
	if (lua_rawgeti(L, lua_upvalueindex(1), at) == LUA_TNIL)
		return 1;
	lua_pushvalue(L, -1);
	lua_rawget(L, lua_upvalueindex(2));
	return 2;
}

/* [] -> [table of all fields] */
static void push_all(lua_State *L, int view)
{
	const struct view *v = lua_touserdata(L, view);
	struct span s = view_span(v);
	view_ifnames(L, view);
	push_span(L, &s, lua_gettop(L));
	lua_remove(L, -2);
}

static int view_pairs(lua_State *L)
{
	struct view *v = check_view(L);
	int n = 0;
	lua_settop(L, 1);
	lua_newtable(L);
	push_all(L, 1);
	list_keys(L, v->object->schema->fields, 3, 2, &n);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, view_next, 3);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static void remove_readonly(lua_State *L, const struct field *fields, int table)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		if (f->type == FIELD_UNION)
			remove_readonly(L, fields_of_type(L, f, table), table);
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			remove_readonly(L, sub_schema(f)->fields, table);
		/* of two fields with one key the other is writable */
		bool shared = repeats_key(fields, f) || repeats_key(f, f + 1);
		if (!*f->key || !(f->flags & (F_READONLY | F_CHANGE_ONLY | F_QUERY)) ||
		    f->type == FIELD_SEGMENTS || shared)
			continue;
		lua_pushnil(L);
		lua_setfield(L, table, f->key);
	}
}

/* The kernel reports both a next-hop object and its hops, and takes only one: the object is kept.
 */
static void remove_object_hops(lua_State *L, const struct view *v, int table)
{
	static const char *const hops[] = {"nexthops", "via", "dev", "encap", "onlink"};
	struct span s = view_span(v);
	if (v->object->schema != &schema_route || !find_attr(&s, RTA_NH_ID))
		return;
	for (size_t i = 0; i < sizeof(hops) / sizeof(hops[0]); i++) {
		lua_pushnil(L);
		lua_setfield(L, table, hops[i]);
	}
}

static int view_copy(lua_State *L)
{
	struct view *v = check_view(L);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2))
		luaL_checktype(L, 2, LUA_TTABLE);
	push_all(L, 1);
	remove_readonly(L, v->object->schema->fields, 3);
	remove_object_hops(L, v, 3);
	if (lua_getfield(L, 3, "nexthops") == LUA_TTABLE)
		for (lua_Integer i = 1; lua_rawgeti(L, 4, i) == LUA_TTABLE; i++) {
			remove_readonly(L, schema_hop.fields, 5);
			lua_pop(L, 1);
		}
	lua_settop(L, 3);
	if (lua_istable(L, 2)) {
		lua_pushnil(L);
		while (lua_next(L, 2)) {
			lua_pushvalue(L, -2);
			lua_insert(L, -2);
			lua_rawset(L, 3);
		}
	}
	lua_settop(L, 3);
	if (v->object->schema == &schema_route)
		view_mark_fields(L);
	return 1;
}

static const luaL_Reg metamethods[] = {
	{"__newindex", view_newindex}, {"__eq", view_eq}, {"__tostring", view_text},
	{"__pairs", view_pairs},       {NULL, NULL},
};

/* [metatable] -> [metatable] with its __index */
static void set_index(lua_State *L, const struct object *object, int names)
{
	lua_getfield(L, LUA_REGISTRYINDEX, RTNL_VIEW);
	lua_pushvalue(L, names);
	push_index(L, object->schema);
	lua_pushvalue(L, -4);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &view_mark);
	lua_pushcclosure(L, view_index, KEYS);
	lua_setfield(L, -2, "__index");
}

/* [] -> [metatable] of views with the ifname cache at stack index `names`, where it is stored under
 * a negative index */
void view_metatable(lua_State *L, const struct object *object, int names)
{
	lua_Integer key = -1 - (object - rtnl_objects);
	if (lua_rawgeti(L, names, key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	luaL_checkstack(L, 8, "too many values");
	lua_createtable(L, 1, 8);
	luaL_setfuncs(L, metamethods, 0);
	lua_pushliteral(L, RTNL_VIEW);
	lua_setfield(L, -2, "__name");
	set_index(L, object, names);
	lua_pushvalue(L, names);
	lua_rawseti(L, -2, VIEW_NAMES);
	lua_pushboolean(L, 1);
	lua_rawsetp(L, -2, &view_mark);
	lua_pushvalue(L, -1);
	lua_rawseti(L, names, key);
}

/* rtnl.method(name, f): view:name(...) calls f, which is in Lua */
int view_add_method(lua_State *L)
{
	luaL_checkstring(L, 1);
	luaL_checktype(L, 2, LUA_TFUNCTION);
	lua_settop(L, 2);
	lua_getfield(L, LUA_REGISTRYINDEX, RTNL_VIEW);
	lua_insert(L, 1);
	lua_settable(L, 1);
	return 0;
}

/* rtnl.fields(table) -> table: the same, of a route's fields, which has `hops` beside them */
int view_fields(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	view_mark_fields(L);
	return 1;
}

void view_register(lua_State *L)
{
	luaL_newmetatable(L, ROUTE_FIELDS);
	lua_pushcfunction(L, fields_index);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	luaL_newlib(L, methods);
	lua_setfield(L, LUA_REGISTRYINDEX, RTNL_VIEW);
	memset(lua_newuserdatauv(L, sizeof(struct key_cache), 0), 0, sizeof(struct key_cache));
	lua_rawsetp(L, LUA_REGISTRYINDEX, &view_mark);
}
