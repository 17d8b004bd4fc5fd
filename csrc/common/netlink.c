/*
 * Receives from netlink sockets. Who owns the namespace may send to the groups that it listens to,
 * so the sender is looked at.
 */
#define _GNU_SOURCE
#include "common/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/export.h"

int netlink_connect(int fd)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel));
}

/* The kernel's port is 0, and it lets no process send from that. */
ssize_t netlink_receive(int fd, void *buffer, size_t room, int flags)
{
	struct sockaddr_nl sender = {.nl_pid = 0};
	struct iovec space = {.iov_base = buffer, .iov_len = room};
	struct msghdr message = {.msg_name = &sender, .msg_iov = &space, .msg_iovlen = 1};
	ssize_t n;

	do {
		message.msg_namelen = sizeof(sender);
		n = recvmsg(fd, &message, flags);
	} while (n < 0 ? errno == EINTR : sender.nl_pid != 0);
	if (n >= 0 && (message.msg_flags & MSG_TRUNC)) {
		errno = ENOSPC;
		return -1;
	}
	return n;
}

/* Half of the numbers, so that a socket has a long way before they begin anew. */
uint32_t netlink_sequence(void)
{
	uint32_t number = 0;
	ssize_t n;

	do
		n = getrandom(&number, sizeof(number), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(number) ? (number & 0x3fffffff) + 1 : 0;
}
