/*
 * The Lua module ecmp.rtnl: registers its functions and the methods of sockets.
 */
#include "rtnl/base/error.h"

#include "rtnl/base/rt_names.h"
#include "rtnl/bulk/batch.h"
#include "rtnl/bulk/route_list.h"
#include "rtnl/codec/value.h"
#include "rtnl/netlink/extack.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/request/request.h"
#include "rtnl/text/parser.h"
#include "rtnl/view/error_message.h"
#include "rtnl/view/view.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

/* rtnl.parse(object, text) -> table | nil, message: parses the arguments of `ip OBJECT add` */
static int parse(lua_State *L)
{
	const struct object *o = check_object(L, 1);
	size_t length;
	const char *text = luaL_checklstring(L, 2, &length);
	struct buffer *bytes = buffer_new(L);
	struct value part;
	if (parse_words(L, bytes, NULL, o, text, length, &part)) {
		push_part(L, bytes, &part);
		buffer_free(bytes);
		if (o->schema == &schema_route)
			view_mark_fields(L);
		return 1;
	}
	luaL_pushfail(L);
	lua_insert(L, -2);
	return 2;
}

/* [object, table, ...] -> [object, table, ifname cache, buffer with the encoded table] */
static struct buffer *encode_table(lua_State *L, const struct object *o, enum verb verb)
{
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	ifnames_new(L, 0);
	struct encoder e = {.L = L, .out = buffer_new(L), .names = 3, .verb = verb};
	encode_message(&e, o->schema, 2);
	return e.out;
}

/* rtnl.view(object, table, request?) -> view: of the table's message, without a kernel; raises on
 * wrong fields, with `request` on those as well that only the kernel sets */
static int view(lua_State *L)
{
	const struct object *o = check_object(L, 1);
	struct buffer *a = encode_table(L, o, lua_toboolean(L, 3) ? VERB_ADD : VERB_PRINT);
	view_push(L, o, o->add, 0, a->base, a->length, 3);
	buffer_free(a);
	return 1;
}

/* rtnl.check(object, table): raises where rtnl.view(object, table, true) would */
static int check(lua_State *L)
{
	buffer_free(encode_table(L, check_object(L, 1), VERB_ADD));
	return 0;
}

/* rtnl.decode(object, bytes) -> view | nil, message: of a family header and attributes */
static int decode(lua_State *L)
{
	const struct object *o = check_object(L, 1);
	size_t length;
	const char *bytes = luaL_checklstring(L, 2, &length);
	if (length < o->schema->header_size) {
		luaL_pushfail(L);
		lua_pushfstring(L, "%d bytes are no %s: its header takes %d", (int)length,
				o->schema->name, (int)o->schema->header_size);
		return 2;
	}
	lua_settop(L, 2);
	ifnames_new(L, 0);
	view_push(L, o, o->add, 0, (const uint8_t *)bytes, length, 3);
	return 1;
}

/* rtnl.explain(object, request, reply) -> nil, message, code: the error of a captured answer. The
 * request is its bytes from the family header on, the reply with its netlink header. */
static int explain(lua_State *L)
{
	const struct object *o = check_object(L, 1);
	size_t request_length, length;
	const char *request = luaL_checklstring(L, 2, &request_length),
		   *reply = luaL_checklstring(L, 3, &length);
	struct nlmsghdr head;
	struct extack x;
	int error;
	luaL_argcheck(L, request_length >= o->schema->header_size, 2, "shorter than its header");
	luaL_argcheck(L, length >= sizeof(head), 3, "shorter than its header");
	memcpy(&head, reply, sizeof(head));
	luaL_argcheck(L, head.nlmsg_len >= sizeof(head) && head.nlmsg_len <= length, 3,
		      "its length lies");
	lua_settop(L, 3);
	ifnames_new(L, 0);
	struct buffer *a = buffer_new(L); /* strings need not lie where a message may */
	memcpy(buffer_reserve(L, a, NLMSG_ALIGN(length)), reply, length);
	luaL_argcheck(L, read_extack((const void *)a->base, &x, &error), 3,
		      "too short for an answer");
	return push_kernel_error(L, &x, error, o, "add", (const uint8_t *)request, request_length,
				 4);
}

/* rtnl.own(): the chunk of the calling function belongs to the library; errors are raised at the
 * line of its caller */
static int own(lua_State *L)
{
	lua_Debug ar;
	if (!lua_getstack(L, 1, &ar) || !lua_getinfo(L, "S", &ar))
		return 0;
	lua_getfield(L, LUA_REGISTRYINDEX, "ecmp.own");
	lua_pushboolean(L, 1);
	lua_setfield(L, -2, ar.source);
	return 0;
}

/* rtnl.throw(message): raises at the line of the library's caller */
static int throw(lua_State * L)
{
	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	throw_at_caller(L);
}

/* rtnl.is_view(value) -> boolean */
static int is_view(lua_State *L)
{
	lua_pushboolean(L, view_test(L, 1) != NULL);
	return 1;
}

/* rtnl.nearest(known, key) -> the nearest word, or nil; `known` is the name of an object for its
 * fields, or a table whose keys are the words */
static int nearest(lua_State *L)
{
	const char *key = luaL_checkstring(L, 2), *near;
	if (lua_istable(L, 1))
		near = nearest_word(L, 1, key);
	else
		near = nearest_key(L, check_object(L, 1)->schema, key);
	lua_pushstring(L, near);
	return 1;
}

static const luaL_Reg functions[] = {
	{"open", socket_open},
	{"message", rtnl_message},
	{"visit", rtnl_visit},
	{"parse", parse},
	{"check", check},
	{"view", view},
	{"decode", decode},
	{"own", own},
	{"throw", throw},
	{"is_view", is_view},
	{"nearest", nearest},
	{"explain", explain},
	{"site", rt_names_set},
	{"group", group_routes},
	{"match", match_routes},
	{"list", list_new},
	{"lines", lines_new},
	{"slot", list_slot},
	{"text", views_text},
	{"beyond", route_over_limit},
	{"near", near_routes},
	{"slots", list_slots},
	{"run", run_of_steps},
	{"canonical", push_canonical},
	{"method", view_add_method},
	{"fields", view_fields},
	{NULL, NULL},
};

static const luaL_Reg exclusive[] = {
	{"request", socket_request}, {"dump", socket_dump}, {"batch", socket_batch},
	{"receive", socket_receive}, {NULL, NULL},
};

static const luaL_Reg socket_methods[] = {
	{"subscribe", socket_subscribe}, {"buffer", socket_buffer}, {"fd", socket_fd},
	{"netns", socket_netns},	 {"close", socket_close},   {NULL, NULL},
};

static const luaL_Reg socket_metamethods[] = {
	{"__gc", socket_gc},
	{"__close", socket_close},
	{"__tostring", socket_tostring},
	{NULL, NULL},
};

static void socket_register(lua_State *L)
{
	luaL_newmetatable(L, RTNL_SOCKET);
	luaL_setfuncs(L, socket_metamethods, 0);
	luaL_newlib(L, socket_methods);
	for (const luaL_Reg *m = exclusive; m->name; m++) {
		push_guarded(L, m->func);
		lua_setfield(L, -2, m->name);
	}
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

EXPORT int luaopen_ecmp_rtnl(lua_State *L);

int luaopen_ecmp_rtnl(lua_State *L)
{
	lua_newtable(L);
	lua_setfield(L, LUA_REGISTRYINDEX, "ecmp.own");
	buffer_register(L);
	index_register(L);
	view_register(L);
	list_register(L);
	lines_register(L);
	socket_register(L);
	luaL_newlib(L, functions);
	return 1;
}
