/*
 * The Lua module ecmp_pool: HTTP/2 requests with a deadline, over TCP, TLS or a unix socket, for
 * gRPC in Lua.
 *
 * An error returns nil, message, code and, from a request, whether the server may have received it.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

#define CONNECTION "ecmp.pool.connection"

enum {
	MOST_HEADERS = 32
};

EXPORT int luaopen_ecmp_pool(lua_State *L);

/* [] -> [nil, message, code, sent] */
static int push_failure(lua_State *L, const struct connection *c)
{
	const char *symbol = strerrorname_np(c->error);

	lua_pushnil(L);
	lua_pushstring(L, c->problem);
	lua_pushstring(L, symbol ? symbol : "EPROTO");
	lua_pushboolean(L, c->exchange.sent);
	return 4;
}

static void connection_end(struct connection *c)
{
	nghttp2_session_del(c->session);
	c->session = NULL;
	pool_tls_free(c);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->ended = true;
	pool_bytes_free(&c->out);
	pool_bytes_free(&c->decrypted);
	pool_bytes_free(&c->exchange.headers);
	pool_bytes_free(&c->exchange.answer);
}

/* [connection] -> []; closing twice is fine */
static int connection_close(lua_State *L)
{
	connection_end(luaL_checkudata(L, 1, CONNECTION));
	return 0;
}

/* [.., options at arg] -> [.., value]: a string of the options, NULL where there is none. */
static const char *option(lua_State *L, int arg, const char *key, size_t *len)
{
	int type = lua_getfield(L, arg, key);
	const char *text;
	size_t size;

	if (type == LUA_TNIL)
		return NULL;
	if (type != LUA_TSTRING)
		luaL_error(L, "%s: a string expected, got %s", key, luaL_typename(L, -1));
	text = lua_tolstring(L, -1, &size);
	if (!len && strlen(text) != size)
		luaL_error(L, "%s: has a NUL byte in it", key);
	if (len)
		*len = size;
	return text;
}

static double option_timeout(lua_State *L, int arg)
{
	double seconds;

	if (lua_getfield(L, arg, "timeout") != LUA_TNUMBER)
		luaL_error(L, "timeout: a number of seconds expected, got %s",
			   luaL_typename(L, -1));
	seconds = lua_tonumber(L, -1);
	lua_pop(L, 1);
	return seconds > 0 ? seconds : 0;
}

/* [options at 1] -> [options, strings...], which stay on the stack while they are used */
static void read_endpoint(lua_State *L, struct endpoint *to)
{
	to->host = option(L, 1, "host", NULL);
	to->port = option(L, 1, "port", NULL);
	to->path = option(L, 1, "path", NULL);
	luaL_argcheck(L, to->path || (to->host && to->port), 1,
		      "host and port, or path, must be given");
	to->tls = lua_getfield(L, 1, "tls") == LUA_TTABLE;
	if (!to->tls)
		return;
	luaL_argcheck(L, to->host, 1, "tls: needs a host");
	to->ca = option(L, lua_gettop(L), "ca", NULL);
	lua_getfield(L, 1, "tls");
	to->cert = option(L, lua_gettop(L), "cert", NULL);
	lua_getfield(L, 1, "tls");
	to->key = option(L, lua_gettop(L), "key", NULL);
	luaL_argcheck(L, !to->cert == !to->key, 1, "tls: cert and key go together");
}

/*
 * connect{ host =, port =, path =, tls = { ca =, cert =, key = }, timeout = } -> connection
 *
 * `port` is text; `path` is a unix socket instead. Without `ca` the system's certificates are used.
 */
static int pool_connect(lua_State *L)
{
	struct endpoint to = {0};
	struct connection *c;
	double timeout;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	read_endpoint(L, &to);
	timeout = option_timeout(L, 1);
	c = lua_newuserdatauv(L, sizeof(*c), 0);
	*c = (struct connection){.fd = -1};
	luaL_setmetatable(L, CONNECTION);
	c->deadline = clock_seconds() + timeout;
	if (pool_socket_connect(c, &to) && (!to.tls || pool_tls_start(c, &to)) &&
	    pool_http2_start(c))
		return 1;
	connection_end(c);
	return push_failure(L, c);
}

struct header_list {
	nghttp2_nv list[MOST_HEADERS];
	size_t count;
};

