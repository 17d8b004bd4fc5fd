/*
 * Sockets that probe gateways: ICMP echo, ARP, neighbour solicitations, BFD. Each is opened in a
 * network namespace and never blocks; the script polls.
 */
#define _GNU_SOURCE
#include "common/addr.h"
#include "common/netns.h"
#include "sys/probe_packet.h"
#include "sys/sys.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/export.h"

#ifndef ICMP_FILTER
#define ICMP_FILTER 1 /* of linux/icmp.h, which does not go with the C library's headers */
#endif

enum probe_type {
	ECHO4,
	ECHO6,
	ARP,
	ND,
	ROUTED, /* sends IP packets to a hardware address; echo sockets receive the answers */
	BFD_IN,
	BFD_OUT,
};

static const char *const types[] = {"echo4",  "echo6",	"arp",	   "nd",
				    "routed", "bfd-in", "bfd-out", NULL};

enum {
	LARGEST = 1500,
	BFD_PORT = 3784,
	BFD_FIRST_PORT = 49152, /* of the source ports of sessions (RFC 5881) */
	BFD_PORTS = 65536 - BFD_FIRST_PORT,
	BFD_TTL = 255,
};

/* `fd` first, as in every handle */
struct probe {
	int fd;
	enum probe_type type;
	int family;
	int index; /* of the device, 0 for none */
	uint8_t mac[PROBE_MAC];
	char dev[IFNAMSIZ];
	uint8_t source[16]; /* bfd: the address it is bound to */
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_ll link;
};

/* --- inside the namespace -------------------------------------------------------------------- */

static int set_int(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

/* The index and the hardware address of the device. */
static int look_up_device(struct probe *p, int fd)
{
	struct ifreq request = {0};

	memcpy(request.ifr_name, p->dev, sizeof(p->dev));
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		return -1;
	p->index = request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -1;
	memcpy(p->mac, request.ifr_hwaddr.sa_data, PROBE_MAC);
	return 0;
}

/* A raw socket receives all ICMP, so the kernel filters it. */
static int set_up_icmp(struct probe *p, int fd)
{
	struct icmp6_filter wanted;
	uint32_t others = ~(1U << ICMP_ECHOREPLY);

	if (p->type == ECHO4)
		return setsockopt(fd, SOL_RAW, ICMP_FILTER, &others, sizeof(others));
	ICMP6_FILTER_SETBLOCKALL(&wanted);
	ICMP6_FILTER_SETPASS(p->type == ECHO6 ? ICMP6_ECHO_REPLY : ND_NEIGHBOR_ADVERT, &wanted);
	if (setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &wanted, sizeof(wanted)) < 0)
		return -1;
	if (p->type == ECHO6)
		return 0;
	/* neighbour discovery accepts hop limit 255 alone */
	if (set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, BFD_TTL) < 0 ||
	    set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, BFD_TTL) < 0)
		return -1;
	return set_int(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, p->index);
}

static int open_icmp(struct probe *p)
{
	int protocol = p->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(p->family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return -1;
	p->fd = fd;
	if (p->dev[0] &&
	    (look_up_device(p, fd) < 0 ||
	     setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, p->dev, (socklen_t)strlen(p->dev)) < 0))
		return -1;
	return set_up_icmp(p, fd);
}

/* Protocol 0 receives nothing. */
static int open_packet(struct probe *p)
{
	uint16_t protocol = p->type == ARP ? htons(ETH_P_ARP) : 0;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	struct sockaddr_ll self = {.sll_family = AF_PACKET, .sll_protocol = protocol};

	if (fd < 0)
		return -1;
	p->fd = fd;
	if (look_up_device(p, fd) < 0)
		return -1;
	self.sll_ifindex = p->index;
	return bind(fd, (struct sockaddr *)&self, sizeof(self));
}

