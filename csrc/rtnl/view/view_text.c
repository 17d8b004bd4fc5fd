/*
 * Prints a view, or a list of views, as `ip OBJECT show` does.
 */
#include "rtnl/view/view.h"

#include "rtnl/codec/encoder.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

void push_text(lua_State *L, struct print p, const struct span *s)
{
	p.L = L;
	p.out = buffer_new(L);
	print_object(&p, s);
	print_push(&p);
	buffer_free(p.out);
	lua_remove(L, -2);
}

static bool option(lua_State *L, int index, const char *key)
{
	lua_getfield(L, index, key);
	bool on = lua_toboolean(L, -1);
	lua_pop(L, 1);
	return on;
}

/*
 * The options at stack index 2: { details =, table =, line =, request = }: as `ip -d`, with the
 * table, on one line, as a request; of links { lower_down = } and, as the heading of `ip addr`,
 * { brief =, ipv4 =, ipv6 = }; of routes { nexthops = texts of next-hop objects by id }, which is
 * left at index 3.
 */
static struct print read_options(lua_State *L)
{
	lua_settop(L, 2);
	if (lua_isnil(L, 2))
		return (struct print){.L = L};
	luaL_checktype(L, 2, LUA_TTABLE);
	bool objects = lua_getfield(L, 2, "nexthops") == LUA_TTABLE;
	return (struct print){.L = L,
			      .nexthops = objects ? 3 : 0,
			      .details = option(L, 2, "details"),
			      .any_table = option(L, 2, "table"),
			      .one_line = option(L, 2, "line"),
			      .request = option(L, 2, "request"),
			      .brief = option(L, 2, "brief"),
			      .family = option(L, 2, "ipv6")   ? 6
					: option(L, 2, "ipv4") ? 4
							       : 0,
			      .lower_down = option(L, 2, "lower_down")};
}

/* view:text(options?) */
int view_text(lua_State *L)
{
	struct view *v = check_view(L);
	struct span s = view_span(v);
	struct print p = read_options(L);
	view_ifnames(L, 1);
	p.names = lua_gettop(L);
	push_text(L, p, &s);
	return 1;
}

/* [view] -> [view]: the view of the list at index 1 */
static struct view *take_view(lua_State *L, lua_Integer i)
{
	lua_rawgeti(L, 1, i);
	struct view *v = view_test(L, -1);
	if (!v)
		luaL_error(L, "list of views expected, found %s at %I", luaL_typename(L, -1),
			   (LUAI_UACINT)i);
	return v;
}

/* Whether routes of several tables are listed, so that the text names the table. */
static bool several_tables(lua_State *L, lua_Integer n)
{
	uint32_t first = 0;
	for (lua_Integer i = 1; i <= n; i++) {
		const struct view *v = take_view(L, i);
		lua_pop(L, 1);
		if (v->object->schema != &schema_route)
			return false;
		struct span s = view_span(v);
		uint32_t table = table_number(&s, RTA_TABLE, offsetof(struct rtmsg, rtm_table));
		if (i > 1 && table != first)
			return true;
		first = table;
	}
	return false;
}

/* rtnl.text(views, options?) -> text: a view a line */
int views_text(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	struct print p = read_options(L);
	lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
	p.out = buffer_new(L);
	p.any_table = p.any_table || several_tables(L, n);
	int top = lua_gettop(L);
	for (lua_Integer i = 1; i <= n; i++) {
		struct span s = view_span(take_view(L, i));
		view_ifnames(L, -1);
		p.names = top + 2;
		if (i > 1)
			print_text(&p, "\n");
		print_object(&p, &s);
		lua_settop(L, top);
	}
	print_push(&p);
	buffer_free(p.out);
	return 1;
}

/* rtnl.beyond(view) -> number of next hops of a route that exceeds a dump message, else 0 */
int route_over_limit(lua_State *L)
{
	const struct view *v = check_view(L);
	lua_pushinteger(L, hops_over_limit(v->data, v->length));
	return 1;
}