static void add_header(lua_State *L, struct header_list *headers, const char *name,
		       const char *value, size_t len)
{
	if (headers->count == MOST_HEADERS)
		luaL_error(L, "headers: more than %d", MOST_HEADERS);
	nghttp2_nv *header = &headers->list[headers->count++];
	*header = (nghttp2_nv){.namelen = strlen(name), .valuelen = len};
	/* nghttp2 copies both and writes to neither, whatever their types say */
	memcpy(&header->name, &name, sizeof(name));
	memcpy(&header->value, &value, sizeof(value));
}

static void add_required(lua_State *L, struct header_list *headers, const char *name,
			 const char *key)
{
	const char *value = option(L, 2, key, NULL);

	if (!value)
		luaL_error(L, "%s: must be given", key);
	add_header(L, headers, name, value, strlen(value));
}

/* [connection, options] -> [.., strings...]: `headers` is a list of { name, value } */
static void read_headers(lua_State *L, struct header_list *headers, bool tls)
{
	const char *scheme = tls ? "https" : "http";

	luaL_checkstack(L, 4 * MOST_HEADERS, "headers");
	add_header(L, headers, ":method", "POST", 4);
	add_header(L, headers, ":scheme", scheme, strlen(scheme));
	add_required(L, headers, ":path", "path");
	add_required(L, headers, ":authority", "authority");
	if (lua_getfield(L, 2, "headers") == LUA_TNIL)
		return;
	luaL_argcheck(L, lua_istable(L, -1), 2, "headers: a list expected");
	int list = lua_gettop(L);
	for (lua_Integer i = 1; lua_geti(L, list, i) == LUA_TTABLE; i++) {
		size_t len;
		int pair = lua_gettop(L);

		lua_geti(L, pair, 1);
		lua_geti(L, pair, 2);
		if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
			luaL_error(L, "headers[%I]: a name and a value expected", i);
		const char *value = lua_tolstring(L, -1, &len);
		add_header(L, headers, lua_tostring(L, -2), value, len);
	}
}

/* [] -> [{ status =, headers = { [name] = value }, body = }] */
static int push_answer(lua_State *L, const struct exchange *x)
{
	const char *at = x->headers.data, *end = at ? at + x->headers.len : at;

	lua_createtable(L, 0, 2);
	lua_newtable(L);
	while (at < end) {
		const char *name = at, *value = at + strlen(at) + 1;

		at = value + strlen(value) + 1;
		lua_pushstring(L, value);
		lua_setfield(L, -2, name);
	}
	lua_setfield(L, -2, "headers");
	if (x->answer.len > 0)
		lua_pushlstring(L, x->answer.data, x->answer.len);
	else
		lua_pushliteral(L, "");
	lua_setfield(L, -2, "body");
	return 1;
}

/*
 * connection:request{ path =, authority =, headers = { { name, value }, ... }, body =, timeout = }
 * -> { headers =, body = }, trailers among the headers; or nil, message, code, sent
 */
static int connection_request(lua_State *L)
{
	struct connection *c = luaL_checkudata(L, 1, CONNECTION);
	struct header_list headers = {.count = 0};
	struct exchange *x = &c->exchange;
	bool answered;

	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	luaL_argcheck(L, c->fd >= 0, 1, "the connection is closed");
	read_headers(L, &headers, c->tls != NULL);
	pool_bytes_free(&x->headers);
	pool_bytes_free(&x->answer);
	*x = (struct exchange){0};
	x->body = option(L, 2, "body", &x->body_len);
	c->deadline = clock_seconds() + option_timeout(L, 2);
	answered = pool_http2_request(c, headers.list, headers.count) && pool_http2_run(c);
	/* it is part of a Lua string, which may be collected */
	x->body = NULL;
	x->body_len = x->body_at = 0;
	if (answered)
		return push_answer(L, x);
	/* an open stream would be mixed up with the next request */
	connection_end(c);
	return push_failure(L, c);
}

/* connection:usable() -> whether another request can be made on it */
static int connection_usable(lua_State *L)
{
	struct connection *c = luaL_checkudata(L, 1, CONNECTION);

	lua_pushboolean(L, c->fd >= 0 && !c->ended && !c->goaway);
	return 1;
}

static const luaL_Reg connection_methods[] = {
	{"__gc", connection_close},	 {"__close", connection_close}, {"close", connection_close},
	{"request", connection_request}, {"usable", connection_usable}, {NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"connect", pool_connect},
	{NULL, NULL},
};

int luaopen_ecmp_pool(lua_State *L)
{
	luaL_newmetatable(L, CONNECTION);
	luaL_setfuncs(L, connection_methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	luaL_newlib(L, functions);
	return 1;
}
