/*
 * Encrypts and decrypts by OpenSSL on memory buffers, so that socket.c handles deadlines and
 * SIGPIPE. The server's certificate is always verified against the name or address of the endpoint.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>

#include "common/export.h"

/* The protocols offered by ALPN, with their lengths in front. */
static const unsigned char protocols[] = {2, 'h', '2'};

/* An error of OpenSSL; clears its error queue. */
static bool fail_tls(struct connection *c, const char *what)
{
	/* for a file that cannot be opened the first error has the errno; else the last is used */
	unsigned long first = ERR_peek_error(), last = ERR_peek_last_error();
	int error = first && ERR_SYSTEM_ERROR(first) ? ERR_GET_REASON(first) : EPROTO;
	const char *reason = last ? ERR_reason_error_string(last) : NULL;

	if (error != EPROTO)
		reason = strerrordesc_np(error);
	pool_fail(c, error, "TLS: %s: %s", what, reason ? reason : "failed");
	ERR_clear_error();
	return false;
}

/* A key with a passphrase is an error: nobody can type it. */
static int no_passphrase(char *buffer, int size, int writing, void *data)
{
	(void)buffer;
	(void)size;
	(void)writing;
	(void)data;
	return 0;
}

static bool load_files(struct connection *c, const struct endpoint *to)
{
	SSL_CTX *context = c->tls_context;

	if (to->ca && SSL_CTX_load_verify_locations(context, to->ca, NULL) != 1)
		return fail_tls(c, to->ca);
	if (!to->ca && SSL_CTX_set_default_verify_paths(context) != 1)
		return fail_tls(c, "the system's certificates");
	if (!to->cert)
		return true;
	if (SSL_CTX_use_certificate_chain_file(context, to->cert) != 1)
		return fail_tls(c, to->cert);
	if (SSL_CTX_use_PrivateKey_file(context, to->key, SSL_FILETYPE_PEM) != 1)
		return fail_tls(c, to->key);
	return true;
}

/* The name or address that the certificate must have; a name is sent to the server as well (SNI).
 */
static bool expect_peer(struct connection *c, const char *host)
{
	struct in6_addr address;
	X509_VERIFY_PARAM *wanted = SSL_get0_param(c->tls);

	if (inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1 ||
		       fail_tls(c, "address of the server");
	X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return (X509_VERIFY_PARAM_set1_host(wanted, host, 0) == 1 &&
		SSL_set_tlsext_host_name(c->tls, host) == 1) ||
	       fail_tls(c, "name of the server");
}

static bool tls_make(struct connection *c, const struct endpoint *to)
{
	BIO *in, *out;

	ERR_clear_error();
	c->tls_context = SSL_CTX_new(TLS_client_method());
	if (!c->tls_context)
		return fail_tls(c, "start");
	SSL_CTX_set_min_proto_version(c->tls_context, TLS1_2_VERSION);
	SSL_CTX_set_verify(c->tls_context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(c->tls_context, no_passphrase);
	if (SSL_CTX_set_alpn_protos(c->tls_context, protocols, sizeof(protocols)) != 0)
		return fail_tls(c, "ALPN");
	if (!load_files(c, to))
		return false;
	c->tls = SSL_new(c->tls_context);
	in = BIO_new(BIO_s_mem());
	out = BIO_new(BIO_s_mem());
	if (!c->tls || !in || !out) {
		BIO_free(in);
		BIO_free(out);
		return fail_tls(c, "start");
	}
	/* an empty buffer is not the end of input */
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(c->tls, in, out);
	return expect_peer(c, to->host);
}

/* Moves encrypted bytes to the buffer for the socket. */
static bool drain(struct connection *c)
{
	char *data;
	BIO *out = SSL_get_wbio(c->tls);
	long len = BIO_get_mem_data(out, &data);

	if (len > 0 && !pool_bytes_add(&c->out, data, (size_t)len))
		return pool_fail(c, ENOMEM, "not enough memory");
	if (len > 0)
		(void)BIO_reset(out);
	return true;
}

/* The error of a handshake: that of the certificate, if it has one. */
static bool fail_handshake(struct connection *c)
{
	long result = SSL_get_verify_result(c->tls);

	if (result == X509_V_OK)
		return fail_tls(c, "handshake");
	ERR_clear_error();
	return pool_fail(c, EPROTO, "TLS: the server's certificate: %s",
			 X509_verify_cert_error_string(result));
}

/* Sends and receives handshake bytes; false where the connection fails. */
static bool exchange_bytes(struct connection *c)
{
	char buffer[16384];
	ssize_t n;

	if (!drain(c) || !pool_socket_flush(c) ||
	    !pool_wait(c, (short)(POLLIN | (c->out.len > 0 ? POLLOUT : 0))))
		return false;
	n = pool_socket_receive(c, buffer, sizeof(buffer));
	if (n < 0)
		return false;
	if (n > 0 && BIO_write(SSL_get_rbio(c->tls), buffer, (int)n) != n)
		return pool_fail(c, ENOMEM, "not enough memory");
	return true;
}

static bool handshake(struct connection *c)
{
	for (;;) {
		int result = SSL_connect(c->tls);

		if (result == 1)
			return drain(c);
		if (SSL_get_error(c->tls, result) != SSL_ERROR_WANT_READ) {
			/* send the alert to the server */
			if (drain(c))
				pool_socket_flush(c);
			return fail_handshake(c);
		}
		if (!exchange_bytes(c))
			return false;
	}
}

bool pool_tls_start(struct connection *c, const struct endpoint *to)
{
	const unsigned char *protocol;
	unsigned int len;

	if (!tls_make(c, to) || !handshake(c))
		return false;
	SSL_get0_alpn_selected(c->tls, &protocol, &len);
	if (len != 2 || memcmp(protocol, "h2", 2) != 0)
		return pool_fail(c, EPROTO, "TLS: the server does not speak HTTP/2");
	return true;
}

bool pool_tls_write(struct connection *c, const void *data, size_t len)
{
	size_t written;

	ERR_clear_error();
	if (len > 0 && SSL_write_ex(c->tls, data, len, &written) != 1)
		return fail_tls(c, "write");
	return drain(c);
}

bool pool_tls_read(struct connection *c, const void *data, size_t len, struct bytes *decrypted)
{
	char buffer[16384];
	size_t n;

	ERR_clear_error();
	if (BIO_write(SSL_get_rbio(c->tls), data, (int)len) != (int)len)
		return pool_fail(c, ENOMEM, "not enough memory");
	while (SSL_read_ex(c->tls, buffer, sizeof(buffer), &n) == 1)
		if (!pool_bytes_add(decrypted, buffer, n))
			return pool_fail(c, ENOMEM, "not enough memory");
	switch (SSL_get_error(c->tls, 0)) {
	case SSL_ERROR_WANT_READ:
		return drain(c);
	case SSL_ERROR_ZERO_RETURN:
		c->ended = true;
		return pool_fail(c, ECONNRESET, "the server has closed the connection");
	default:
		c->ended = true;
		return fail_tls(c, "read");
	}
}

void pool_tls_free(struct connection *c)
{
	SSL_free(c->tls);
	SSL_CTX_free(c->tls_context);
	c->tls = NULL;
	c->tls_context = NULL;
}
