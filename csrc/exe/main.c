/*
 * The main program: starts Lua with the embedded modules and calls ecmp.command.main, which knows
 * commands and plugins.
 */
#define _GNU_SOURCE
#include "exe/allocator.h"
#include "exe/embed.h"

#include <errno.h>
#include <fcntl.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/export.h"

/* the address sanitizer reports as leaks what the exit of the process would free */
#ifdef __SANITIZE_ADDRESS__
enum {
	FINDS_LEAKS = true
};
#else
enum {
	FINDS_LEAKS = false
};
#endif

int luaopen_cjson(lua_State *L);
int luaopen_ecmp_ip(lua_State *L);
int luaopen_ecmp_rtnl(lua_State *L);
int luaopen_ecmp_sandbox_process(lua_State *L);
int luaopen_ecmp_sys(lua_State *L);
/* only in executables of `make STATIC=1 POOLS=1`; elsewhere a file */
__attribute__((weak)) int luaopen_ecmp_pool(lua_State *L);

/* ecmp.build: how this executable was built, for `ecmp version` */
static int open_build(lua_State *L)
{
	lua_newtable(L);
	if (*embedded_commit) {
		lua_pushstring(L, embedded_commit);
		lua_setfield(L, -2, "commit");
	}
	lua_pushstring(L, LUA_RELEASE + sizeof("Lua"));
	lua_setfield(L, -2, "lua");
	lua_pushboolean(L, is_static);
	lua_setfield(L, -2, "static");
#ifdef __GLIBC__
	lua_pushfstring(L, "glibc %s", gnu_get_libc_version());
	lua_setfield(L, -2, "libc");
#endif
	return 1;
}

static const luaL_Reg c_modules[] = {
	{"ecmp.build", open_build},
	{"cjson", luaopen_cjson},
	{"ecmp.sandbox.process", luaopen_ecmp_sandbox_process},
	{"ecmp.ip", luaopen_ecmp_ip},
	{"ecmp.rtnl", luaopen_ecmp_rtnl},
	{"ecmp.sys", luaopen_ecmp_sys},
	{NULL, NULL},
};

static int by_name(const void *name, const void *module)
{
	return strcmp(name, ((const struct embedded *)module)->name);
}

/*
 * A searcher of `require`: [name] -> [loader, source] or [message]. It comes before the search for
 * files, so that installed ecmp modules are never mixed with the embedded ones.
 */
static int search_embedded(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	const struct embedded *module =
		bsearch(name, embedded, embedded_count, sizeof(*module), by_name);

	if (!module) {
		lua_pushfstring(L, "no module '%s' in the executable", name);
		return 1;
	}
	if (luaL_loadbufferx(L, (const char *)embedded_code + module->offset, module->size, name,
			     "b"))
		return lua_error(L);
	lua_pushliteral(L, "(embedded)");
	return 2;
}

/* package.searchers: preload, embedded, files... */
static void add_modules(lua_State *L)
{
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	luaL_setfuncs(L, c_modules, 0);
	if (luaopen_ecmp_pool) {
		lua_pushcfunction(L, luaopen_ecmp_pool);
		lua_setfield(L, -2, "ecmp_pool");
	}
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "searchers");
	for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) {
		lua_geti(L, -1, i);
		lua_seti(L, -2, i + 1);
	}
	lua_pushcfunction(L, search_embedded);
	lua_seti(L, -2, 2);
	lua_pop(L, 3);
}

/* [] -> [list of argv[from..]] */
static void push_arguments(lua_State *L, int argc, char **argv)
{
	lua_createtable(L, argc, 0);
	for (int i = 1; i < argc; i++) {
		lua_pushstring(L, argv[i]);
		lua_rawseti(L, -2, i);
	}
}

/* `warn` as in the lua interpreter: off until warn("@on"). */
struct warnings {
	bool on, continued;
};

static void warn(void *ud, const char *message, int more)
{
	struct warnings *warnings = ud;

	if (!warnings->continued && !more && *message == '@') {
		if (strcmp(message, "@on") == 0 || strcmp(message, "@off") == 0)
			warnings->on = message[2] == 'n';
		return;
	}
	if (warnings->on)
		fprintf(stderr, "%s%s%s", warnings->continued ? "" : "Lua warning: ", message,
			more ? "" : "\n");
	warnings->continued = more;
}

/*
 * [argc, argv] -> [exit status, whether lua_close can be skipped]; called protected, as memory may
 * run out
 */
static int run(lua_State *L)
{
	int argc = (int)lua_tointeger(L, 1);
	char **argv = lua_touserdata(L, 2);

	/* libraries are never collected; ecmp.command.main restarts the collector */
	lua_gc(L, LUA_GCSTOP);
	luaL_openlibs(L);
	add_modules(L);
	lua_getglobal(L, "require");
	lua_pushliteral(L, "ecmp.command.main");
	lua_call(L, 1, 1);
	lua_pushstring(L, argc > 0 ? argv[0] : "ecmp");
	push_arguments(L, argc, argv);
	lua_call(L, 2, 2);
	return 2;
}

/* Prints the error on one line of standard error: [message] -> [message] */
static int report(lua_State *L)
{
	const char *message = luaL_tolstring(L, -1, NULL);

	fprintf(stderr, "ecmp: ");
	for (const char *c = message; *c; c++)
		putc(*c == '\n' ? ' ' : *c, stderr);
	putc('\n', stderr);
	lua_pop(L, 1);
	return EXIT_FAILURE;
}

/*
 * Opens descriptors 0 to 2 where they are closed, so that no socket becomes standard output;
 * ignores SIGPIPE, which would kill an ADD half way; and restores SIGCHLD, without which children
 * cannot be waited for.
 */
static void prepare_process(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* Flushes standard output; an error is printed unless the reader closed the pipe. */
static int flush(int status)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	int error = errno;
	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLERR)) /* there is a reader */
		fprintf(stderr, "ecmp: standard output: %s\n", strerror(error));
	return status ? status : EXIT_FAILURE;
}

/* The first result of `run`: an exit status, or success as a boolean. */
static int exit_status(lua_State *L)
{
	if (lua_isinteger(L, 1))
		return (int)lua_tointeger(L, 1);
	return lua_toboolean(L, 1) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct heap heap = {0};
	struct warnings warnings = {0};
	lua_State *L;
	int status;

	prepare_process();
	L = lua_newstate(heap_alloc, &heap);
	if (!L) {
		fputs("ecmp: not enough memory\n", stderr);
		return EXIT_FAILURE;
	}
	lua_setwarnf(L, warn, &warnings);
	lua_pushcfunction(L, run);
	lua_pushinteger(L, argc);
	lua_pushlightuserdata(L, argv);
	status = lua_pcall(L, 2, 2, 0) == LUA_OK ? exit_status(L) : report(L);
	if (!lua_toboolean(L, 2) || FINDS_LEAKS)
		lua_close(L);
	return flush(status);
}
