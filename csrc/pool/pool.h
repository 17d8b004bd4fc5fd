/*
 * What the files of ecmp_pool share: an HTTP/2 connection, with or without TLS, for one request at
 * a time, each with a deadline.
 */
#ifndef ECMP_POOL_H
#define ECMP_POOL_H

#include "common/clock.h"

#include <lauxlib.h>
#include <lua.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LARGEST_BODY = 64 * 1024 * 1024,
	LARGEST_HEADERS = 64 * 1024,
	PROBLEM_SIZE = 256
};

/* Bytes that grow, up to a limit. */
struct bytes {
	char *data;
	size_t len, size;
};

/* base.c: appends; false without memory. */
bool pool_bytes_add(struct bytes *bytes, const void *data, size_t len);
/* Removes the first `len`. */
void pool_bytes_drop(struct bytes *bytes, size_t len);
void pool_bytes_free(struct bytes *bytes);

/* The request under way and what came back so far. */
struct exchange {
	int32_t stream;
	bool done;
	bool sent;	/* a part may have reached the server */
	uint32_t error; /* HTTP/2 error code that the stream was closed with */
	const char *body;
	size_t body_len, body_at;
	struct bytes headers; /* name NUL value NUL ..., then trailers */
	struct bytes answer;
	bool too_large;
};

struct connection {
	int fd;
	bool ended;  /* closed by the server, or unusable */
	bool goaway; /* the server accepts no more requests */
	double deadline;
	SSL_CTX *tls_context;
	SSL *tls;
	nghttp2_session *session;
	struct bytes out;	/* bytes for the socket */
	struct bytes decrypted; /* by TLS, for the session */
	struct exchange exchange;
	int error; /* errno of the failure that `problem` describes */
	char problem[PROBLEM_SIZE];
};

/* How a server is reached. Strings belong to the caller. */
struct endpoint {
	const char *host, *port; /* a name or an address; or: */
	const char *path;	 /* of a unix socket */
	bool tls;
	const char *ca, *cert, *key; /* files in PEM; NULL where there is none */
};

/* Stores an error and its message; returns false. */
__attribute__((format(printf, 3, 4))) bool pool_fail(struct connection *c, int error,
						     const char *format, ...);

/* Waits for the socket; false at the deadline. */
bool pool_wait(struct connection *c, short events);

/* socket.c: connects by the deadline. */
bool pool_socket_connect(struct connection *c, const struct endpoint *to);
/* Sends what is in `out` as far as the socket takes it. */
bool pool_socket_flush(struct connection *c);
/* Receives what is there: the count, 0 when nothing is, -1 at the end or after a failure. */
ssize_t pool_socket_receive(struct connection *c, void *buffer, size_t size);

/* resolve.c: the addresses of a name by the deadline; EAI_ code, or 0. */
struct addrinfo;
int pool_resolve(struct connection *c, const char *host, const char *port, struct addrinfo **found);

/* tls.c: handshake and certificates; then bytes in and out. */
bool pool_tls_start(struct connection *c, const struct endpoint *to);
bool pool_tls_write(struct connection *c, const void *data, size_t len);
/* Decrypts bytes of the socket and appends the result. */
bool pool_tls_read(struct connection *c, const void *data, size_t len, struct bytes *decrypted);
void pool_tls_free(struct connection *c);

/* http2.c: the session. */
bool pool_http2_start(struct connection *c);
bool pool_http2_request(struct connection *c, const nghttp2_nv *headers, size_t count);
/* Runs until the exchange is over. */
bool pool_http2_run(struct connection *c);

#endif
