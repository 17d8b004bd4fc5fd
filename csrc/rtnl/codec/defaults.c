/*
 * Fills in what ip(8) fills in, and rejects requests that the kernel would misread.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include "common/addr.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* Whether the input has the field of a key. */
static bool has(const struct schema *schema, const struct collected *g, const char *key)
{
	for (uint64_t left = g->fields & ~((uint64_t)1 << TYPE_KEY); left; left &= left - 1) {
		if (same_text(schema->fields[__builtin_ctzll(left)].key, key))
			return true;
	}
	return false;
}

/* The same for routes, of which there may be a million: the position of a key is cached. */
enum asked_key {
	VIA,
	DEV,
	NEXTHOPS,
	NHID,
	TABLE,
	SCOPE
};

static void cache_position(struct encoder *e, enum asked_key key)
{
	static const char *const names[] = {"via", "dev", "nexthops", "nhid", "table", "scope"};
	int i = 0;
	while (!same_text(schema_route.fields[i].key, names[key]))
		i++; /* a schema has its fields */
	e->route_fields[key] = (uint64_t)1 << i;
}

static inline bool route_has(struct encoder *e, const struct collected *g, enum asked_key key)
{
	if (!e->route_fields[key])
		cache_position(e, key);
	return g->fields & e->route_fields[key];
}

uint8_t scope_of_type(uint8_t type, bool has_hops)
{
	switch (type) {
	case RTN_LOCAL:
	case RTN_NAT:
		return RT_SCOPE_HOST;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
	case RTN_ANYCAST:
		return RT_SCOPE_LINK;
	case RTN_UNICAST:
		return has_hops ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	default:
		return RT_SCOPE_UNIVERSE;
	}
}

uint8_t default_scope(const struct span *s)
{
	const uint64_t leaving = (uint64_t)1 << RTA_GATEWAY | (uint64_t)1 << RTA_VIA |
				 (uint64_t)1 << RTA_MULTIPATH | (uint64_t)1 << RTA_NH_ID;
	const struct rtmsg *r = (const struct rtmsg *)(const void *)s->data;
	return r->rtm_family == AF_INET ? scope_of_type(r->rtm_type, attrs_of(s) & leaving)
					: RT_SCOPE_UNIVERSE;
}

/* Types that belong to the host itself go to its own table. */
uint8_t default_table(uint8_t type)
{
	switch (type) {
	case RTN_LOCAL:
	case RTN_BROADCAST:
	case RTN_ANYCAST:
	case RTN_NAT:
		return RT_TABLE_LOCAL;
	default:
		return RT_TABLE_MAIN;
	}
}

bool is_blackhole_type(uint8_t type)
{
	return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT ||
	       type == RTN_THROW;
}

/* Rejects what IPv4 refuses with other words, and of what IPv6 ignores a part. */
static void check_hops(struct encoder *e, const struct rtmsg *r, const struct collected *g)
{
	const char *single = route_has(e, g, VIA) ? "via" : route_has(e, g, DEV) ? "dev" : NULL;
	bool several = route_has(e, g, NEXTHOPS);
	if (single && several)
		fail(e, single, "a route has either this or nexthops");
	if (is_blackhole_type(r->rtm_type) && (several || route_has(e, g, VIA)))
		fail(e, several ? "nexthops" : "via", "a route of type %s has no next hops",
		     word_by_value(WORDS_TYPE, r->rtm_type));
}

/* Removes an attribute from the message; copies it to `to`. Returns its length. */
static size_t take_out(struct encoder *e, size_t attrs, uint16_t type, uint8_t *to)
{
	uint8_t *payload = written(e, attrs, type);
	if (!payload)
		return 0;
	struct nlattr *a = (struct nlattr *)(void *)(payload - NLA_HDRLEN);
	size_t length = NLA_ALIGN(a->nla_len);
	uint8_t *end = e->out->base + e->out->length;
	memcpy(to, a, length);
	memmove(a, (uint8_t *)a + length, (size_t)(end - ((uint8_t *)a + length)));
	e->out->length -= length;
	return length;
}

/* Turns gateway and device into an RTA_MULTIPATH of one next hop. */
void list_one_hop(struct encoder *e)
{
	size_t attrs = e->start + sizeof(struct rtmsg);
	struct rtnexthop hop = {.rtnh_len = sizeof(hop)};
	uint8_t bytes[sizeof(hop) + 64], device[16];
	if (take_out(e, attrs, RTA_OIF, device))
		memcpy(&hop.rtnh_ifindex, device + NLA_HDRLEN, sizeof(hop.rtnh_ifindex));
	size_t length = sizeof(hop);
	length += take_out(e, attrs, RTA_GATEWAY, bytes + length);
	length += take_out(e, attrs, RTA_VIA, bytes + length);
	hop.rtnh_len = (uint16_t)length;
	memcpy(bytes, &hop, sizeof(hop));
	put(e, RTA_MULTIPATH, bytes, length);
}

