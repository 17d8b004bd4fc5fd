/*
 * Sends an HTTP/2 request by nghttp2 and collects its answer until the stream ends.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "common/export.h"

enum {
	WINDOW = 4 * 1024 * 1024 /* flow control: what the server may send without an update */
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
	/* nghttp2 terminates both by NUL and rejects NUL within */
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

/* Sends the frames of the session as far as the socket accepts them. */
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

/* Frames before a failure are used: the answer may be complete before the connection ends. */
static bool feed(struct connection *c, const void *data, size_t len)
{
	ssize_t n;
	bool readable = true;

	if (c->tls) {
		readable = pool_tls_read(c, data, len, &c->decrypted);
		data = c->decrypted.data;
		len = c->decrypted.len;
	}
	n = len > 0 ? nghttp2_session_mem_recv(c->session, data, len) : 0;
	c->decrypted.len = 0;
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

/* Reads first, since the server may have closed the idle connection. */
static bool check_idle(struct connection *c)
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

	if (!check_idle(c))
		return false;
	stream = nghttp2_submit_request(c->session, NULL, headers, count, &provider, NULL);
	if (stream < 0)
		return fail_http2(c, stream);
	c->exchange.stream = stream;
	return true;
}

/* The error of a stream that ended without an answer. */
static bool fail_stream(struct connection *c)
{
	uint32_t error = c->exchange.error;

	/* the server has not processed the request */
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
	/* an answer before the whole request was read is no error */
	if (x->error != NGHTTP2_NO_ERROR)
		return fail_stream(c);
	return true;
}
