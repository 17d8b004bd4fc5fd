/*
 * The sandbox child: answers requests by calling a Lua function, within its budgets.
 *
 * The child uses the copy of its parent's Lua state that fork(2) made, so that nothing is loaded
 * again. Finalizers of the parent's objects (sockets, locks, transactions) must not run here:
 * therefore the collector runs only in emergencies, when an allocation fails, in which Lua calls no
 * finalizers; and the state is never closed.
 *
 * A script that exceeds its instructions ends the process with an error message, since it could
 * catch an error of Lua.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

#include "common/io.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

enum {
	GRAIN = 1000, /* instructions between two checks; also the cost of a coroutine */
	MOST_WORDS = 4096,
	LEAST_GARBAGE = 8 << 20,
	HEAP_WORD = 16, /* malloc rounds up to this, and uses half of it itself */
};

/* -- messages -- */

static bool write_all(int fd, const void *bytes, size_t length)
{
	for (const char *at = bytes; length;) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

/* Sends an error message, shortened. */
static void answer_fault(int fd, const char *text, size_t length)
{
	char message[MESSAGE_HEAD + MOST_WORDS] = {[MESSAGE_LENGTH] = 'F'};
	uint64_t size;

	if (length > MOST_WORDS)
		length = MOST_WORDS;
	size = length + 1;
	memcpy(message, &size, sizeof(size));
	memcpy(message + MESSAGE_HEAD, text, length);
	if (!write_all(fd, message, MESSAGE_HEAD + length))
		_exit(EXIT_FAILURE);
}

static void answer_value(const struct budget *budget, const char *message, size_t length)
{
	char head[MESSAGE_HEAD];

	if (budget->unfiltered) {
		memcpy(head, message, MESSAGE_LENGTH);
		head[MESSAGE_LENGTH] = 'U';
		if (!write_all(budget->fd, head, MESSAGE_HEAD))
			_exit(EXIT_FAILURE);
		message += MESSAGE_HEAD;
		length -= MESSAGE_HEAD;
	}
	if (!write_all(budget->fd, message, length))
		_exit(EXIT_FAILURE);
}

/* -- budgets -- */

static struct budget *budget_of(lua_State *L)
{
	void *budget;

	lua_getallocf(L, &budget);
	return budget;
}

/* The memory that malloc takes for a block. */
static size_t block_cost(size_t size)
{
	return size ? (size + HEAP_WORD / 2 + HEAP_WORD - 1) / HEAP_WORD * HEAP_WORD : 0;
}

/*
 * When as much again is used, and before half of the rest is used; but not so often, where little
 * is left, that collections take all the time.
 */
static size_t next_collection(const struct budget *budget)
{
	size_t more = (budget->memory - budget->used) / 2;

	if (more > budget->used)
		more = budget->used;
	return budget->used + (more > LEAST_GARBAGE ? more : LEAST_GARBAGE);
}

/*
 * Whether to fail the allocation of a new object once, so that Lua collects garbage and retries.
 * Buffers of C functions, which have no type, would not be retried.
 */
static bool wants_collection(struct budget *budget, const void *block, size_t type)
{
	if (block || !type)
		return false;
	if (budget->refused) /* this is the retry */
		budget->collect_at = next_collection(budget);
	budget->refused = budget->used >= budget->collect_at;
	return budget->refused;
}

static void *budget_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
	struct budget *budget = ud;
	size_t held = block ? block_cost(old_size) : 0;
	size_t wanted = block_cost(new_size);
	void *fresh;

	if (new_size > budget->memory ||
	    (wanted > held && wanted - held > budget->memory - budget->used))
		return NULL;
	if (new_size && wants_collection(budget, block, old_size))
		return NULL;
	fresh = budget->alloc(budget->alloc_ud, block, old_size, new_size);
	/* The parent's allocations were not counted, so more may be freed than was used. */
	if (fresh && wanted > held)
		budget->used += wanted - held;
	else if (fresh || !new_size)
		budget->used -= held - wanted < budget->used ? held - wanted : budget->used;
	return fresh;
}

/* The current line of the script, 0 where no function of it is active. */
static int script_line(lua_State *L, const struct budget *budget)
{
	lua_Debug ar;

	for (int level = 0; lua_getstack(L, level, &ar); level++) {
		lua_getinfo(L, "Sl", &ar);
		if (ar.source[0] == '@' && strcmp(ar.source + 1, budget->path) == 0 &&
		    ar.currentline > 0)
			return ar.currentline;
	}
	return 0;
}

_Noreturn static void exhausted(lua_State *L, const struct budget *budget)
{
	char text[MOST_WORDS];
	char at[32] = "";
	int line = script_line(L, budget);

	if (line)
		snprintf(at, sizeof(at), ":%d", line);
	snprintf(text, sizeof(text), "%s%s: more than the instructions it may use", budget->path,
		 at);
	answer_fault(budget->fd, text, strlen(text));
	_exit(EXIT_FAILURE);
}

