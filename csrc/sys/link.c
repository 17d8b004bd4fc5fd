/*
 * Reads the speed of an interface by ethtool's ioctl.
 */
#define _GNU_SOURCE
#include "sys/sys.h"

#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/export.h"

/* struct ethtool_link_settings ends in three bit sets, each of so many words at most. */
#define MASK_WORDS (3UL * SCHAR_MAX)

/*
 * link_speed(fd, name) -> Mbit/s of an interface in the namespace of a socket; nil, message, code
 * where there is none: no carrier (ENODATA), or a driver that knows no speeds (EOPNOTSUPP)
 */
static int sys_link_speed(lua_State *L)
{
	lua_Integer fd = luaL_checkinteger(L, 1);
	size_t len;
	const char *name = luaL_checklstring(L, 2, &len);
	union {
		struct ethtool_link_settings settings;
		char room[sizeof(struct ethtool_link_settings) + MASK_WORDS * sizeof(__u32)];
	} reply = {.settings.cmd = ETHTOOL_GLINKSETTINGS};
	struct ifreq request = {.ifr_data = (char *)&reply};

	luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "no descriptor");
	luaL_argcheck(L, len > 0 && len < IFNAMSIZ && strlen(name) == len, 2,
		      "no name of an interface");
	memcpy(request.ifr_name, name, len);
	/* The first answer says, as a negative number, how many words the bit sets have. */
	if (ioctl((int)fd, SIOCETHTOOL, &request) < 0)
		return sys_fail(L, errno, "speed of %s", name);
	if (reply.settings.link_mode_masks_nwords < 0) {
		reply.settings.link_mode_masks_nwords =
			(__s8)-reply.settings.link_mode_masks_nwords;
		reply.settings.cmd = ETHTOOL_GLINKSETTINGS;
		if (ioctl((int)fd, SIOCETHTOOL, &request) < 0)
			return sys_fail(L, errno, "speed of %s", name);
	}
	if (reply.settings.speed == 0 || reply.settings.speed == (__u32)SPEED_UNKNOWN)
		return sys_fail(L, ENODATA, "speed of %s", name);
	lua_pushinteger(L, reply.settings.speed);
	return 1;
}

const luaL_Reg sys_link_functions[] = {
	{"link_speed", sys_link_speed},
	{NULL, NULL},
};
