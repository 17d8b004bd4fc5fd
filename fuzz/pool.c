/*
 * What a hostile server may answer to a request of a pool: HTTP/2 frames as they are, or a gRPC
 * answer framed as it should be, through ecmp_pool and the reader of etcd's messages in Lua. The
 * client answers or says what is wrong; it never raises, and what it returns has its types.
 *
 * The first byte says which request is made and how the others are sent.
 *
 * MODULE: pool
 */
#define _GNU_SOURCE
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	OPERATION = 3,	  /* of the first byte: which request */
	FRAMED = 1 << 2,  /* the bytes are a gRPC message, else whatever the server sends */
	TRAILER = 1 << 3, /* framed: the bytes are what the trailer grpc-message says */
	LARGEST = 16000	  /* of one DATA frame, with its gRPC header */
};

int luaopen_ecmp_pool(lua_State *L);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the state holds from one input to the next is no leak. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const char chunk[] =
	"package.path = 'lua/?.lua;lua/?/init.lua'\n"
	"package.loaded['ecmp.sys'] = { monotonic = os.clock, sleep = function() end }\n"
	"local transport, path = ...\n"
	"local client = require 'ecmp.store.etcd.client'\n"
	"local kv = require 'ecmp.store.etcd.kv'\n"
	"local operations = { kv.get 'k', kv.put('k', 'v'), kv.delete 'k',\n"
	"  kv.txn({ kv.absent 'k' }, { kv.get 'k', kv.txn({}, { kv.delete 'k' }) }) }\n"
	"local function check(answer, kind)\n"
	"  assert(not answer.revision or math.type(answer.revision) == 'integer', 'revision')\n"
	"  if kind == 'Range' then\n"
	"    assert(math.type(answer.count) == 'integer' and type(answer.more) == 'boolean')\n"
	"    for _, one in ipairs(answer.kvs) do\n"
	"      assert(type(one.key) == 'string' and type(one.value) == 'string')\n"
	"      assert(math.type(one.revision) == 'integer', 'revision of a key')\n"
	"    end\n"
	"  elseif kind == 'DeleteRange' then\n"
	"    assert(math.type(answer.deleted) == 'integer', 'deleted')\n"
	"  elseif kind == 'Txn' then\n"
	"    assert(type(answer.succeeded) == 'boolean')\n"
	"    for _, one in ipairs(answer.responses) do assert(type(one) == 'table') end\n"
	"  end\n"
	"end\n"
	"return function(number)\n"
	"  local one <close> = client.new(transport, { { name = 'server', path = path } })\n"
	"  local operation = operations[number + 1]\n"
	"  local answer, message, code = one:call(operation, { deadline = os.clock() + 5, passes = "
	"1 "
	"})\n"
	"  if answer then return check(answer, operation.kind) end\n"
	"  assert(type(message) == 'string' and type(code) == 'string')\n"
	"end\n";

_Noreturn static void give_up(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

/* --- the server: one connection, answered as soon as a request has come ---------------------- */

struct answer {
	int listener;
	uint8_t bytes[1 << 17];
	size_t length;
};

static void add(struct answer *a, const void *bytes, size_t length)
{
	if (length > sizeof(a->bytes) - a->length)
		length = sizeof(a->bytes) - a->length;
	memcpy(a->bytes + a->length, bytes, length);
	a->length += length;
}

/* The header of an HTTP/2 frame of stream 1, or of the connection. */
static void add_frame(struct answer *a, size_t length, uint8_t type, uint8_t flags, uint8_t stream)
{
	const uint8_t head[9] = {(uint8_t)(length >> 16),
				 (uint8_t)(length >> 8),
				 (uint8_t)length,
				 type,
				 flags,
				 0,
				 0,
				 0,
				 stream};
	add(a, head, sizeof(head));
}

/* A header that HPACK does not index: both lengths below 127. */
static size_t put_header(uint8_t *to, const char *name, const void *value, size_t length)
{
	size_t n = strlen(name);
	to[0] = 0;
	to[1] = (uint8_t)n;
	memcpy(to + 2, name, n);
	to[2 + n] = (uint8_t)length;
	memcpy(to + 3 + n, value, length);
	return 3 + n + length;
}

static void frame(struct answer *a, const uint8_t *data, size_t size, bool trailer)
{
	static const uint8_t status_200 = 0x88;
	uint8_t block[256];
	size_t shown = size < 126 ? size : 126, length;

	add_frame(a, 0, 4, 0, 0); /* SETTINGS */
	add_frame(a, 1, 1, 4, 1); /* HEADERS */
	add(a, &status_200, 1);
	if (!trailer) {
		size_t n = size < LARGEST ? size : LARGEST;
		const uint8_t head[5] = {0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};
		add_frame(a, sizeof(head) + n, 0, 0, 1); /* DATA */
		add(a, head, sizeof(head));
		add(a, data, n);
	}
	length = put_header(block, "grpc-status", trailer && size ? data : (const uint8_t *)"0", 1);
	if (trailer)
		length += put_header(block + length, "grpc-message", data, shown);
	add_frame(a, length, 1, 5, 1); /* HEADERS, the last of the stream */
	add(a, block, length);
}

static void *serve(void *arg)
{
	struct answer *a = arg;
	uint8_t ignored[4096];
	int fd = accept(a->listener, NULL, NULL);

	if (fd < 0)
		give_up("accept");
	if (recv(fd, ignored, sizeof(ignored), 0) > 0 && a->length > 0)
		send(fd, a->bytes, a->length, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, ignored, sizeof(ignored), 0) > 0)
		;
	close(fd);
	return NULL;
}

/* --- the client ------------------------------------------------------------------------------ */

static struct sockaddr_un at = {.sun_family = AF_UNIX};

static void remove_socket(void)
{
	unlink(at.sun_path);
}

static int listen_at_path(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/fuzz-pool-%d", (int)getpid());
	unlink(at.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4) < 0)
		give_up("listen");
	atexit(remove_socket);
	return fd;
}

/* A state with the function that makes one request, on top of the stack. */
static lua_State *client_state(void)
{
	lua_State *L = luaL_newstate();

	luaL_openlibs(L);
	if (luaL_loadstring(L, chunk) != LUA_OK)
		give_up(lua_tostring(L, -1));
	luaL_requiref(L, "ecmp_pool", luaopen_ecmp_pool, 0);
	lua_pushstring(L, at.sun_path);
	if (lua_pcall(L, 2, 1, 0) != LUA_OK)
		give_up(lua_tostring(L, -1));
	return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct answer answer = {.listener = -1};
	static lua_State *L;
	pthread_t server;

	if (size == 0)
		return 0;
	if (!L) {
		answer.listener = listen_at_path();
		L = client_state();
	}
	answer.length = 0;
	if (data[0] & FRAMED)
		frame(&answer, data + 1, size - 1, data[0] & TRAILER);
	else
		add(&answer, data + 1, size - 1);
	if (pthread_create(&server, NULL, serve, &answer) != 0)
		give_up("pthread_create");
	lua_pushvalue(L, 1);
	lua_pushinteger(L, data[0] & OPERATION);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		give_up(lua_tostring(L, -1));
	pthread_join(server, NULL);
	return 0;
}
