/*
 * Links by name or number: one question to the kernel, over the socket of a handle.
 */
#define _GNU_SOURCE
#include "rtnl/request/request.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Asks the kernel for the link of this name, which may be one of its other names; errno says why
 * there is no answer. */
static bool ask_link(struct sock *s, const char *name, uint32_t *index)
{
	_Alignas(8) char request[256] = {0};
	struct nlmsghdr *h = mnl_nlmsg_put_header(request);
	h->nlmsg_type = RTM_GETLINK;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = s->seq ^ 0x80000000U;
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
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

/*
 * Any socket can be asked for the name of a number, and that waits for no lock as messages do,
 * while other links come and go.
 */
static bool name_of(struct sock *s, uint32_t index, char name[IFNAMSIZ])
{
	struct ifreq link = {.ifr_ifindex = (int)index};

	if (ioctl(mnl_socket_get_fd(s->nl), SIOCGIFNAME, &link) < 0)
		return false;
	memcpy(name, link.ifr_name, IFNAMSIZ);
	return true;
}

/* The number of a link that was asked for lately and is still called so, or 0. */
static uint32_t known_index(struct sock *s, const char *name)
{
	for (size_t i = 0; i < KNOWN_LINKS; i++) {
		const struct known_link *known = &s->known[i];
		char now[IFNAMSIZ];

		if (!strncmp(name, known->name, IFNAMSIZ) && name_of(s, known->index, now) &&
		    !strncmp(name, now, IFNAMSIZ))
			return known->index;
	}
	return 0;
}

static bool ask_index(struct sock *s, const char *name, uint32_t *index)
{
	struct known_link *known = &s->known[s->next_known];

	if (!ask_link(s, name, index))
		return false;
	memcpy(known->name, name, IFNAMSIZ);
	known->index = *index;
	s->next_known = (s->next_known + 1) % KNOWN_LINKS;
	return true;
}

bool socket_link(lua_State *L, int socket, uint32_t *index, char name[IFNAMSIZ])
{
	struct sock *s = lua_touserdata(L, socket);

	errno = EBADF;
	if (!s->nl)
		return false;
	if (!*name)
		return name_of(s, *index, name);
	*index = known_index(s, name);
	return *index || ask_index(s, name, index);
}
