/*
 * HTTP/2 by nghttp2: one request at a time, its answer gathered until the stream ends. Flow
 * control, settings, pings and GOAWAY are the library's.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/export.h"

enum {
	WINDOW = 4 * 1024 * 1024 /* how much the server may send before it hears of us */
};

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *data)
{
	struct connection *c = data;
	struct bytes *headers = &c->exchange.headers;

	(void)session;
	(void)flags;
	if (frame->hd.stream_id != c->exchange.stream)
		return 0;
	if (headers->len + name_len + value_len + 2 > LARGEST_HEADERS) {
		c->exchange.too_large = true;
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	/* nghttp2 ends both with a NUL byte, and lets none be within */
	if (!pool_bytes_add(headers, name, name_len + 1) ||
	    !pool_bytes_add(headers, value, value_len + 1))
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *data,
		   size_t len, void *user)
{
	struct connection *c = user;

	(void)session;
	(void)flags;
	if (stream != c->exchange.stream)
		return 0;
	if (c->exchange.answer.len + len > LARGEST_BODY) {
		c->exchange.too_large = true;
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	}
	return pool_bytes_add(&c->exchange.answer, data, len) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *data)
{
	struct connection *c = data;

	(void)session;
	if (stream == c->exchange.stream) {
		c->exchange.done = true;
		c->exchange.error = error;
	}
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data)
{
	struct connection *c = data;

	(void)session;
	if (frame->hd.type == NGHTTP2_GOAWAY)
		c->goaway = true;
	return 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t stream, uint8_t *buffer, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *data)
{
	struct connection *c = data;
	struct exchange *x = &c->exchange;
	size_t len = x->body_len - x->body_at;

	(void)session;
	(void)stream;
	(void)source;
	if (len > size)
		len = size;
	if (len > 0)
		memcpy(buffer, x->body + x->body_at, len);
	x->body_at += len;
	if (x->body_at == x->body_len)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static bool fail_http2(struct connection *c, int code)
{
	if (c->exchange.too_large)
		return pool_fail(c, EMSGSIZE, "the answer is too large");
	return pool_fail(c, code == NGHTTP2_ERR_NOMEM ? ENOMEM : EPROTO, "HTTP/2: %s",
			 nghttp2_strerror(code));
}

bool pool_http2_start(struct connection *c)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW},
	};
	nghttp2_session_callbacks *callbacks;
	int error = nghttp2_session_callbacks_new(&callbacks);

	if (error)
		return fail_http2(c, error);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	error = nghttp2_session_client_new(&c->session, callbacks, c);
	nghttp2_session_callbacks_del(callbacks);
	if (!error)
		error = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings, 2);
	if (!error)
		error = nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
							      WINDOW);
	return !error || fail_http2(c, error);
}

/* Hands on what the session has to say, and lets the socket take what it can. */
static bool send_frames(struct connection *c)
{
	const uint8_t *data;
	ssize_t n;

	while ((n = nghttp2_session_mem_send(c->session, &data)) > 0) {
		if (c->tls ? !pool_tls_write(c, data, (size_t)n)
			   : !pool_bytes_add(&c->out, data, (size_t)n))
			return c->tls ? false : pool_fail(c, ENOMEM, "not enough memory");
	}
	if (n < 0)
		return fail_http2(c, (int)n);
	if (c->out.len > 0)
		c->exchange.sent = true;
	return pool_socket_flush(c);
}

/* What came before a failure still counts: an answer may be whole before the connection ends. */
static bool feed(struct connection *c, const void *data, size_t len)
{
	ssize_t n;
	bool readable = true;

	if (c->tls) {
		readable = pool_tls_read(c, data, len, &c->said);
		data = c->said.data;
		len = c->said.len;
	}
	n = len > 0 ? nghttp2_session_mem_recv(c->session, data, len) : 0;
	c->said.len = 0;
	if (n < 0)
		return fail_http2(c, (int)n);
	return readable;
}

static bool receive_frames(struct connection *c)
{
	char buffer[16384];
	ssize_t n;

	while (!c->exchange.done && (n = pool_socket_receive(c, buffer, sizeof(buffer))) != 0) {
		if (n < 0)
			return false;
		if (!feed(c, buffer, (size_t)n))
			return false;
	}
	return true;
}

/* The server may have closed a connection that was idle: seen before something is sent on it. */
static bool look_first(struct connection *c)
{
	if (!receive_frames(c) || c->goaway) {
		c->ended = true;
		return c->goaway ? pool_fail(c, ECONNRESET, "the server goes away") : false;
	}
	return true;
}

bool pool_http2_request(struct connection *c, const nghttp2_nv *headers, size_t count)
{
	nghttp2_data_provider provider = {.read_callback = read_body};
	int32_t stream;

	if (!look_first(c))
		return false;
	stream = nghttp2_submit_request(c->session, NULL, headers, count, &provider, NULL);
	if (stream < 0)
		return fail_http2(c, stream);
	c->exchange.stream = stream;
	return true;
}

/* A stream that ended otherwise than with an answer. */
static bool fail_stream(struct connection *c)
{
	uint32_t error = c->exchange.error;

	/* the server says that it has not looked at the request */
	if (error == NGHTTP2_REFUSED_STREAM)
		c->exchange.sent = false;
	return pool_fail(c, error == NGHTTP2_REFUSED_STREAM ? EAGAIN : EPROTO,
			 "HTTP/2: the server ended the request: %s", nghttp2_http2_strerror(error));
}

bool pool_http2_run(struct connection *c)
{
	struct exchange *x = &c->exchange;

	while (!x->done) {
		short events = POLLIN;

		if (!send_frames(c))
			return false;
		if (c->out.len > 0)
			events |= POLLOUT;
		if (!pool_wait(c, events) || !receive_frames(c))
			return x->done && x->error == NGHTTP2_NO_ERROR;
	}
	/* an answer may come before the request has been taken whole: that is no failure */
	if (x->error != NGHTTP2_NO_ERROR)
		return fail_stream(c);
	return true;
}
