/*
 * Reading the main table in C: the limit of any reader.
 *
 *   dump raw|parse 4|6      prints nanoseconds and routes
 *
 * `raw` touches no more than the header of each message; `parse` walks every attribute and every next hop by libmnl.
 */
#include "bench.h"

static uint64_t sink; /* what was read, so that no compiler leaves reading out */

static void parse_hops(const struct nlattr *a)
{
	int left = mnl_attr_get_payload_len(a);
	struct rtnexthop *hop = mnl_attr_get_payload(a);
	for (; RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop)) {
		int rest = hop->rtnh_len - (int)sizeof(*hop);
		for (struct rtattr *r = RTNH_DATA(hop); RTA_OK(r, rest); r = RTA_NEXT(r, rest))
			if (r->rta_type == RTA_GATEWAY)
				sink += *(const uint8_t *)RTA_DATA(r);
		sink += (uint64_t)hop->rtnh_ifindex;
	}
}

static int take_attribute(const struct nlattr *a, void *list)
{
	const struct nlattr **by_type = list;
	uint16_t type = mnl_attr_get_type(a);
	if (mnl_attr_type_valid(a, RTA_MAX) > 0)
		by_type[type] = a;
	return MNL_CB_OK;
}

static void parse(const struct nlmsghdr *h)
{
	const struct nlattr *by_type[RTA_MAX + 1] = {NULL};
	mnl_attr_parse(h, sizeof(struct rtmsg), take_attribute, by_type);
	if (by_type[RTA_TABLE])
		sink += mnl_attr_get_u32(by_type[RTA_TABLE]);
	if (by_type[RTA_DST])
		sink += *(const uint8_t *)mnl_attr_get_payload(by_type[RTA_DST]);
	if (by_type[RTA_GATEWAY])
		sink += *(const uint8_t *)mnl_attr_get_payload(by_type[RTA_GATEWAY]);
	if (by_type[RTA_OIF])
		sink += mnl_attr_get_u32(by_type[RTA_OIF]);
	if (by_type[RTA_MULTIPATH])
		parse_hops(by_type[RTA_MULTIPATH]);
}

static size_t dump(struct mnl_socket *nl, uint8_t family, bool full)
{
	static _Alignas(8) uint8_t buffer[64 << 10];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buffer);
	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	struct rtmsg *r = mnl_nlmsg_put_extra_header(h, sizeof(*r));
	r->rtm_family = family;
	r->rtm_table = RT_TABLE_MAIN;
	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		die("send");
	for (size_t count = 0;;) {
		ssize_t n = mnl_socket_recvfrom(nl, buffer, sizeof(buffer));
		if (n < 0)
			die("receive");
		int left = (int)n;
		for (h = (void *)buffer; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			if (h->nlmsg_type == NLMSG_DONE)
				return count;
			count += h->nlmsg_type == RTM_NEWROUTE;
			if (full)
				parse(h);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	bool full = strcmp(argv[1], "parse") == 0;
	uint8_t family = strcmp(argv[2], "6") == 0 ? AF_INET6 : AF_INET;
	struct mnl_socket *nl = open_socket();
	uint64_t start = now_ns();
	size_t count = dump(nl, family, full);
	printf("%llu %zu\n", (unsigned long long)(now_ns() - start), count);
	return sink == 1;
}
