/*
 * Lists of desired routes, as messages one after the other: a file may have a million.
 */
#ifndef ECMP_RTNL_ROUTE_LIST_H
#define ECMP_RTNL_ROUTE_LIST_H

#include "rtnl/base/guard.h"
#include "rtnl/codec/encoder.h"
#include "rtnl/route/route.h"
#include "rtnl/text/parser.h"

struct route_list {
	struct guard guard;	/* while a route is added, read or compared */
	struct buffer *bytes;	/* user value 2: a struct view each */
	struct buffer *places;	/* user value 3: where each is, and where it comes from */
	struct buffer *parts;	/* user value 4: of the line in hand */
	size_t used;		/* of the bytes; what lies behind was never finished */
	struct encoder encoder; /* these three cache which keys there are */
	struct route_reader reader;
	struct word_cache words;
};

struct route_list *list_test(lua_State *L, int index);
struct route_list *list_check(lua_State *L, int index);
size_t list_count(const struct route_list *l);
struct view *list_view(const struct route_list *l, size_t i); /* from 1 */
void list_ifnames(lua_State *L, int index);		      /* [] -> [names] */
/* Adds a route as it is typed or printed; false where it may be none though each field is right.
 * Raises with a plain message. `proto`: stack index of the protocol where it names none. */
bool list_add_words(lua_State *L, int list, const char *text, size_t length, uint32_t line,
		    int proto);
int list_new(lua_State *L);   /* Lua: rtnl.list */
int list_slot(lua_State *L);  /* Lua: rtnl.slot */
int list_slots(lua_State *L); /* Lua: rtnl.slots */
void list_register(lua_State *L);
int lines_new(lua_State *L); /* Lua: rtnl.lines */
void lines_register(lua_State *L);

#endif
