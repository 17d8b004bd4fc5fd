/*
 * Connects, sends and receives on a non-blocking socket, within the deadline.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/export.h"

/* An error by errno. */
static bool fail_errno(struct connection *c, int error, const char *what)
{
	char reason[128];

	return pool_fail(c, error, "%s: %s", what, strerror_r(error, reason, sizeof(reason)));
}

bool pool_wait(struct connection *c, short events)
{
	struct pollfd item = {.fd = c->fd, .events = events};
	int left, n;

	do {
		left = clock_remaining(c->deadline);
		n = left > 0 ? poll(&item, 1, left) : 0;
	} while ((n < 0 && errno == EINTR) || (n == 0 && left > 0));
	if (n < 0)
		return fail_errno(c, errno, "poll");
	return n > 0 || pool_fail(c, ETIMEDOUT, "no answer in time");
}

/* Connects one socket; leaves it in c->fd only when that worked. */
static bool connect_one(struct connection *c, const struct sockaddr *to, socklen_t size)
{
	int error = 0, on = 1;
	socklen_t len = sizeof(error);

	c->fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return fail_errno(c, errno, "socket");
	/* requests are smaller than a segment, and each is awaited */
	if (to->sa_family != AF_UNIX)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, to, size) < 0)
		error = errno;
	if (error == EINPROGRESS) {
		if (!pool_wait(c, POLLOUT))
			error = ETIMEDOUT;
		else if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
	}
	if (error == 0)
		return true;
	close(c->fd);
	c->fd = -1;
	return fail_errno(c, error, "connect");
}

static bool connect_unix(struct connection *c, const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path))
		return pool_fail(c, ENAMETOOLONG, "the path of the socket is too long");
	memcpy(to.sun_path, path, strlen(path) + 1);
	return connect_one(c, (const struct sockaddr *)&to, sizeof(to));
}

/* Each address gets an equal part of the remaining time. */
static bool connect_each(struct connection *c, const struct addrinfo *list)
{
	double deadline = c->deadline;
	int count = 0;

	for (const struct addrinfo *at = list; at; at = at->ai_next)
		count++;
	for (const struct addrinfo *at = list; at; at = at->ai_next, count--) {
		double now = clock_seconds();
		bool connected;

		c->deadline = now + (deadline - now) / count;
		connected = connect_one(c, at->ai_addr, at->ai_addrlen);
		c->deadline = deadline;
		if (connected)
			return true;
	}
	return false;
}

bool pool_socket_connect(struct connection *c, const struct endpoint *to)
{
	struct addrinfo *list = NULL;
	bool connected;
	int error;

	if (to->path)
		return connect_unix(c, to->path);
	error = pool_resolve(c, to->host, to->port, &list);
	if (error == EAI_AGAIN && clock_remaining(c->deadline) == 0)
		return pool_fail(c, ETIMEDOUT, "the name is not resolved in time");
	if (error)
		return pool_fail(c, EHOSTUNREACH, "%s", gai_strerror(error));
	connected = connect_each(c, list);
	freeaddrinfo(list);
	return connected;
}

bool pool_socket_flush(struct connection *c)
{
	size_t done = 0;

	while (done < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + done, c->out.len - done, MSG_NOSIGNAL);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			break;
		} else if (errno != EINTR) {
			return fail_errno(c, errno, "send");
		}
	}
	pool_bytes_drop(&c->out, done);
	return true;
}

ssize_t pool_socket_receive(struct connection *c, void *buffer, size_t size)
{
	ssize_t n;

	do
		n = recv(c->fd, buffer, size, 0);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return 0;
	c->ended = true;
	if (n < 0)
		fail_errno(c, errno, "receive");
	else
		pool_fail(c, ECONNRESET, "the server has closed the connection");
	return -1;
}
