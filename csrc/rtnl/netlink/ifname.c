/*
 * Translates interface names and indices. The cache lasts for one operation, so a link that was
 * renamed is looked up again by the next. The kernel is asked over the request's own socket, not by
 * libc, which would look in the thread's namespace.
 */
#define _GNU_SOURCE
#include "rtnl/netlink/ifname.h"

#include "rtnl/base/error.h"
#include "rtnl/netlink/socket.h"

#include <errno.h>
#include <lauxlib.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/export.h"

void ifnames_new(lua_State *L, int socket)
{
	socket = socket ? lua_absindex(L, socket) : 0;
	lua_newtable(L);
	if (socket) {
		lua_pushvalue(L, socket);
		lua_rawseti(L, -2, 0);
	}
}

/* Key of the table that names removed links. */
static const char gone;

/* Names links that the kernel no longer has: by the table at stack index `table`. */
void ifnames_gone(lua_State *L, int names, int table)
{
	lua_pushvalue(L, table);
	lua_rawsetp(L, names, &gone);
}

/* The name that a removed link had; or if7, as ip(8) prints it. */
static void name_gone(lua_State *L, int names, uint32_t index, char text[IFNAMSIZ])
{
	int top = lua_gettop(L);
	if (lua_rawgetp(L, names, &gone) == LUA_TTABLE &&
	    lua_rawgeti(L, -1, (lua_Integer)index) == LUA_TSTRING)
		snprintf(text, IFNAMSIZ, "%s", lua_tostring(L, -1));
	else
		snprintf(text, IFNAMSIZ, "if%u", index);
	lua_settop(L, top);
}

static void remember(lua_State *L, int names, uint32_t index, const char *name)
{
	lua_pushstring(L, name);
	lua_pushvalue(L, -1);
	lua_pushinteger(L, index);
	lua_rawset(L, names);
	lua_rawseti(L, names, (lua_Integer)index);
}

/* An index for a name that the kernel does not have. */
static uint32_t invent(lua_State *L, int names, const char *name)
{
	static const char last;
	lua_rawgetp(L, names, &last);
	uint32_t index = (uint32_t)lua_tointeger(L, -1) + 1;
	lua_pop(L, 1);
	if (index == 1)
		index = INVENTED + 1;
	lua_pushinteger(L, index);
	lua_rawsetp(L, names, &last);
	remember(L, names, index, name);
	return index;
}

/* --- asking the kernel ------------------------------------------------------------------------ */

/* Requests the index of a name, which may be an altname; false with errno set. */
static bool ask_link(struct sock *s, const char *name, uint32_t *index)
{
	_Alignas(8) char request[256] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = s->seq ^ 0x80000000U;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, strlen(name) < IFNAMSIZ ? IFLA_IFNAME : IFLA_ALT_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, 1 << 3); /* RTEXT_FILTER_SKIP_STATS */
	if (mnl_socket_sendto(s->nl, h, h->nlmsg_len) < 0)
		return false;
	const struct nlmsghdr *r = answer_to(s, h->nlmsg_seq);
	if (!r)
		return false;
	errno = ENODEV;
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(r);
	if (r->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(r) < sizeof(*link))
		return false;
	*index = (uint32_t)link->ifi_index;
	return true;
}

/* By ioctl, which unlike RTM_GETLINK does not wait for the RTNL lock. */
static bool name_of(struct sock *s, uint32_t index, char name[IFNAMSIZ])
{
	struct ifreq link = {.ifr_ifindex = (int)index};

	if (ioctl(mnl_socket_get_fd(s->nl), SIOCGIFNAME, &link) < 0)
		return false;
	memcpy(name, link.ifr_name, IFNAMSIZ);
	return true;
}

/* The index of a link that was looked up lately and still has the name, or 0. */
static uint32_t recent_index(struct sock *s, const char *name)
{
	for (size_t i = 0; i < RECENT_LINKS; i++) {
		const struct recent_link *recent = &s->recent[i];
		char now[IFNAMSIZ];

		if (!strncmp(name, recent->name, IFNAMSIZ) && name_of(s, recent->index, now) &&
		    !strncmp(name, now, IFNAMSIZ))
			return recent->index;
	}
	return 0;
}

static bool ask_index(struct sock *s, const char *name, uint32_t *index)
{
	struct recent_link *recent = &s->recent[s->next_recent];

	if (!ask_link(s, name, index))
		return false;
	if (strlen(name) < IFNAMSIZ) { /* a longer one is an altname */
		memcpy(recent->name, name, strlen(name) + 1);
		recent->index = *index;
		s->next_recent = (s->next_recent + 1) % RECENT_LINKS;
	}
	return true;
}

/* Asks the kernel for the index of a name, or where that is empty for the name of an index; false
 * with errno set. */
static bool socket_link(lua_State *L, int socket, int names, uint32_t *index,
			char name[ALT_NAME_SIZE])
{
	struct sock *s = lua_touserdata(L, socket);

	errno = EBADF;
	if (!s->nl)
		return false;
	if (!*name)
		return name_of(s, *index, name);
	*index = recent_index(s, name);
	if (*index)
		return true;
	if (s->names != lua_topointer(L, names)) /* not by the current call itself */
		guard_check(L, &s->guard);
	return ask_index(s, name, index);
}

/* --- the cache -------------------------------------------------------------------------------- */

static bool ask(lua_State *L, int names, uint32_t *index, char name[ALT_NAME_SIZE], bool *kernel)
{
	*kernel = lua_rawgeti(L, names, 0) == LUA_TUSERDATA;
	bool found = *kernel && socket_link(L, lua_gettop(L), names, index, name);
	lua_pop(L, 1);
	return found;
}

uint32_t ifnames_index(lua_State *L, int names, const char *name, bool *found)
{
	char text[ALT_NAME_SIZE];
	uint32_t index = 0;
	bool kernel;

	*found = true;
	lua_pushstring(L, name);
	if (lua_rawget(L, names) == LUA_TNUMBER)
		index = (uint32_t)lua_tointeger(L, -1);
	lua_pop(L, 1);
	if (index)
		return index;
	snprintf(text, sizeof(text), "%s", name);
	if (ask(L, names, &index, text, &kernel)) {
		remember(L, names, index, name);
		return index;
	}
	int error = errno;
	*found = !kernel;
	index = invent(L, names, name);
	errno = error;
	return index;
}

/* A view that outlives its handle has the names alone that were looked up before. */
static _Noreturn void throw_closed(lua_State *L, uint32_t index)
{
	lua_pushfstring(L, "the handle was closed before interface %d was asked for its name",
			(int)index);
	throw_at_caller(L);
}

/* [] -> [name] */
const char *ifnames_name(lua_State *L, int names, uint32_t index)
{
	char text[ALT_NAME_SIZE] = "";
	bool kernel;

	if (lua_rawgeti(L, names, (lua_Integer)index) == LUA_TSTRING)
		return lua_tostring(L, -1);
	lua_pop(L, 1);
	bool found = ask(L, names, &index, text, &kernel);
	if (!found && kernel && errno == EBADF)
		throw_closed(L, index);
	if (!found)
		name_gone(L, names, index, text);
	remember(L, names, index, text);
	lua_rawgeti(L, names, (lua_Integer)index);
	return lua_tostring(L, -1);
}
