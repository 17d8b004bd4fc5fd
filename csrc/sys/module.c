/*
 * The Lua module ecmp.sys: processes, files, locks, network namespaces, sockets.
 *
 * A function returns its value, or nil, message, code after an error of the system; wrong arguments
 * raise. All descriptors are close-on-exec.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include "common/export.h"

EXPORT int luaopen_ecmp_sys(lua_State *L);

int luaopen_ecmp_sys(lua_State *L)
{
	static const luaL_Reg *const subjects[] = {
		sys_file_functions,	 sys_path_functions,	sys_fd_functions,
		sys_signal_functions,	 sys_process_functions, sys_spawn_functions,
		sys_netns_functions,	 sys_udp_functions,	sys_confine_functions,
		sys_interrupt_functions, sys_netlink_functions, sys_probe_functions,
		sys_unix_functions,	 sys_link_functions,
	};

	sys_fd_metatables(L);
	sys_netlink_metatable(L);
	sys_probe_metatable(L);
	sys_signal_metatable(L);
	sys_spawn_metatable(L);
	lua_createtable(L, 0, 48);
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		luaL_setfuncs(L, subjects[i], 0);
	return 1;
}
