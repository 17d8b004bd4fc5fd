/*
 * Runs a program to its end or to a deadline and returns its output; in any network namespace.
 */
#define _GNU_SOURCE
#include "common/netns.h"
#include "sys/child.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

/* [list on top] -> [list, pointers]: a NULL-terminated array of its strings, which the list keeps
 */
static char **check_strings(lua_State *L, const char *key, lua_Integer least)
{
	lua_Integer count;
	char **list;

	if (!lua_istable(L, -1))
		luaL_error(L, "%s: a list of strings expected, got %s", key, luaL_typename(L, -1));
	count = (lua_Integer)lua_rawlen(L, -1);
	if (count < least)
		luaL_error(L, "%s: must not be empty", key);
	list = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof(*list), 0);
	for (lua_Integer i = 0; i < count; i++) {
		size_t len;

		if (lua_rawgeti(L, -2, i + 1) != LUA_TSTRING)
			luaL_error(L, "%s[%I]: a string expected, got %s", key, i + 1,
				   luaL_typename(L, -1));
		list[i] = (char *)lua_tolstring(L, -1, &len); /* exec does not write to it */
		if (strlen(list[i]) != len)
			luaL_error(L, "%s[%I]: has a NUL byte", key, i + 1);
		lua_pop(L, 1);
	}
	list[count] = NULL;
	return list;
}

/* [] -> [values that must stay]: reads argv and env */
static void check_program(lua_State *L, struct order *order)
{
	lua_getfield(L, 1, "argv");
	order->argv = check_strings(L, "argv", 1);
	order->envp = environ;
	if (lua_getfield(L, 1, "env") != LUA_TNIL)
		order->envp = check_strings(L, "env", 0);
}

/* [] -> [captured?]; whether the child's stderr is to be kept for the result */
static bool check_stderr(lua_State *L)
{
	const char *word = sys_optstring(L, 1, "stderr", NULL);

	if (word && strcmp(word, "pass") && strcmp(word, "capture"))
		luaL_error(L, "stderr: must be \"pass\" or \"capture\", got \"%s\"", word);
	return !word || !strcmp(word, "capture");
}

/* [] -> [input]; opens what the child's 0, 1, 2 will be. Returns 0, or -1 with errno set. */
static int open_stdio(lua_State *L, const struct order *order)
{
	bool capture = check_stderr(L);
	size_t len = 0;
	const char *input = sys_optstring(L, 1, "stdin", &len);

	return child_streams(order, input, len, capture);
}

/* [] -> [nsfd owner?]; opens the namespace the child is to run in. Returns NULL, or its reference.
 */
static const char *open_namespace(lua_State *L, struct order *order)
{
	const char *ref;
	int *fd;

	order->nsfd = -1;
	if (lua_getfield(L, 1, "netns") == LUA_TNIL)
		return NULL;
	ref = sys_checkref(L, lua_gettop(L));
	fd = sys_fd_scoped(L);
	*fd = order->nsfd = netns_open(ref);
	return ref;
}

/* A detached child has init as its parent: nobody waits for it here. */
static int push_detached(lua_State *L, struct child *child)
{
	pid_t pid = child->pid;

	child->pid = 0;
	lua_createtable(L, 0, 1);
	lua_pushinteger(L, pid);
	lua_setfield(L, -2, "pid");
	return 1;
}

static void check_order(lua_State *L, struct order *order)
{
	static const char *const known[] = {"argv",   "env",	 "stdin",  "timeout", "netns",
					    "stderr", "inherit", "detach", "limit",   NULL};

	sys_checkoptions(L, 1, known);
	order->inherit = sys_optbool(L, 1, "inherit", false);
	order->detach = sys_optbool(L, 1, "detach", false);
	if (order->inherit && order->detach)
		luaL_error(L, "detach: a child that is left alone cannot inherit the terminal");
	check_program(L, order);
}

/*
 * spawn { argv =, env =, stdin =, timeout =, netns =, stderr =, inherit =, detach =, limit = }
 *   -> { status | signal, stdout, stderr, timedout }
 *
 * With `inherit` the child stays in the caller's process group, so that it may use the terminal,
 * unless it has a deadline, at which its own group is killed. With `detach` it gets a session of
 * its own, nobody waits for it, and the result is { pid = }.
 */
static int sys_spawn(lua_State *L)
{
	struct order order = {0};
	struct child *child;
	lua_Number timeout;
	lua_Integer limit;
	const char *ref;

	lua_settop(L, 1);
	luaL_checktype(L, 1, LUA_TTABLE);
	check_order(L, &order);
	timeout = sys_optseconds(L, 1, "timeout", -1);
	limit = sys_optint(L, 1, "limit", SYS_LIMIT);
	if (limit < 0)
		return luaL_error(L, "limit: must not be negative");
	order.deadline = sys_deadline(timeout);
	ref = open_namespace(L, &order);
	if (ref && order.nsfd < 0)
		return sys_fail(L, errno, "spawn %s: open namespace %s", order.argv[0], ref);
	child = order.child = child_new(L);
	child->group = !order.inherit || order.deadline >= 0;
	if (open_stdio(L, &order) < 0 || child_start(&order) < 0)
		return sys_fail(L, errno, "spawn %s", order.argv[0]);
	return order.detach ? push_detached(L, child) : child_finish(L, &order, (size_t)limit);
}

const luaL_Reg sys_spawn_functions[] = {
	{"spawn", sys_spawn},
	{NULL, NULL},
};
