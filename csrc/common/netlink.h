/*
 * Sets up netlink sockets and receives from them.
 */
#ifndef ECMP_NETLINK_H
#define ECMP_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Gives a new socket a port of its own and has it talk to the kernel alone: what other processes
 * send to that port is refused to them. 0, or -1 with errno set.
 */
int netlink_connect(int fd);

/*
 * Receives one datagram of the kernel's; what other processes send to a group is dropped. Goes on
 * after signals. Returns its bytes, or -1 with errno set: ENOSPC where the buffer cuts it short,
 * EAGAIN where `flags` has MSG_DONTWAIT and nothing has come.
 */
ssize_t netlink_receive(int fd, void *buffer, size_t room, int flags);

/* The same, for the next datagram until the deadline (common/clock.h): ETIMEDOUT when none came. */
ssize_t netlink_receive_until(int fd, void *buffer, size_t room, double deadline);

/* Connects an rtnetlink socket with extended ACKs; `strict`: the kernel rejects unknown filters of
 * dumps. 0, or -1 with errno set. */
int netlink_set_up(int fd, bool strict);

/* Where the sequence numbers of a socket start: unpredictable. 0 with errno set. */
uint32_t netlink_sequence(void);

#endif
