/*
 * What the kernel lists: dumps, read whole before the first view of one is made.
 */
#define _GNU_SOURCE
#include "rtnl/request/dump.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <string.h>
#include <sys/socket.h>

enum {
	PART = 16 << 20 /* larger ones malloc would map anew each time, a page fault a page */
};

/* Sees to it that the part has room. */
static void open_part(lua_State *L, struct dump *d, int parts, size_t length)
{
	if (d->part && d->part->length + length <= PART)
		return;
	d->part = arena_new(L);
	lua_rawseti(L, parts, ++d->parts);
}

void keep_message(lua_State *L, struct dump *d, int parts, const struct nlmsghdr *h)
{
	size_t length = NLMSG_ALIGN(h->nlmsg_len);
	open_part(L, d, parts, length);
	memcpy(arena_room(L, d->part, length), h, length);
	d->bytes += length;
}

/* The collector does not count the memory of arenas: it is told, or a script that looks at the
 * beginnings of many dumps would fill the machine. */
static void tell_collector(lua_State *L, size_t bytes)
{
	if (bytes > 1 << 20 && lua_gc(L, LUA_GCISRUNNING))
		lua_gc(L, LUA_GCSTEP, (int)(bytes >> 10));
}

/* Gives back what the parts take, before somebody collects them. */
void free_parts(lua_State *L, int parts)
{
	lua_Integer n = 0;
	for (; lua_rawgeti(L, parts, n) == LUA_TUSERDATA || n == 0; n++) {
		if (lua_isuserdata(L, -1))
			arena_free(lua_touserdata(L, -1));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/* The kernel cannot be asked for one destination: what has another one is dropped as it comes. */
static bool has_dst(const struct nlmsghdr *h, const struct view *like)
{
	struct stretch a = {.schema = &schema_route,
			    .data = mnl_nlmsg_get_payload(h),
			    .length = mnl_nlmsg_get_payload_len(h)},
		       b = view_stretch(like);
	const struct rtmsg *mine = (const void *)a.data, *wanted = (const void *)b.data;
	if (mine->rtm_dst_len != wanted->rtm_dst_len || mine->rtm_family != wanted->rtm_family)
		return false;
	const struct nlattr *x = find_attr(&a, RTA_DST), *y = find_attr(&b, RTA_DST);
	if (!x || !y)
		return mine->rtm_dst_len == 0;
	return x->nla_len == y->nla_len && memcmp(x, y, x->nla_len) == 0;
}

/* Takes the messages of one receive; true when the dump is over. */
static bool take_dump(lua_State *L, struct sock *s, struct dump *d, int parts, ssize_t n)
{
	int left = (int)n;
	for (const struct nlmsghdr *h = (void *)s->buffer; mnl_nlmsg_ok(h, left);
	     h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != s->seq)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			d->interrupted = true;
		if (h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR) {
			read_extack(h, &d->x, &d->error);
			return true;
		}
		if (mnl_nlmsg_get_payload_len(h) < d->object->schema->head)
			continue;
		bool kept = !d->like || has_dst(h, d->like);
		if (kept)
			open_part(L, d, parts, NLMSG_ALIGN(h->nlmsg_len));
		d->largest = d->largest < h->nlmsg_len ? h->nlmsg_len : d->largest;
		if (d->watched)
			note_message(L, d, h, kept);
		if (kept)
			keep_message(L, d, parts, h);
	}
	return false;
}

/* [] -> [parts] */
int run_dump(lua_State *L, struct sock *s, struct dump *d, size_t at)
{
	struct nlmsghdr *h = (void *)(s->out->base + at);
	bool done = false;
	lua_newtable(L);
	int parts = lua_gettop(L);
	*d = (struct dump){.object = d->object,
			   .like = d->like,
			   .watched = d->watched,
			   .nl = d->nl ? d->nl : s->nl,
			   .room = d->room ? d->room : RECEIVE_SIZE};
	if (d->watched) {
		d->pieces = arena_new(L);
		lua_rawseti(L, parts, 0);
		forget_changes(s);
	}
	h->nlmsg_seq = ++s->seq;
	if (mnl_socket_sendto(d->nl, h, s->out->length - at) < 0) {
		d->error = errno;
		return -1;
	}
	while (!done) {
		ssize_t n = receive_from(d->nl, s->buffer, d->room);
		if (n < 0) {
			d->error = errno;
			return -1;
		}
		done = take_dump(L, s, d, parts, n);
		if (d->watched)
			note_receive(d, (size_t)n, done);
	}
	d->part = NULL;
	d->parts = 0;
	return d->error ? -1 : 0;
}

enum {
	DUMP = 1,
	PARTS,
	KIND
};

/* Goes on to the next part; false behind the last. */
static bool next_part(lua_State *L, struct dump *d)
{
	if (d->part)
		arena_free(d->part);
	lua_rawgeti(L, lua_upvalueindex(PARTS), ++d->parts);
	d->part = lua_touserdata(L, -1);
	d->at = 0;
	lua_pop(L, 1);
	return d->part;
}

/* -> the next view of what a dump has told, or nothing behind the last */
static int next_view(lua_State *L)
{
	struct dump *d = lua_touserdata(L, lua_upvalueindex(DUMP));
	if ((!d->part || d->at >= d->part->length) && !next_part(L, d))
		return 0;
	const struct nlmsghdr *h = (const void *)(d->part->base + d->at);
	d->at += NLMSG_ALIGN(h->nlmsg_len);
	view_new(L, d->object, h->nlmsg_type, h->nlmsg_flags, mnl_nlmsg_get_payload(h),
		 mnl_nlmsg_get_payload_len(h), lua_upvalueindex(KIND));
	return 1;
}

/*
 * socket:dump(object, filter, like?) -> iterator over views | nil, message, code
 * The filter holds only what the kernel itself can filter by (family, table, proto, type, dev);
 * `like` is a view of a route: only those with its destination are kept. All has been read when the
 * first view is handed out; a view is made when its turn comes, so that one that nobody keeps is
 * memory for those after it.
 */
int socket_dump(lua_State *L)
{
	int tries = 64; /* dumps for one list */
	struct sock *s = check_socket(L);
	const struct object *object = check_object(L, 2);
	luaL_checktype(L, 3, LUA_TTABLE);
	const struct view *like = view_test(L, 4);
	lua_settop(L, 4);
	names_new(L, 1);
	struct dump *d = lua_newuserdatauv(L, sizeof(*d), 0);
	*d = (struct dump){.object = object, .like = object->schema == &schema_route ? like : NULL};
	s->out->length = 0;
	size_t at = begin_message(L, s, object->get, NLM_F_REQUEST | NLM_F_DUMP);
	struct encoder e = {.L = L, .out = s->out, .names = 5, .verb = VERB_DUMP};
	encode_message(&e, object->schema, 3);
	end_message(s, at);
	if (e.refused)
		return lacking(L, &e, object, "list");
	d->watched = object->schema == &schema_route && e.family != AF_INET;
	if (d->watched && start_watch(s) < 0)
		return refusal(L, NULL, errno, object, "list", s->out->base + e.start,
			       s->out->length - e.start, 5);
	while (tries-- > 0) {
		if (run_dump(L, s, d, at) < 0)
			return refusal(L, &d->x, d->error, object, "list", s->out->base + e.start,
				       s->out->length - e.start, 5);
		if (!d->interrupted && (!d->watched || whole_dump(L, s, d, at, &tries))) {
			tell_collector(L, d->bytes);
			view_kind(L, object, 5);
			lua_pushcclosure(L, next_view, KIND);
			return 1;
		}
		free_parts(L, lua_gettop(L));
		lua_settop(L, 6);
	}
	d->x.text = "changes came in between every time";
	d->x.text_length = strlen(d->x.text);
	return refusal(L, &d->x, EINTR, object, "list", s->out->base + e.start,
		       s->out->length - e.start, 5);
}
