/*
 * What an interactive program asks of its own process: to live in a network namespace where nothing
 * can be harmed, and to survive an interrupt. A library never does this; `ecmp repl` does, as its
 * first act, so that whatever is typed there, `os.execute` too, is confined.
 */
#define _GNU_SOURCE
#include "common/netns.h"
#include "sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int result, error;

	if (fd < 0)
		return -1;
	result = sys_write_whole(fd, text, strlen(text));
	error = errno;
	close(fd);
	errno = error;
	return result;
}

/* Root inside is the user outside: the only mapping that takes no rights. */
static int map_user(uid_t uid, gid_t gid)
{
	char line[32];

	/* an old kernel has no setgroups file, and wants none */
	if (write_file("/proc/self/setgroups", "deny") < 0 && errno != ENOENT)
		return -1;
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)uid);
	if (write_file("/proc/self/uid_map", line) < 0)
		return -1;
	snprintf(line, sizeof(line), "0 %u 1", (unsigned)gid);
	return write_file("/proc/self/gid_map", line);
}

#define NAMES "/run/netns"

/*
 * Names for namespaces are mounts, and would outlive a process that is killed: here they are the
 * process's own. A machine that lets nobody mount keeps them; that is no reason to refuse.
 */
static void hide_names(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return;
	if (mkdir(NAMES, 0755) == 0 || errno == EEXIST)
		mount("tmpfs", NAMES, "tmpfs", 0, "mode=755");
}

/*
 * leave_network() -> true: the process moves into a fresh network namespace with no named ones
 * beside it, and where it lacks the right to, into a user namespace in which it has it. Only while
 * it has one thread.
 */
static int sys_leave_network(lua_State *L)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int result = unshare(CLONE_NEWNET | CLONE_NEWNS);

	if (result < 0 && errno == EPERM) {
		result = unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS);
		if (result == 0)
			result = map_user(uid, gid);
	}
	if (result == 0)
		hide_names();
	return sys_done(L, result, "unshare", "the network namespace");
}

/* enter_network(ref) -> true: the process moves into a namespace that is there */
static int sys_enter_network(lua_State *L)
{
	const char *ref = sys_checkref(L, 1);
	int *fd = sys_fd_scoped(L);

	*fd = netns_open(ref);
	if (*fd < 0)
		return sys_done(L, -1, "open network namespace", ref);
	return sys_done(L, setns(*fd, CLONE_NEWNET), "enter network namespace", ref);
}

/*
 * Interrupts. A handler can know of one Lua state only, and it is the terminal's interrupt, of
 * which a process has one, too: hence the variables here that are not constant. `running` is
 * the thread that an interrupt stops; it is set only while interruptible() runs.
 */
static lua_State *volatile running;
static volatile sig_atomic_t interrupts, deferrals;

bool sys_stopped(void)
{
	return interrupts > 0 && !deferrals;
}

/*
 * Once, so that what a statement has to tidy up still is. Who interrupts again insists: from then
 * on everything raises, whatever catches it.
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

/* lua_sethook is the one function of Lua's that a handler may call. */
static void on_interrupt(int number)
{
	lua_State *L = running;

	(void)number;
	if (!L)
		return;
	if (interrupts < 2)
		interrupts++;
	if (!deferrals)
		ask_to_stop(L);
}

/*
 * interruptible(f, ...) -> as pcall: an interrupt from the terminal ends f with an error; before
 * and afterwards it does nothing. Calls of the kernel that wait are cut short, children get the
 * signal. Within another it is that one's interrupts that end it.
 */
static int sys_interruptible(lua_State *L)
{
	struct sigaction action = {.sa_handler = on_interrupt};
	lua_State *outer = running;
	int status;

	luaL_checkany(L, 1);
	if (!outer) {
		sigemptyset(&action.sa_mask);
		sigaction(SIGINT, &action, NULL);
		interrupts = deferrals = 0;
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
 * deferred(f, ...) -> what f returns: for what must not be left half done. An interrupt meanwhile
 * counts when it is done, unless f asks for it with interrupted().
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

/* interrupted() -> whether an interrupt was deferred, which is seen to by that */
static int sys_interrupted(lua_State *L)
{
	lua_pushboolean(L, interrupts > 0);
	interrupts = 0;
	return 1;
}

/*
 * stoppable(thread): the one that an interrupt stops from now on. For what resumes coroutines;
 * nothing happens outside interruptible(). An interrupt that is not answered yet goes along.
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

const luaL_Reg sys_prompt_functions[] = {
	{"leave_network", sys_leave_network},
	{"enter_network", sys_enter_network},
	{"interruptible", sys_interruptible},
	{"stoppable", sys_stoppable},
	{"deferred", sys_deferred},
	{"interrupted", sys_interrupted},
	{NULL, NULL},
};
