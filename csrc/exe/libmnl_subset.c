/*
 * The functions of libmnl that ecmp.rtnl uses, for the executable: loading the library costs a
 * twentieth of a plugin's start, and Debian has no static one. The Lua modules link libmnl.
 */
#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

struct mnl_socket {
	int fd;
};

/* --- messages --------------------------------------------------------------------------------- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *h = buf;

	memset(h, 0, MNL_NLMSG_HDRLEN);
	h->nlmsg_len = MNL_NLMSG_HDRLEN;
	return h;
}

/* Extends a message by zeroed bytes, padded; the caller's buffer has the room. */
static void *grow(struct nlmsghdr *h, size_t size)
{
	char *tail = (char *)h + h->nlmsg_len;

	memset(tail, 0, MNL_ALIGN(size));
	h->nlmsg_len += MNL_ALIGN(size);
	return tail;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *h, size_t size)
{
	return grow(h, size);
}

static void put(struct nlmsghdr *h, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attr = grow(h, MNL_ATTR_HDRLEN + size);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + size);
	memcpy((char *)attr + MNL_ATTR_HDRLEN, data, size);
}

void mnl_attr_put_u32(struct nlmsghdr *h, uint16_t type, uint32_t data)
{
	put(h, type, &data, sizeof(data));
}

void mnl_attr_put_strz(struct nlmsghdr *h, uint16_t type, const char *data)
{
	put(h, type, data, strlen(data) + 1);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *h)
{
	return (char *)h + MNL_NLMSG_HDRLEN;
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *h)
{
	return h->nlmsg_len - MNL_NLMSG_HDRLEN;
}

bool mnl_nlmsg_ok(const struct nlmsghdr *h, int len)
{
	return len >= (int)sizeof(*h) && h->nlmsg_len >= sizeof(*h) && (int)h->nlmsg_len <= len;
}

/* `len` is signed: the last message may lack its padding. */
struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *h, int *len)
{
	size_t size = MNL_ALIGN(h->nlmsg_len);

	*len -= (int)size;
	return (struct nlmsghdr *)((char *)h + size);
}

/* --- sockets ---------------------------------------------------------------------------------- */

struct mnl_socket *mnl_socket_fdopen(int fd)
{
	struct mnl_socket *nl = malloc(sizeof(*nl));

	if (nl)
		nl->fd = fd;
	return nl;
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int result = close(nl->fd);

	free(nl);
	return result;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *buf, size_t size)
{
	static const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return sendto(nl->fd, buf, size, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
}

int mnl_socket_setsockopt(const struct mnl_socket *nl, int type, void *buf, socklen_t len)
{
	return setsockopt(nl->fd, SOL_NETLINK, type, buf, len);
}