/*
 * A deletion by gateway or device. IPv4 compares it with the first next hop of a multipath route
 * and deletes all of that route; an RTA_MULTIPATH of one matches routes of one next hop alone. IPv6
 * ignores the type: blackhole-type routes have the loopback device.
 */
static void pin_deletion(struct encoder *e, const struct rtmsg *r, const struct collected *g)
{
	uint32_t loopback = 1;
	if (r->rtm_family == AF_INET6) {
		if (is_blackhole_type(r->rtm_type) && !route_has(e, g, DEV))
			put(e, RTA_OIF, &loopback, sizeof(loopback));
		return;
	}
	if (route_has(e, g, VIA) || route_has(e, g, DEV))
		list_one_hop(e);
}

/* IPv6 does not compare these in a deletion, so it could delete another route. */
static void check_compared(struct encoder *e)
{
	static const struct {
		uint16_t attr;
		const char *name;
	} ignored[] = {{RTA_METRICS, "metrics such as mtu"},
		       {RTA_PREFSRC, "src"},
		       {RTA_PREF, "pref"},
		       {RTA_ENCAP, "encap"}};
	for (size_t i = 0; e->family == AF_INET6 && i < sizeof(ignored) / sizeof(*ignored); i++) {
		if (!written(e, e->start + sizeof(struct rtmsg), ignored[i].attr))
			continue;
		e->missing_errno = EINVAL;
		e->missing = ignored[i].name;
	}
}

/* As ip(8): unicast, main, boot; a local route has scope host, one without a gateway scope link. */
static void route_defaults(struct encoder *e, const struct collected *g)
{
	struct rtmsg *r = (struct rtmsg *)(void *)header_of(e, e->start);
	if (e->verb == VERB_DUMP || e->verb == VERB_PRINT)
		return;
	if (r->rtm_table == RT_TABLE_UNSPEC && !route_has(e, g, TABLE))
		r->rtm_table = default_table(r->rtm_type);
	if (e->verb == VERB_DEL && !route_has(e, g, SCOPE))
		r->rtm_scope = RT_SCOPE_NOWHERE;
	if (e->verb == VERB_DEL && !route_has(e, g, NEXTHOPS) && !route_has(e, g, NHID))
		pin_deletion(e, r, g);
	bool has_hops = route_has(e, g, VIA) || route_has(e, g, NEXTHOPS) || route_has(e, g, NHID);
	if (e->verb == VERB_DEL && !has_hops && !route_has(e, g, DEV))
		check_compared(e);
	if (e->verb != VERB_ADD)
		return;
	check_hops(e, r, g);
	if (r->rtm_type == RTN_UNSPEC)
		r->rtm_type = RTN_UNICAST;
	if (r->rtm_protocol == RTPROT_UNSPEC)
		r->rtm_protocol = RTPROT_BOOT;
	if (!route_has(e, g, SCOPE) && r->rtm_family == AF_INET)
		r->rtm_scope = scope_of_type(r->rtm_type, has_hops);
}

/* Removes a broadcast of "+" or "-", which make_broadcast replaces. */
static size_t take_sign(struct encoder *e, size_t attrs, uint8_t sign[8])
{
	const uint8_t *given = written(e, attrs, IFA_BROADCAST);
	const struct nlattr *a = (const struct nlattr *)(const void *)(given - NLA_HDRLEN);
	return a->nla_len == NLA_HDRLEN + 1 ? take_out(e, attrs, IFA_BROADCAST, sign) : 0;
}

