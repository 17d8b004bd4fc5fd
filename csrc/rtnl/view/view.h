/*
 * Views: read-only userdata with one message of the kernel, decoded field by field on access.
 */
#ifndef ECMP_RTNL_VIEW_VIEW_H
#define ECMP_RTNL_VIEW_VIEW_H

#include "rtnl/netlink/attr.h"
#include "rtnl/text/printer.h"

#include <lua.h>

#define RTNL_VIEW    "ecmp.rtnl.view"
#define ROUTE_FIELDS "ecmp.RouteFields"

/* Fields that a desired route leaves open although its header has a value; in a view's flags. */
enum {
	ANY_PROTO = 1 << 14,
	ANY_SCOPE = 1 << 15
};

struct view {
	const struct object *object;
	uint32_t length;
	uint16_t type;	/* RTM_* */
	uint16_t flags; /* NLM_F_*, ANY_* */
	uint8_t data[];
};

static inline struct span view_span(const struct view *v)
{
	return (struct span){v->object->schema, v->data, v->length, span_family(v->data, v->length),
			     NULL};
}

extern const char view_mark; /* key in every metatable of views */

enum {
	VIEW_NAMES = 1 /* index of the ifname cache in such a metatable */
};

void view_new(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	      const uint8_t *data, size_t length, int metatable);
struct view *view_test(lua_State *L, int index);
struct view *check_view(lua_State *L);	    /* the first argument */
void view_ifnames(lua_State *L, int index); /* [] -> [names] of a view */

/* view_methods */
void view_metatable(lua_State *L, const struct object *object, int names); /* [] -> [metatable] */
void view_push(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	       const uint8_t *data, size_t length, int names);
void view_register(lua_State *L);
void view_mark_fields(lua_State *L); /* [table] -> [table] with a route's `hops` */
bool view_is_fields(lua_State *L, int index);
int view_add_method(lua_State *L); /* Lua: rtnl.method */
int view_fields(lua_State *L);	   /* Lua: rtnl.fields */

bool same_views(lua_State *L, const struct view *a, const struct view *b);
void push_text(lua_State *L, struct print p, const struct span *s); /* [] -> [text] */
int view_text(lua_State *L);					    /* Lua: view:text */
int views_text(lua_State *L);					    /* Lua: rtnl.text */
int route_over_limit(lua_State *L);				    /* Lua: rtnl.beyond */

#endif
