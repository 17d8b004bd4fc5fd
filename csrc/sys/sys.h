/*
 * What the files of ecmp.sys share: failure, options, deadlines, descriptors that close themselves.
 */
#ifndef ECMP_SYS_H
#define ECMP_SYS_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

extern const luaL_Reg sys_file_functions[];
extern const luaL_Reg sys_path_functions[];
extern const luaL_Reg sys_fd_functions[];
extern const luaL_Reg sys_signal_functions[];
extern const luaL_Reg sys_spawn_functions[];
extern const luaL_Reg sys_process_functions[];
extern const luaL_Reg sys_netns_functions[];
extern const luaL_Reg sys_link_functions[];
extern const luaL_Reg sys_udp_functions[];
extern const luaL_Reg sys_unix_functions[];
extern const luaL_Reg sys_confine_functions[];
extern const luaL_Reg sys_interrupt_functions[];
extern const luaL_Reg sys_netlink_functions[];
extern const luaL_Reg sys_probe_functions[];

/* Metatables: made once per state by luaopen_ecmp_sys. */
void sys_fd_metatables(lua_State *L);
void sys_netlink_metatable(lua_State *L); /* behind that of descriptors */
void sys_probe_metatable(lua_State *L);	  /* the same */
void sys_signal_metatable(lua_State *L);
void sys_spawn_metatable(lua_State *L);

/* [] -> [nil, "WHAT: reason (ESYM)", "ESYM"]; returns 3. `format` takes lua_pushfstring's words. */
int sys_fail(lua_State *L, int error, const char *format, ...);

/* [] -> [true] when result is 0, else as sys_fail("VERB PATH") with errno. */
int sys_done(lua_State *L, int result, const char *verb, const char *path);

/* A path argument: a string without NUL bytes, not empty. */
const char *sys_checkpath(lua_State *L, int arg);
mode_t sys_optmode(lua_State *L, int arg, mode_t preset);

/* Refuses a table at `arg` with a key that is not in `known` (NULL-terminated). */
void sys_checkoptions(lua_State *L, int arg, const char *const known[]);

/* Values of the options table at `arg`; a wrong type is an error naming the key. */
lua_Number sys_optseconds(lua_State *L, int arg, const char *key, lua_Number preset);
lua_Integer sys_optint(lua_State *L, int arg, const char *key, lua_Integer preset);
bool sys_optbool(lua_State *L, int arg, const char *key, bool preset);

/* [] -> [value]: leaves the string (or nil) on the stack, and returns it (or NULL). */
const char *sys_optstring(lua_State *L, int arg, const char *key, size_t *len);

/* Seconds of CLOCK_MONOTONIC. A deadline is such a moment; negative means never. */
double sys_monotonic(void);
double sys_deadline(double seconds);

/* What is left until `deadline` as poll(2) takes it: -1 for ever, else rounded up. */
int sys_remaining(double deadline);

/* Whether what waits is to end: an interrupt came for what interruptible() runs. */
bool sys_stopped(void);

/* Sleeps, signals other than such an interrupt notwithstanding. */
void sys_pause(double seconds);

/* read(2) until it is no longer interrupted. */
ssize_t sys_read_once(int fd, void *buffer, size_t size);

/* Writes all of it; EPIPE without the signal. Returns 0, or -1 with errno set. */
int sys_write_whole(int fd, const char *text, size_t len);

/*
 * [] -> [fd]: an owner of a descriptor, closed when the calling C function ends, by whatever way.
 * Returns where the descriptor is to be put; it holds -1 until then.
 */
int *sys_fd_scoped(lua_State *L);

/* [] -> [handle]: the same, for the script to keep; `name` is one of the metatables below. */
int *sys_fd_handle(lua_State *L, const char *name);
#define SYS_LOCK    "ecmp.lock"
#define SYS_NETNS   "ecmp.netns"
#define SYS_UDP	    "ecmp.udp"
#define SYS_NETLINK "ecmp.netlink"
#define SYS_PROBE   "ecmp.probe"

/*
 * [] -> [text], or as sys_fail: all that `fd` gives until its end, refused with EFBIG when it is
 * more than `limit`.
 */
int sys_slurp(lua_State *L, int fd, size_t limit, const char *what);
#define SYS_LIMIT ((lua_Integer)64 * 1024 * 1024)

/* A namespace argument (path, name or pid) opened; throws for a wrong type, -1 for a refusal. */
const char *sys_checkref(lua_State *L, int arg);

/* A signal by number or name ("TERM"); 0 is allowed, an unknown one throws. */
int sys_checksignal(lua_State *L, int arg);

#endif
