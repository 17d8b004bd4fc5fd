/*
 * What the files of ecmp.sys share: errors, options, deadlines, descriptors owned by Lua.
 */
#ifndef ECMP_SYS_H
#define ECMP_SYS_H

#include "common/clock.h"
#include "common/io.h"

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

/* [] -> [true] where result is not negative, else as sys_fail with errno. */
int sys_done(lua_State *L, int result, const char *format, ...);

/* A path argument: a string without NUL bytes, not empty. */
const char *sys_checkpath(lua_State *L, int arg);
mode_t sys_optmode(lua_State *L, int arg, mode_t preset);

/* Raises if the table at `arg` has a key that is not in `known` (NULL-terminated). */
void sys_checkoptions(lua_State *L, int arg, const char *const known[]);

/* Values of the options table at `arg`; a wrong type is an error naming the key. */
lua_Number sys_optseconds(lua_State *L, int arg, const char *key, lua_Number preset);
lua_Integer sys_optint(lua_State *L, int arg, const char *key, lua_Integer preset);
bool sys_optbool(lua_State *L, int arg, const char *key, bool preset);

/* [] -> [value]: leaves the string (or nil) on the stack, and returns it (or NULL). */
const char *sys_optstring(lua_State *L, int arg, const char *key, size_t *len);

/* The deadline in so many seconds (common/clock.h); negative: never. */
double sys_deadline(double seconds);

/* Whether waiting calls are to return: an interrupt came for what interruptible() runs. */
bool sys_stopped(void);

/* Sleeps; only such an interrupt ends it early. */
void sys_pause(double seconds);

/* read(2), repeated after signals. */
ssize_t sys_read_once(int fd, void *buffer, size_t size);

/* Writes all of it; EPIPE without the signal. Returns 0, or -1 with errno set. */
int sys_write_whole(int fd, const char *text, size_t len);

/*
 * [] -> [fd]: a descriptor that is closed when the calling C function returns or raises. Returns
 * where to store it; it is -1 until then.
 */
int *sys_fd_scoped(lua_State *L);

/* [] -> [handle]: the same for a handle that the script closes; `name` is a metatable below. */
int *sys_fd_handle(lua_State *L, const char *name);
#define SYS_LOCK    "ecmp.lock"
#define SYS_NETNS   "ecmp.netns"
#define SYS_UDP	    "ecmp.udp"
#define SYS_NETLINK "ecmp.netlink"
#define SYS_PROBE   "ecmp.probe"

/*
 * [] -> [text], or as sys_fail: reads `fd` to its end; EFBIG when that is more than `limit` bytes.
 */
int sys_slurp(lua_State *L, int fd, size_t limit, const char *what);
#define SYS_LIMIT ((lua_Integer)64 * 1024 * 1024)

/* The optional limit of bytes at `arg`; SYS_LIMIT without one. */
size_t sys_optlimit(lua_State *L, int arg);

/* A namespace argument (path, name or pid) as text. */
const char *sys_checkref(lua_State *L, int arg);

/* A signal by number or name ("TERM"); 0 is allowed, an unknown one throws. */
int sys_checksignal(lua_State *L, int arg);

#endif
