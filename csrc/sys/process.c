/*
 * The process itself: ids, signals, environment; clocks and random bytes.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/export.h"

static int sys_getpid(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

static int sys_getppid(lua_State *L)
{
	lua_pushinteger(L, getppid());
	return 1;
}

/* getuid() -> the effective user id */
static int sys_getuid(lua_State *L)
{
	lua_pushinteger(L, geteuid());
	return 1;
}

/* kill(pid [, signal]) -> true; a number or a name, "TERM" by default, 0 only asks; -pid a group */
static int sys_kill(lua_State *L)
{
	lua_Integer pid = luaL_checkinteger(L, 1);
	int signal = lua_isnoneornil(L, 2) ? SIGTERM : sys_checksignal(L, 2);

	/* 0 and -1 would signal many processes */
	luaL_argcheck(L, pid != 0 && pid != -1 && pid >= INT32_MIN && pid <= INT32_MAX, 1,
		      "pid out of range");
	return sys_done(L, kill((pid_t)pid, signal), "kill %s", luaL_tolstring(L, 1, NULL));
}

static int push_clock(lua_State *L, clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
	return 1;
}

static int sys_monotonic_clock(lua_State *L)
{
	return push_clock(L, CLOCK_MONOTONIC);
}

static int sys_realtime(lua_State *L)
{
	return push_clock(L, CLOCK_REALTIME);
}

static int sys_sleep(lua_State *L)
{
	lua_Number seconds = luaL_checknumber(L, 1);

	luaL_argcheck(L, seconds >= 0 && seconds < 1e10, 1, "seconds out of range");
	sys_pause(seconds);
	return 0;
}

enum {
	RANDOM_MOST = 1024 * 1024
};

/* random(n) -> n bytes from the kernel */
static int sys_random(lua_State *L)
{
	lua_Integer count = luaL_checkinteger(L, 1);
	luaL_Buffer bytes;
	size_t done = 0;
	char *p;

	luaL_argcheck(L, count >= 0 && count <= RANDOM_MOST, 1, "count out of range");
	p = luaL_buffinitsize(L, &bytes, (size_t)count);
	while (done < (size_t)count) {
		ssize_t n = getrandom(p + done, (size_t)count - done, 0);

		if (n < 0 && errno != EINTR)
			return sys_fail(L, errno, "random");
		done += n > 0 ? (size_t)n : 0;
	}
	luaL_pushresultsize(&bytes, done);
	return 1;
}

/* The name of an environment variable, not empty and without "=". */
static const char *check_name(lua_State *L, int arg)
{
	const char *name = luaL_checkstring(L, arg);

	luaL_argcheck(L, name[0] && !strchr(name, '='), arg, "not a name");
	return name;
}

static int sys_getenv(lua_State *L)
{
	lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
	return 1;
}

/* setenv(name, value) -> true; nil removes the variable */
static int sys_setenv(lua_State *L)
{
	const char *name = check_name(L, 1);
	const char *value = luaL_optstring(L, 2, NULL);

	return sys_done(L, value ? setenv(name, value, true) : unsetenv(name), "setenv %s", name);
}

/* environ() -> list of "NAME=value", as sys.spawn takes it */
static int sys_environ(lua_State *L)
{
	lua_newtable(L);
	for (lua_Integer i = 0; environ && environ[i]; i++) {
		lua_pushstring(L, environ[i]);
		lua_rawseti(L, -2, i + 1);
	}
	return 1;
}

const luaL_Reg sys_process_functions[] = {
	{"getpid", sys_getpid},
	{"getppid", sys_getppid},
	{"getuid", sys_getuid},
	{"kill", sys_kill},
	{"monotonic", sys_monotonic_clock},
	{"realtime", sys_realtime},
	{"sleep", sys_sleep},
	{"random", sys_random},
	{"getenv", sys_getenv},
	{"setenv", sys_setenv},
	{"environ", sys_environ},
	{NULL, NULL},
};