static void charge(lua_State *L)
{
	struct budget *budget = budget_of(L);

	budget->left -= GRAIN;
	if (budget->left < 0)
		exhausted(L, budget);
}

static void on_count(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	charge(L);
}

/*
 * [arguments] -> [results] of the function in the upvalue. Each coroutine starts counting at 0, so
 * many short ones would cost nothing otherwise.
 */
static int charged(lua_State *L)
{
	charge(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* [] -> []: makes coroutine.create and wrap cost instructions */
static void charge_coroutines(lua_State *L)
{
	static const char *const names[] = {"create", "wrap"};

	lua_getglobal(L, "coroutine");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		lua_getfield(L, -1, names[i]);
		lua_pushcclosure(L, charged, 1);
		lua_setfield(L, -2, names[i]);
	}
	lua_pop(L, 1);
}

/* -- serving -- */

/* Whether the text begins with "NAME:LINE:". */
static bool starts_with_line(const char *text, const char *name)
{
	size_t length = strlen(name);

	return strncmp(text, name, length) == 0 && text[length] == ':' &&
	       strspn(text + length + 1, "0123456789") > 0;
}

/* The path as Lua puts it before a message: shortened. */
static void short_name(lua_State *L, const char *path, char *name)
{
	lua_Debug ar;

	name[0] = '\0';
	lua_pushfstring(L, "@%s", path);
	if (luaL_loadbuffer(L, "", 0, lua_tostring(L, -1)) == LUA_OK) {
		lua_getinfo(L, ">S", &ar);
		memcpy(name, ar.short_src, LUA_IDSIZE);
	}
	lua_pop(L, name[0] ? 1 : 2);
}

/* [error value] -> [text that begins with the script's file, and its line where one is known] */
static int locate(lua_State *L)
{
	const struct budget *budget = budget_of(L);
	int line = script_line(L, budget);
	const char *text = luaL_tolstring(L, 1, NULL);
	char name[LUA_IDSIZE];

	short_name(L, budget->path, name);
	if (name[0] && starts_with_line(text, name))
		lua_pushfstring(L, "%s%s", budget->path, text + strlen(name));
	else if (line)
		lua_pushfstring(L, "%s:%d: %s", budget->path, line, text);
	else
		lua_pushfstring(L, "%s: %s", budget->path, text);
	return 1;
}

/* [function, bytes, length] -> [answer as text]; called protected, as memory may run out */
static int serve_one(lua_State *L)
{
	const char *bytes = lua_touserdata(L, 2);
	size_t length = *(const size_t *)lua_touserdata(L, 3);

	lua_settop(L, 1);
	if (!sandbox_decode(L, bytes + 1, length - 1, SIZE_MAX))
		return luaL_error(L, "the request is garbled");
	lua_call(L, 1, 1);
	sandbox_encode(L, -1, ANSWER_MAX);
	return 1;
}

/* Errors without a message: memory ran out, or the message handler failed. */
static void answer_without_message(const struct budget *budget, int status)
{
	char text[MOST_WORDS];

	snprintf(text, sizeof(text), "%s: %s", budget->path,
		 status == LUA_ERRMEM ? "more than the memory it may use"
				      : "an error while another was being handled");
	answer_fault(budget->fd, text, strlen(text));
}

/* [function, handler, options] -> the same */
static void serve(lua_State *L, const struct budget *budget, char *bytes, size_t length)
{
	const char *text;
	size_t size;
	int status;

	lua_pushcfunction(L, serve_one);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, bytes);
	lua_pushlightuserdata(L, &length);
	status = lua_pcall(L, 3, 1, 2);
	if (!budget->quiet)
		fflush(stdout);
	text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
	if (text && status == LUA_OK)
		answer_value(budget, text, size);
	else if (text && status == LUA_ERRRUN)
		answer_fault(budget->fd, text, size);
	else
		answer_without_message(budget, status);
	lua_settop(L, 3);
}

_Noreturn void sandbox_serve(lua_State *L, struct budget *budget)
{
	uint64_t length;

	lua_gc(L, LUA_GCSTOP);
	charge_coroutines(L);
	lua_pushcfunction(L, locate);
	lua_insert(L, 2);
	budget->collect_at = next_collection(budget);
	budget->alloc = lua_getallocf(L, &budget->alloc_ud);
	lua_setallocf(L, budget_alloc, budget);
	lua_sethook(L, on_count, LUA_MASKCOUNT, GRAIN);
	while (read_whole(budget->fd, &length, sizeof(length))) {
		char *bytes = malloc(length);

		if (!bytes || !read_whole(budget->fd, bytes, length))
			break;
		serve(L, budget, bytes, length);
		free(bytes);
	}
	_exit(EXIT_SUCCESS);
}
