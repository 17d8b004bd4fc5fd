/*
 * The key of a route, as the kernel compares it.
 */
#define _GNU_SOURCE
#include "rtnl/route/route.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

void mask_bytes(uint8_t *bytes, size_t size, unsigned length)
{
	for (size_t i = length / 8; i < size; i++)
		bytes[i] = i == length / 8 ? (uint8_t)(bytes[i] & ~(0xff >> length % 8)) : 0;
}

/* IPv4 in IPv6 dress, which is IPv4 to some. */
bool is_v4_mapped(const uint8_t *bytes)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	return memcmp(bytes, mapped, sizeof(mapped)) == 0;
}

void set_metric(struct slot *s, uint32_t metric)
{
	s->metric = metric == 0 && s->family == AF_INET6 ? 1024 : metric;
}

/* The host's own are in the local one, as with ip(8). */
uint32_t table_of_type(uint32_t type)
{
	bool local = type == RTN_LOCAL || type == RTN_BROADCAST || type == RTN_ANYCAST ||
		     type == RTN_NAT;
	return local ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}
