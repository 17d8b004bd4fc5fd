/*
 * Receives signals by signalfd(2), since Lua code cannot run in a signal handler.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/export.h"

#define SIGNALS "ecmp.signals"

/* `blocked`: the signals that this handle blocked, and unblocks when it is closed. */
struct signals {
	int fd;
	sigset_t blocked;
};

/* "TERM" or "SIGTERM" -> its number; -1 when there is none of that name */
static int signal_number(const char *name)
{
	if (!strncmp(name, "SIG", 3))
		name += 3;
	for (int number = 1; number < NSIG; number++) {
		const char *word = sigabbrev_np(number);

		if (word && !strcmp(word, name))
			return number;
	}
	return -1;
}

int sys_checksignal(lua_State *L, int arg)
{
	if (lua_type(L, arg) == LUA_TNUMBER) {
		lua_Integer number = luaL_checkinteger(L, arg);

		luaL_argcheck(L, number >= 0 && number < NSIG, arg, "no such signal");
		return (int)number;
	}
	luaL_argcheck(L, signal_number(luaL_checkstring(L, arg)) > 0, arg, "no such signal");
	return signal_number(lua_tostring(L, arg));
}

/* A signal that was not read is delivered when the handle is closed. */
static int signals_close(lua_State *L)
{
	struct signals *signals = luaL_checkudata(L, 1, SIGNALS);
	int fd = signals->fd;

	signals->fd = -1;
	if (fd >= 0) {
		close(fd);
		pthread_sigmask(SIG_UNBLOCK, &signals->blocked, NULL);
	}
	return 0;
}

static struct signals *check_open(lua_State *L)
{
	struct signals *signals = luaL_checkudata(L, 1, SIGNALS);

	luaL_argcheck(L, signals->fd >= 0, 1, "handle is closed");
	return signals;
}

static int signals_fd(lua_State *L)
{
	lua_pushinteger(L, check_open(L)->fd);
	return 1;
}

/* read() -> the name of a signal that came, nil when there is none now */
static int signals_read(lua_State *L)
{
	struct signals *signals = check_open(L);
	struct signalfd_siginfo info;
	const char *name;

	if (sys_read_once(signals->fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	name = sigabbrev_np((int)info.ssi_signo);
	if (name)
		lua_pushstring(L, name);
	else
		lua_pushinteger(L, info.ssi_signo);
	return 1;
}

static const luaL_Reg signals_meta[] = {
	{"__gc", signals_close}, {"__close", signals_close}, {"close", signals_close},
	{"fd", signals_fd},	 {"read", signals_read},     {NULL, NULL},
};

void sys_signal_metatable(lua_State *L)
{
	luaL_newmetatable(L, SIGNALS);
	luaL_setfuncs(L, signals_meta, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
}

/* [list at arg] -> the set of its signals */
static void check_set(lua_State *L, int arg, sigset_t *set)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	sigemptyset(set);
	for (lua_Integer i = 1; lua_rawgeti(L, arg, i) != LUA_TNIL; i++) {
		sigaddset(set, sys_checksignal(L, lua_gettop(L)));
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

/*
 * signals { "INT", "TERM" } -> handle with fd, read, close. While it is open these signals are
 * blocked; children started by sys.spawn start with none blocked.
 */
static int sys_signals(lua_State *L)
{
	sigset_t wanted, before;
	struct signals *signals;

	check_set(L, 1, &wanted);
	signals = lua_newuserdatauv(L, sizeof(*signals), 0);
	signals->fd = -1;
	sigemptyset(&signals->blocked);
	luaL_setmetatable(L, SIGNALS);
	signals->fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals->fd < 0)
		return sys_fail(L, errno, "signals");
	pthread_sigmask(SIG_BLOCK, &wanted, &before);
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&wanted, number) == 1 && sigismember(&before, number) == 0)
			sigaddset(&signals->blocked, number);
	return 1;
}

const luaL_Reg sys_signal_functions[] = {
	{"signals", sys_signals},
	{NULL, NULL},
};
