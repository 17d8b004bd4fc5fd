/*
 * Installs or deletes routes by libnl-route: what a C program pays for a library.
 *
 *   libnl FILE add|del      FILE holds lines "DST GATEWAY..."; only the calls are timed, the objects are there before
 */
#include "bench.h"

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

static struct rtnl_route *route_of(char *line, int ifindex)
{
	struct rtnl_route *route = rtnl_route_alloc();
	struct nl_addr *dst, *via;
	char *rest = NULL, *word = strtok_r(line, " \n", &rest);
	if (!route || nl_addr_parse(word, AF_UNSPEC, &dst) < 0)
		die(word);
	rtnl_route_set_family(route, (uint8_t)nl_addr_get_family(dst));
	rtnl_route_set_table(route, RT_TABLE_MAIN);
	rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
	rtnl_route_set_protocol(route, RTPROT_BOOT);
	rtnl_route_set_dst(route, dst);
	nl_addr_put(dst);
	while ((word = strtok_r(NULL, " \n", &rest))) {
		struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
		if (!hop || nl_addr_parse(word, AF_UNSPEC, &via) < 0)
			die(word);
		rtnl_route_nh_set_gateway(hop, via);
		rtnl_route_nh_set_ifindex(hop, ifindex);
		nl_addr_put(via);
		rtnl_route_add_nexthop(route, hop);
	}
	return route;
}

int main(int argc, char **argv)
{
	enum { MOST = 1 << 21 };
	static char line[8192];
	struct rtnl_route **routes = calloc(MOST, sizeof(*routes));
	struct nl_sock *sock = nl_socket_alloc();
	FILE *file = argc == 3 ? fopen(argv[1], "r") : NULL;
	size_t count = 0, errors = 0;
	struct rtnl_link *link;

	if (!file || !routes || !sock || nl_connect(sock, NETLINK_ROUTE) < 0)
		return 2;
	if (rtnl_link_get_kernel(sock, 0, "bench0", &link) < 0)
		die("bench0");
	while (count < MOST && fgets(line, sizeof(line), file))
		routes[count++] = route_of(line, rtnl_link_get_ifindex(link));
	uint64_t start = now_ns();
	for (size_t i = 0; i < count; i++)
		errors += (strcmp(argv[2], "del") == 0 ? rtnl_route_delete(sock, routes[i], 0)
						       : rtnl_route_add(sock, routes[i], NLM_F_EXCL)) < 0;
	printf("%llu %zu\n", (unsigned long long)(now_ns() - start), errors);
	return errors ? 1 : 0;
}
