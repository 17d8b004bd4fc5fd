/*
 * Sets up netlink sockets and receives from them. Whoever owns the namespace may send to multicast
 * groups, so the sender is checked.
 */
#define _GNU_SOURCE
#include "common/netlink.h"

#include "common/clock.h"

#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
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

ssize_t netlink_receive_until(int fd, void *buffer, size_t room, double deadline)
{
	struct pollfd item = {.fd = fd, .events = POLLIN};

	for (;;) {
		int ready = poll(&item, 1, clock_remaining(deadline));
		ssize_t n;

		if (ready < 0)
			return -1;
		if (ready == 0 && clock_remaining(deadline) == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (ready == 0)
			continue;
		n = netlink_receive(fd, buffer, room, MSG_DONTWAIT);
		if (n >= 0 || errno != EAGAIN) /* a dropped datagram wakes poll as well */
			return n;
	}
}

int netlink_set_up(int fd, bool strict)
{
	const int on = 1;

	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (strict && setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -1;
	return netlink_connect(fd);
}

/* Below a quarter of the numbers, so that a socket does not soon wrap around. */
uint32_t netlink_sequence(void)
{
	uint32_t number = 0;
	ssize_t n;

	do
		n = getrandom(&number, sizeof(number), 0);
	while (n < 0 && errno == EINTR);
	return n == sizeof(number) ? (number & 0x3fffffff) + 1 : 0;
}
