/*
 * Lists objects by a dump, which is read completely before the first view is returned.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include "rtnl/base/error.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/view/error_message.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* Buffers are not counted by the collector, so unread dumps would fill the memory: run a step. */
static void notify_collector(lua_State *L, size_t bytes)
{
	if (bytes > 1 << 20 && lua_gc(L, LUA_GCISRUNNING))
		lua_gc(L, LUA_GCSTEP, (int)(bytes >> 10));
}

enum {
	DUMP = 1,
	PARTS,
	METATABLE
};

/* Advances to the next part; false behind the last. */
static bool next_part(lua_State *L, struct dump *d)
{
	if (d->part)
		buffer_free(d->part);
	lua_rawgeti(L, lua_upvalueindex(PARTS), ++d->parts);
	d->part = lua_touserdata(L, -1);
	d->at = 0;
	lua_pop(L, 1);
	return d->part;
}

/* -> the next view of a dump, or nothing behind the last. The guard is set by hand, since
 * guard_call takes as long as making the view; after an error of memory the list stays unusable. */
static int next_view(lua_State *L)
{
	struct dump *d = lua_touserdata(L, lua_upvalueindex(DUMP));
	guard_check(L, &d->guard);
	if ((!d->part || d->at >= d->part->length) && !next_part(L, d))
		return 0;
	const struct nlmsghdr *h = (const void *)(d->part->base + d->at);
	d->at += NLMSG_ALIGN(h->nlmsg_len);
	d->guard.busy = true;
	view_new(L, d->object, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
		 mnl_nlmsg_get_payload_len(h), lua_upvalueindex(METATABLE));
	d->guard.busy = false;
	return 1;
}

/*
 * socket:dump(object, filter, like?) -> iterator over views | nil, message, code
 * The filter has only what the kernel itself filters by (family, table, proto, type, dev); `like`
 * is a view of a route: only those with its destination are kept. A view is made when the iterator
 * reaches it, so views that are not kept are collected on the way.
 */
int socket_dump(lua_State *L)
{
	int tries = 64; /* dumps at most */
	struct sock *s = check_socket(L);
	const struct object *object = check_object(L, 2);
	luaL_checktype(L, 3, LUA_TTABLE);
	const struct view *like = view_test(L, 4);
	lua_settop(L, 4);
	ifnames_new(L, 1);
	s->names = lua_topointer(L, 5);
	struct dump *d = lua_newuserdatauv(L, sizeof(*d), 0);
	*d = (struct dump){.guard.what = "this list",
			   .object = object,
			   .like = object->schema == &schema_route ? like : NULL};
	s->out->length = 0;
	size_t at = begin_message(L, s, object->get, NLM_F_REQUEST | NLM_F_DUMP);
	struct encoder e = {.L = L, .out = s->out, .names = 5, .verb = VERB_DUMP};
	encode_message(&e, object->schema, 3);
	end_message(s, at);
	if (e.missing_errno)
		return push_missing(L, &e, object, "list");
	d->watched = object->schema == &schema_route && e.family != AF_INET;
	if (d->watched && start_watch(s) < 0)
		return push_sent_error(L, s, &e, object, "list", NULL, errno);
	while (tries-- > 0) {
		if (run_dump(L, s, d, at) < 0)
			return push_sent_error(L, s, &e, object, "list", &d->x, d->error);
		if (!d->interrupted && (!d->watched || complete_dump(L, s, d, at, &tries))) {
			notify_collector(L, d->bytes);
			view_metatable(L, object, 5);
			lua_pushcclosure(L, next_view, METATABLE);
			return 1;
		}
		free_parts(L, lua_gettop(L));
		lua_settop(L, 6);
	}
	d->x.text = "changes came in between every time";
	d->x.text_length = strlen(d->x.text);
	return push_sent_error(L, s, &e, object, "list", &d->x, EINTR);
}