/* "brd +" and "brd -": all host bits set, or none; no broadcast above /30. */
static void make_broadcast(struct encoder *e, size_t attrs, unsigned length, uint8_t address[4])
{
	uint8_t sign[8];
	uint8_t *given = written(e, attrs, IFA_BROADCAST);
	if (given && e->family == AF_INET6)
		fail(e, "broadcast", "an IPv6 address has none");
	if (!given || take_sign(e, attrs, sign) == 0 || length > 30)
		return;
	for (unsigned i = length; i < 32; i++)
		if (sign[NLA_HDRLEN] == '+')
			address[i / 8] |= (uint8_t)(0x80 >> i % 8);
		else
			address[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	put(e, IFA_BROADCAST, address, 4);
}

/* IFA_ADDRESS is the peer, or the address itself. Addresses of 127.0.0.0/8 are the host's own. */
static void addr_defaults(struct encoder *e, const struct collected *g)
{
	size_t attrs = e->start + sizeof(struct ifaddrmsg);
	uint8_t bytes[16];
	const uint8_t *local = written(e, attrs, IFA_LOCAL), *peer = written(e, attrs, IFA_ADDRESS);
	if (e->verb == VERB_DUMP || !local)
		return;
	size_t size = address_size(e->family);
	memcpy(bytes, local, size);
	struct ifaddrmsg *a = (struct ifaddrmsg *)(void *)header_of(e, e->start);
	if (e->verb == VERB_ADD && e->family == AF_INET && bytes[0] == 127 &&
	    !has(&schema_addr, g, "scope"))
		a->ifa_scope = RT_SCOPE_HOST;
	unsigned length = a->ifa_prefixlen;
	if (peer)
		memcpy(bytes, peer, size);
	else if (e->verb != VERB_PRINT)
		put(e, IFA_ADDRESS, bytes, size);
	make_broadcast(e, attrs, length, bytes);
}

static void rule_defaults(struct encoder *e, const struct collected *g)
{
	struct fib_rule_hdr *r = (struct fib_rule_hdr *)(void *)header_of(e, e->start);
	if (!r->action && has(&schema_rule, g, "goto"))
		r->action = FR_ACT_GOTO;
	if (e->verb != VERB_ADD)
		return;
	if (!r->action)
		r->action = FR_ACT_TO_TBL;
	if (!has(&schema_rule, g, "table") && r->action == FR_ACT_TO_TBL &&
	    !has(&schema_rule, g, "l3mdev"))
		r->table = RT_TABLE_MAIN;
}

static void neigh_defaults(struct encoder *e, const struct collected *g)
{
	struct ndmsg *n = (struct ndmsg *)(void *)header_of(e, e->start);
	bool by_kernel = has(&schema_neigh, g, "proxy") || has(&schema_neigh, g, "use") ||
			 has(&schema_neigh, g, "managed");
	if (e->verb == VERB_ADD && !has(&schema_neigh, g, "state"))
		n->ndm_state = by_kernel ? 0 : NUD_PERMANENT;
}

/* IPv4 names the main table unless asked for the table that was looked up; IPv6 refuses the flag.
 */
static void flow_defaults(struct encoder *e, const struct collected *g)
{
	struct rtmsg *r = (struct rtmsg *)(void *)header_of(e, e->start);
	(void)g;
	if (r->rtm_family == AF_INET)
		r->rtm_flags |= RTM_F_LOOKUP_TABLE;
}

/* A next-hop object without a gateway needs a family; a group must have none. */
static void nexthop_defaults(struct encoder *e, const struct collected *g)
{
	struct nhmsg *n = (struct nhmsg *)(void *)header_of(e, e->start);
	if (has(&schema_nexthop, g, "group") || e->verb != VERB_ADD)
		n->nh_family = has(&schema_nexthop, g, "group") ? AF_UNSPEC : n->nh_family;
	else if (n->nh_family == AF_UNSPEC)
		n->nh_family = AF_INET;
}

/* The kernel lists VLANs only with RTEXT_FILTER_BRVLAN. */
static void vlan_defaults(struct encoder *e, const struct collected *g)
{
	uint32_t mask = RTEXT_FILTER_BRVLAN;
	(void)g;
	header_of(e, e->start)[0] = AF_BRIDGE;
	if (e->verb == VERB_DUMP)
		put(e, IFLA_EXT_MASK, &mask, sizeof(mask));
}

/* The kernel would delete its first object for a request that selects none. */
static void check_named(struct encoder *e, const struct schema *schema, const struct collected *g)
{
	uint64_t fields = g->fields & ~((uint64_t)1 << TYPE_KEY);
	if (schema->fields[0].type == FIELD_FAMILY)
		fields &= ~(uint64_t)1;
	if (!fields)
		fail(e, NULL, "nothing says which %s is to be deleted", schema->name);
	if (schema == &schema_addr && !has(schema, g, "address"))
		fail(e, "address", "missing: nothing says which is to be deleted");
}

/* The kernel would change every link of group 0 for a request that selects none. */
static void check_link(struct encoder *e, const struct collected *g)
{
	const struct schema *schema = &schema_link;
	if (e->existing_only && !has(schema, g, "dev") && !has(schema, g, "name") &&
	    !has(schema, g, "index"))
		fail(e, "dev", "missing: nothing says which link is to be changed");
}

void fill_defaults(struct encoder *e, const struct schema *schema, const struct collected *g)
{
	static const struct {
		const struct schema *schema;
		void (*fill)(struct encoder *e, const struct collected *g);
	} defaults[] = {
		{&schema_route, route_defaults},     {&schema_addr, addr_defaults},
		{&schema_rule, rule_defaults},	     {&schema_neigh, neigh_defaults},
		{&schema_nexthop, nexthop_defaults}, {&schema_portvlan, vlan_defaults},
		{&schema_link, check_link},	     {&schema_flow, flow_defaults},
	};
	if (e->verb == VERB_DEL)
		check_named(e, schema, g);
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (defaults[i].schema != schema)
			continue;
		defaults[i].fill(e, g);
		return;
	}
}