static socklen_t bind_address(const struct probe *p, uint16_t port, union address *self)
{
	*self = (union address){0};
	self->any.sa_family = (sa_family_t)p->family;
	if (p->family == AF_INET) {
		memcpy(&self->v4.sin_addr, p->source, 4);
		self->v4.sin_port = htons(port);
		return sizeof(self->v4);
	}
	memcpy(&self->v6.sin6_addr, p->source, 16);
	self->v6.sin6_port = htons(port);
	self->v6.sin6_scope_id = (uint32_t)p->index;
	return sizeof(self->v6);
}

/* A source port for each session: the first free one, from a varying start. */
static int bind_any(const struct probe *p, int fd)
{
	unsigned int first = (unsigned int)fd * 7919U + (unsigned int)getpid();

	for (unsigned int i = 0; i < BFD_PORTS; i++) {
		union address self;
		uint16_t port = (uint16_t)(BFD_FIRST_PORT + (first + i) % BFD_PORTS);
		socklen_t size = bind_address(p, port, &self);

		if (bind(fd, &self.any, size) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	return -1;
}

static int set_up_bfd(struct probe *p, int fd)
{
	int level = p->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
	bool four = p->family == AF_INET;
	union address self;
	socklen_t size = bind_address(p, BFD_PORT, &self);

	if (p->type == BFD_IN)
		return set_int(fd, level, four ? IP_RECVTTL : IPV6_RECVHOPLIMIT, 1) < 0
			       ? -1
			       : bind(fd, &self.any, size);
	if (set_int(fd, level, four ? IP_TTL : IPV6_UNICAST_HOPS, BFD_TTL) < 0)
		return -1;
	set_int(fd, level, four ? IP_TOS : IPV6_TCLASS, 0xc0); /* as routing protocols send */
	return bind_any(p, fd);
}

static int open_bfd(struct probe *p)
{
	int fd = socket(p->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	p->fd = fd;
	if (p->dev[0] && look_up_device(p, fd) < 0)
		return -1;
	return set_up_bfd(p, fd);
}

static int open_probe(void *arg)
{
	struct probe *p = arg;

	switch (p->type) {
	case ARP:
	case ROUTED:
		return open_packet(p);
	case BFD_IN:
	case BFD_OUT:
		return open_bfd(p);
	default:
		return open_icmp(p);
	}
}

/* --- arguments ------------------------------------------------------------------------------- */

/* An address of `family`, of either for 0; returns its family. */
static int check_address(lua_State *L, int arg, int family, uint8_t out[16])
{
	size_t length;
	const char *text = luaL_checklstring(L, arg, &length);
	int found = text_to_ip(text, length, out);

	luaL_argcheck(L, found && (!family || found == family), arg, "not such an address");
	return found;
}

static struct probe *check_probe(lua_State *L, unsigned int allowed)
{
	struct probe *p = luaL_checkudata(L, 1, SYS_PROBE);

	luaL_argcheck(L, p->fd >= 0, 1, "handle is closed");
	luaL_argcheck(L, allowed >> p->type & 1, 1, "not for a socket of this type");
	return p;
}

static struct probe_echo check_echo(lua_State *L, int arg)
{
	lua_Integer id = luaL_checkinteger(L, arg), seq = luaL_checkinteger(L, arg + 1);

	luaL_argcheck(L, id >= 0 && id <= UINT16_MAX, arg, "id out of range");
	return (struct probe_echo){.id = (uint16_t)id, .seq = (uint16_t)seq};
}

/*
 * probe(ref, type [, { dev =, source = }]) -> handle with fd, close and the methods of its type:
 * "echo4" and "echo6" send echo requests and receive the answers; "arp" and "nd" solicit a
 * neighbour on `dev`; "routed" sends echo requests through a neighbour; "bfd-in" receives at
 * `source`, "bfd-out" sends for one session.
 */
static int sys_probe(lua_State *L)
{
	static const char *const options[] = {"dev", "source", NULL};
	const char *ref = sys_checkref(L, 1), *dev = NULL, *source = NULL;
	enum probe_type type = (enum probe_type)luaL_checkoption(L, 2, NULL, types);
	struct probe *p;
	int *fd, result;

	lua_settop(L, 3);
	if (!lua_isnil(L, 3)) {
		sys_checkoptions(L, 3, options);
		dev = sys_optstring(L, 3, "dev", NULL);
		source = sys_optstring(L, 3, "source", NULL);
	}
	p = lua_newuserdatauv(L, sizeof(*p), 0);
	*p = (struct probe){.fd = -1, .type = type};
	luaL_setmetatable(L, SYS_PROBE);
	p->family = type == ECHO6 || type == ND ? AF_INET6 : AF_INET;
	if (type == BFD_IN || type == BFD_OUT)
		p->family = source ? text_to_ip(source, strlen(source), p->source) : 0;
	luaL_argcheck(L, p->family != 0, 3, "source: an address is due here");
	luaL_argcheck(L, dev || (type != ARP && type != ND && type != ROUTED), 3,
		      "dev: must be given");
	luaL_argcheck(L, !dev || strlen(dev) < sizeof(p->dev), 3, "dev: too long");
	if (dev)
		memcpy(p->dev, dev, strlen(dev));
	fd = sys_fd_scoped(L);
	*fd = netns_open(ref);
	result = *fd < 0 ? -1 : netns_call(*fd, open_probe, p);
	if (result < 0)
		return sys_fail(L, errno, "open a %s socket in namespace %s", types[type], ref);
	lua_pushvalue(L, -2);
	return 1;
}

/* --- sending --------------------------------------------------------------------------------- */

/* -> true | nil, message, code; a full queue counts as sent, like a lost packet */
static int send_to(lua_State *L, const struct probe *p, const void *data, size_t size,
		   const union address *to, socklen_t length)
{
	ssize_t n = sendto(p->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT, &to->any, length);
	bool lost = n < 0 && (errno == EAGAIN || errno == ENOBUFS);

	return sys_done(L, n < 0 && !lost ? -1 : 0, "send a probe");
}

static socklen_t destination(const struct probe *p, const uint8_t *bytes, uint16_t port,
			     union address *to)
{
	*to = (union address){0};
	to->any.sa_family = (sa_family_t)p->family;
	if (p->family == AF_INET) {
		memcpy(&to->v4.sin_addr, bytes, 4);
		to->v4.sin_port = htons(port);
		return sizeof(to->v4);
	}
	memcpy(&to->v6.sin6_addr, bytes, 16);
	to->v6.sin6_port = htons(port);
	if (IN6_IS_ADDR_LINKLOCAL(&to->v6.sin6_addr) || IN6_IS_ADDR_MC_LINKLOCAL(&to->v6.sin6_addr))
		to->v6.sin6_scope_id = (uint32_t)p->index;
	return sizeof(to->v6);
}

/* handle:echo(address, id, seq) -> true */
static int probe_echo(lua_State *L)
{
	struct probe *p = check_probe(L, 1U << ECHO4 | 1U << ECHO6);
	uint8_t bytes[16], out[PROBE_ECHO_SIZE];
	union address to;
	socklen_t size;

	check_address(L, 2, p->family, bytes);
	probe_write_echo(out, p->family, check_echo(L, 3));
	size = destination(p, bytes, 0, &to);
	return send_to(L, p, out, sizeof(out), &to, size);
}

static void link_destination(const struct probe *p, uint16_t protocol, const uint8_t *mac,
			     union address *to)
{
	*to = (union address){0};
	to->link.sll_family = AF_PACKET;
	to->link.sll_protocol = htons(protocol);
	to->link.sll_ifindex = p->index;
	to->link.sll_halen = PROBE_MAC;
	memcpy(to->link.sll_addr, mac, PROBE_MAC);
}

static int ask_arp(lua_State *L, const struct probe *p, const uint8_t *target)
{
	static const uint8_t broadcast[PROBE_MAC] = {255, 255, 255, 255, 255, 255};
	uint8_t source[16] = {0}, out[PROBE_ARP_SIZE];
	union address to;

	if (!lua_isnoneornil(L, 3))
		check_address(L, 3, AF_INET, source);
	probe_write_arp(out, p->mac, source, target);
	link_destination(p, ETH_P_ARP, broadcast, &to);
	return send_to(L, p, out, sizeof(out), &to, sizeof(to.link));
}

static int ask_nd(lua_State *L, const struct probe *p, const uint8_t *target)
{
	/* the solicited-node multicast address */
	uint8_t group[16] = {0xff, 2, [11] = 1, [12] = 0xff};
	uint8_t out[PROBE_NS_SIZE];
	union address to;
	socklen_t size;

	memcpy(group + 13, target + 13, 3);
	probe_write_ns(out, p->mac, target);
	size = destination(p, group, 0, &to);
	return send_to(L, p, out, sizeof(out), &to, size);
}

/* handle:ask(address [, source]) -> true; source: the sender's IPv4 address */
static int probe_ask(lua_State *L)
{
	struct probe *p = check_probe(L, 1U << ARP | 1U << ND);
	uint8_t bytes[16];

	check_address(L, 2, p->family, bytes);
	return p->type == ARP ? ask_arp(L, p, bytes) : ask_nd(L, p, bytes);
}

/* handle:through(hardware address, source, target, id, seq) -> true */
static int probe_through(lua_State *L)
{
	struct probe *p = check_probe(L, 1U << ROUTED);
	const char *text = luaL_checkstring(L, 2);
	uint8_t mac[PROBE_MAC], source[16], target[16], out[PROBE_ROUTED_SIZE];
	int family = check_address(L, 4, 0, target);
	union address to;
	size_t size;

	luaL_argcheck(L, text_to_lladdr(text, strlen(text), mac, sizeof(mac)) == PROBE_MAC, 2,
		      "not a hardware address");
	check_address(L, 3, family, source);
	size = probe_write_routed(out, family, source, target, check_echo(L, 5));
	link_destination(p, family == AF_INET ? ETH_P_IP : ETH_P_IPV6, mac, &to);
	return send_to(L, p, out, size, &to, sizeof(to.link));
}

static uint32_t field32(lua_State *L, const char *key)
{
	lua_Integer value = sys_optint(L, 3, key, 0);

	if (value < 0 || value > UINT32_MAX)
		luaL_error(L, "%s: out of range", key);
	return (uint32_t)value;
}

/* handle:control(address, { state =, mine =, ... }) -> true: one control packet */
static int probe_control(lua_State *L)
{
	struct probe *p = check_probe(L, 1U << BFD_OUT);
	uint8_t bytes[16], out[PROBE_BFD_SIZE];
	struct probe_bfd packet;
	union address to;
	socklen_t size;

	check_address(L, 2, p->family, bytes);
	luaL_checktype(L, 3, LUA_TTABLE);
	packet = (struct probe_bfd){
		.diagnostic = (uint8_t)field32(L, "diagnostic"),
		.state = (uint8_t)field32(L, "state"),
		.multiplier = (uint8_t)field32(L, "multiplier"),
		.poll = sys_optbool(L, 3, "poll", false),
		.final = sys_optbool(L, 3, "final", false),
		.mine = field32(L, "mine"),
		.yours = field32(L, "yours"),
		.desired_tx = field32(L, "desired_tx"),
		.required_rx = field32(L, "required_rx"),
	};
	probe_write_bfd(out, &packet);
	size = destination(p, bytes, BFD_PORT, &to);
	return send_to(L, p, out, sizeof(out), &to, size);
}

/* --- receiving ------------------------------------------------------------------------------- */

struct arrival {
	uint8_t data[LARGEST];
	size_t size;
	union address from;
	int ttl; /* -1: unknown */
};

static ssize_t receive_one(const struct probe *p, struct arrival *a)
{
	union {
		struct cmsghdr header;
		char room[64];
	} control;
	struct iovec part = {a->data, sizeof(a->data)};
	struct msghdr message = {.msg_name = &a->from,
				 .msg_namelen = sizeof(a->from),
				 .msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control)};
	ssize_t n;

	do
		n = recvmsg(p->fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	a->size = n < 0 ? 0 : (size_t)n;
	a->ttl = -1;
	for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message); c;
	     c = CMSG_NXTHDR(&message, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT))
			memcpy(&a->ttl, CMSG_DATA(c), sizeof(a->ttl));
	return n;
}

static void push_address(lua_State *L, int family, const uint8_t *bytes)
{
	char text[48];

	lua_pushlstring(L, text, ip_to_text(family, bytes, text));
}

static void push_sender(lua_State *L, const struct arrival *a)
{
	if (a->from.any.sa_family == AF_INET)
		push_address(L, AF_INET, (const uint8_t *)&a->from.v4.sin_addr);
	else
		push_address(L, AF_INET6, (const uint8_t *)&a->from.v6.sin6_addr);
}

static int push_echo(lua_State *L, const struct probe *p, const struct arrival *a)
{
	struct probe_echo echo;

	if (!probe_read_echo(a->data, a->size, p->family, &echo))
		return 0;
	push_sender(L, a);
	lua_pushinteger(L, echo.id);
	lua_pushinteger(L, echo.seq);
	return 3;
}

static int push_arp(lua_State *L, const struct arrival *a)
{
	uint8_t address[4], mac[PROBE_MAC];

	if (!probe_read_arp(a->data, a->size, address, mac))
		return 0;
	push_address(L, AF_INET, address);
	return 1;
}

static int push_na(lua_State *L, const struct arrival *a)
{
	uint8_t address[16];

	if (!probe_read_na(a->data, a->size, address))
		return 0;
	push_address(L, AF_INET6, address);
	return 1;
}

static void set_number(lua_State *L, const char *key, lua_Integer value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

/* Packets with a lower TTL passed a router and are dropped (RFC 5881 section 5). */
static int push_bfd(lua_State *L, const struct arrival *a)
{
	struct probe_bfd packet;

	if (a->ttl != BFD_TTL || !probe_read_bfd(a->data, a->size, &packet))
		return 0;
	push_sender(L, a);
	lua_createtable(L, 0, 10);
	set_number(L, "diagnostic", packet.diagnostic);
	set_number(L, "state", packet.state);
	set_number(L, "multiplier", packet.multiplier);
	set_number(L, "mine", packet.mine);
	set_number(L, "yours", packet.yours);
	set_number(L, "desired_tx", packet.desired_tx);
	set_number(L, "required_rx", packet.required_rx);
	lua_pushboolean(L, packet.poll);
	lua_setfield(L, -2, "poll");
	lua_pushboolean(L, packet.final);
	lua_setfield(L, -2, "final");
	lua_pushboolean(L, packet.demand);
	lua_setfield(L, -2, "demand");
	return 2;
}

static int push_arrival(lua_State *L, const struct probe *p, const struct arrival *a)
{
	switch (p->type) {
	case ARP:
		return push_arp(L, a);
	case ND:
		return push_na(L, a);
	case BFD_IN:
		return push_bfd(L, a);
	default:
		return push_echo(L, p, a);
	}
}

/*
 * handle:receive() -> the next answer, nil when there is none: sender, id, seq of an echo; the
 * address of a neighbour; sender and packet of BFD. Other packets are dropped.
 */
static int probe_receive(lua_State *L)
{
	struct probe *p = check_probe(L, ~0U);
	struct arrival a;

	for (;;) {
		int pushed;

		/* an ICMP error about a sent packet is reported once, instead of a packet */
		if (receive_one(p, &a) < 0) {
			if (errno == EAGAIN || errno == ENETDOWN)
				return 0;
			if (errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ENETUNREACH)
				continue;
			return sys_fail(L, errno, "receive from a probe socket");
		}
		pushed = push_arrival(L, p, &a);
		if (pushed)
			return pushed;
	}
}

static const luaL_Reg methods[] = {
	{"echo", probe_echo},	    {"ask", probe_ask},		{"through", probe_through},
	{"control", probe_control}, {"receive", probe_receive}, {NULL, NULL},
};

void sys_probe_metatable(lua_State *L)
{
	luaL_getmetatable(L, SYS_PROBE);
	luaL_setfuncs(L, methods, 0);
	lua_pop(L, 1);
}

const luaL_Reg sys_probe_functions[] = {
	{"probe", sys_probe},
	{NULL, NULL},
};
