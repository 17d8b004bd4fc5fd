/*
 * Inside the cage: a child that answers requests by calling a Lua function, within its budgets.
 *
 * The child goes on in a copy of its parent's Lua state: nothing has to be loaded again, which is
 * what keeps a cage cheap. Two things follow. Finalizers of the parent's objects (sockets, locks,
 * transactions) must not run here, so the collector runs only in an emergency, when Lua calls none:
 * that is, when an object is refused its memory. And the state is never closed.
 *
 * Whoever exceeds the instruction budget is not sent an error, which a script could catch, but
 * ends, saying where.
 */
#define _GNU_SOURCE
#include "sandbox/sandbox.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

enum {
	GRAIN = 1000, /* instructions between two looks at the budget; also the price of a coroutine
		       */
	MOST_WORDS = 4096,
	LEAST_GARBAGE = 8 << 20,
	HEAP_WORD = 16, /* the allocator rounds up to this, and keeps half of it for itself */
};

/* -- talking -- */

static bool read_all(int fd, void *bytes, size_t length)
{
	for (char *at = bytes; length;) {
		ssize_t n = read(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

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

/* What went wrong, in as many words as anybody reads. */
static void answer_fault(int fd, const char *text, size_t length)
{
	char message[CAGE_HEAD + MOST_WORDS] = {[CAGE_LENGTH] = 'F'};
	uint64_t size;

	if (length > MOST_WORDS)
		length = MOST_WORDS;
	size = length + 1;
	memcpy(message, &size, sizeof(size));
	memcpy(message + CAGE_HEAD, text, length);
	if (!write_all(fd, message, CAGE_HEAD + length))
		_exit(EXIT_FAILURE);
}

static void answer_value(const struct budget *budget, const char *message, size_t length)
{
	char head[CAGE_HEAD];

	if (budget->bare) {
		memcpy(head, message, CAGE_LENGTH);
		head[CAGE_LENGTH] = 'U';
		if (!write_all(budget->fd, head, CAGE_HEAD))
			_exit(EXIT_FAILURE);
		message += CAGE_HEAD;
		length -= CAGE_HEAD;
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

/* What a block takes of the machine's memory: many small ones take half as much again as they hold.
 */
static size_t price(size_t size)
{
	return size ? (size + HEAP_WORD / 2 + HEAP_WORD - 1) / HEAP_WORD * HEAP_WORD : 0;
}

/*
 * When there is as much again, in any case before half of what is left is used up; but where little
 * is left, each collection would cost more time than it brings memory.
 */
static size_t next_collection(const struct budget *budget)
{
	size_t more = (budget->memory - budget->used) / 2;

	if (more > budget->used)
		more = budget->used;
	return budget->used + (more > LEAST_GARBAGE ? more : LEAST_GARBAGE);
}

/*
 * Whether to refuse a new object this once, so that Lua collects garbage and asks again. Buffers of
 * C functions, which have no kind, would take a refusal for the end.
 */
static bool wants_collection(struct budget *budget, const void *block, size_t kind)
{
	if (block || !kind)
		return false;
	if (budget->refused) /* and this is the second time */
		budget->collect_at = next_collection(budget);
	budget->refused = budget->used >= budget->collect_at;
	return budget->refused;
}

static void *budget_alloc(void *ud, void *block, size_t old_size, size_t new_size)
{
	struct budget *budget = ud;
	size_t held = block ? price(old_size) : 0;
	size_t wanted = price(new_size);
	void *fresh;

	if (new_size > budget->memory ||
	    (wanted > held && wanted - held > budget->memory - budget->used))
		return NULL;
	if (new_size && wants_collection(budget, block, old_size))
		return NULL;
	fresh = budget->alloc(budget->alloc_ud, block, old_size, new_size);
	/* What the parent allocated was never counted here, so less may be used than is freed. */
	if (fresh && wanted > held)
		budget->used += wanted - held;
	else if (fresh || !new_size)
		budget->used -= held - wanted < budget->used ? held - wanted : budget->used;
	return fresh;
}

/* The line of the script that is being run, 0 where only other code is. */
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
 * [arguments] -> [results] of the original in the upvalue. Each coroutine counts its instructions
 * anew, so many short ones would otherwise never be noticed.
 */
static int charged(lua_State *L)
{
	charge(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	return lua_gettop(L);
}

/* [] -> []: coroutine.create and wrap of this copy of the state have their price */
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

/* Whether the text begins with "place:LINE:". */
static bool starts_with_place(const char *text, const char *place)
{
	size_t length = strlen(place);

	return strncmp(text, place, length) == 0 && text[length] == ':' &&
	       strspn(text + length + 1, "0123456789") > 0;
}

/* What Lua writes of a path before a message: it shortens long ones. */
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
	char place[LUA_IDSIZE];

	short_name(L, budget->path, place);
	if (place[0] && starts_with_place(text, place))
		lua_pushfstring(L, "%s%s", budget->path, text + strlen(place));
	else if (line)
		lua_pushfstring(L, "%s:%d: %s", budget->path, line, text);
	else
		lua_pushfstring(L, "%s: %s", budget->path, text);
	return 1;
}

/* [function, bytes, length] -> [answer as text]; all of it protected, as memory may run out */
static int serve_one(lua_State *L)
{
	const char *bytes = lua_touserdata(L, 2);
	size_t length = *(const size_t *)lua_touserdata(L, 3);

	lua_settop(L, 1);
	if (!cage_decode(L, bytes + 1, length - 1, SIZE_MAX))
		return luaL_error(L, "the request is garbled");
	lua_call(L, 1, 1);
	cage_encode(L, -1, CAGE_ANSWER);
	return 1;
}

/* What no handler could put into words: memory ran out, or an error came of another one. */
static void speechless(const struct budget *budget, int status)
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
		speechless(budget, status);
	lua_settop(L, 3);
}

_Noreturn void cage_serve(lua_State *L, struct budget *budget)
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
	while (read_all(budget->fd, &length, sizeof(length))) {
		char *bytes = malloc(length);

		if (!bytes || !read_all(budget->fd, bytes, length))
			break;
		serve(L, budget, bytes, length);
		free(bytes);
	}
	_exit(EXIT_SUCCESS);
}
