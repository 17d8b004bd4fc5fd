/*
 * Ends Lua code on an interrupt from the terminal (SIGINT). For interactive programs, not
 * libraries.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <signal.h>

#include "common/export.h"

/*
 * A signal handler has no argument, hence these variables. `running` is the Lua thread that an
 * interrupt stops; it is set only while interruptible() runs.
 */
static lua_State *volatile running;
static volatile sig_atomic_t interrupts, deferrals, received;

bool sys_stopped(void)
{
	return interrupts > 0 && !deferrals;
}

/*
 * Raises once, so that to-be-closed variables are closed undisturbed. After a second interrupt
 * every instruction raises, so that a pcall cannot catch it for good.
 */
static void stop(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	if (interrupts < 2)
		lua_sethook(L, NULL, 0, 0);
	luaL_error(L, "interrupted");
}

static void ask_to_stop(lua_State *L)
{
	lua_sethook(L, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* lua_sethook is the only function of Lua that is safe in a signal handler. */
static void on_interrupt(int number)
{
	lua_State *L = running;

	if (!L)
		return;
	received = number;
	if (interrupts < 2)
		interrupts++;
	if (!deferrals)
		ask_to_stop(L);
}

/* [f, ...] -> [whether it went well, what f returns or raised] */
static int call_interruptible(lua_State *L, const int *signals, size_t count)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	lua_State *outer = running;
	int status;

	luaL_checkany(L, 1);
	if (!outer) {
		sigemptyset(&action.sa_mask);
		for (size_t i = 0; i < count; i++)
			sigaction(signals[i], &action, NULL);
		interrupts = deferrals = received = 0;
	}
	running = L;
	status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	running = outer;
	if (!outer) {
		interrupts = 0;
		lua_sethook(L, NULL, 0, 0);
	}
	lua_pushboolean(L, status == LUA_OK);
	lua_insert(L, 1);
	return lua_gettop(L);
}

/*
 * interruptible(f, ...) -> as pcall: an interrupt from the terminal ends f with an error; before
 * and afterwards it does nothing. Waiting system calls return, children get the signal. A nested
 * call shares the interrupts of the outer one.
 */
static int sys_interruptible(lua_State *L)
{
	static const int signals[] = {SIGINT};

	return call_interruptible(L, signals, 1);
}

/*
 * unwinding(f, ...) -> [number of the signal that ended f, or 0], then as pcall: SIGINT, SIGTERM
 * and SIGHUP end f with an error, so that what it has open is closed. For a program that ends then.
 */
static int sys_unwinding(lua_State *L)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	int n = call_interruptible(L, signals, 3);

	lua_pushinteger(L, received);
	lua_insert(L, 1);
	return n + 1;
}

/*
 * deferred(f, ...) -> what f returns. An interrupt during f takes effect when f returns, unless f
 * reads it by interrupted().
 */
static int sys_deferred(lua_State *L)
{
	int status;

	luaL_checkany(L, 1);
	deferrals++;
	status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
	deferrals--;
	if (interrupts && !deferrals && running)
		ask_to_stop(running);
	if (status != LUA_OK)
		return lua_error(L);
	return lua_gettop(L);
}

/* interrupted() -> whether an interrupt was deferred; clears it */
static int sys_interrupted(lua_State *L)
{
	lua_pushboolean(L, interrupts > 0);
	interrupts = 0;
	return 1;
}

/*
 * stoppable(thread): the Lua thread that an interrupt stops from now on, for callers that resume
 * coroutines. A pending interrupt moves along. Does nothing outside interruptible().
 */
static int sys_stoppable(lua_State *L)
{
	lua_State *thread = lua_tothread(L, 1), *before = running;

	luaL_argexpected(L, thread, 1, "thread");
	if (!before)
		return 0;
	running = thread;
	if (lua_gethook(before) == stop) {
		lua_sethook(before, NULL, 0, 0);
		ask_to_stop(thread);
	}
	return 0;
}

const luaL_Reg sys_interrupt_functions[] = {
	{"interruptible", sys_interruptible}, {"unwinding", sys_unwinding},
	{"stoppable", sys_stoppable},	      {"deferred", sys_deferred},
	{"interrupted", sys_interrupted},     {NULL, NULL},
};
