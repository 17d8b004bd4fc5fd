/*
 * Encodes and decodes packets of ICMP, ICMPv6, ARP and BFD, without sockets and Lua, for
 * fuzz/probe.c.
 */
#include "sys/probe_packet.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#include "common/export.h"

enum {
	ECHO_REPLY4 = 0,
	ECHO_REQUEST4 = 8,
	ECHO_REQUEST6 = 128,
	ECHO_REPLY6 = 129,
	NEIGHBOUR_SOLICITATION = 135,
	NEIGHBOUR_ADVERTISEMENT = 136,
	SOURCE_LINK_ADDRESS = 1, /* an option of neighbour discovery */
	HOPS = 64,
	BFD_VERSION = 1,
	BFD_DOWN = 1, /* the states below are AdminDown and Down */
};

static void put16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
	put16(to, (uint16_t)(value >> 16));
	put16(to + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *from)
{
	return (uint16_t)(from[0] << 8 | from[1]);
}

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)get16(from) << 16 | get16(from + 2);
}

/* --- checksums ------------------------------------------------------------------------------- */

/* `size` is even. */
static uint32_t sum(const uint8_t *data, size_t size, uint32_t total)
{
	for (size_t i = 0; i < size; i += 2)
		total += get16(data + i);
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* --- ICMP ------------------------------------------------------------------------------------ */

void probe_write_echo(uint8_t out[PROBE_ECHO_SIZE], int family, struct probe_echo echo)
{
	static const uint8_t payload[4] = {'e', 'c', 'm', 'p'};
	memset(out, 0, PROBE_ECHO_SIZE);
	out[0] = family == AF_INET6 ? ECHO_REQUEST6 : ECHO_REQUEST4;
	put16(out + 4, echo.id);
	put16(out + 6, echo.seq);
	memcpy(out + 8, payload, sizeof(payload));
	if (family == AF_INET)
		put16(out + 2, fold(sum(out, PROBE_ECHO_SIZE, 0)));
}

bool probe_read_echo(const uint8_t *data, size_t size, int family, struct probe_echo *echo)
{
	uint8_t expected = ECHO_REPLY6;

	if (family == AF_INET) {
		size_t header = size > 0 ? (size_t)(data[0] & 15) * 4 : 0;

		if (header < 20 || header > size)
			return false;
		data += header;
		size -= header;
		expected = ECHO_REPLY4;
	}
	if (size < 8 || data[0] != expected || data[1] != 0)
		return false;
	*echo = (struct probe_echo){.id = get16(data + 4), .seq = get16(data + 6)};
	return true;
}

static size_t write_ip4(uint8_t *out, const uint8_t *source, const uint8_t *target)
{
	memset(out, 0, 20);
	out[0] = 0x45;
	put16(out + 2, 20 + PROBE_ECHO_SIZE);
	put16(out + 6, 0x4000); /* don't fragment */
	out[8] = HOPS;
	out[9] = IPPROTO_ICMP;
	memcpy(out + 12, source, 4);
	memcpy(out + 16, target, 4);
	put16(out + 10, fold(sum(out, 20, 0)));
	return 20;
}

static size_t write_ip6(uint8_t *out, const uint8_t *source, const uint8_t *target)
{
	memset(out, 0, 40);
	out[0] = 0x60;
	put16(out + 4, PROBE_ECHO_SIZE);
	out[6] = IPPROTO_ICMPV6;
	out[7] = HOPS;
	memcpy(out + 8, source, 16);
	memcpy(out + 24, target, 16);
	return 40;
}

size_t probe_write_routed(uint8_t out[PROBE_ROUTED_SIZE], int family, const uint8_t *source,
			  const uint8_t *target, struct probe_echo echo)
{
	size_t header =
		family == AF_INET ? write_ip4(out, source, target) : write_ip6(out, source, target);
	uint8_t *icmp = out + header;

	probe_write_echo(icmp, family, echo);
	if (family == AF_INET6) {
		/* the pseudo header: both addresses, the length, the protocol */
		uint32_t total = sum(out + 8, 32, PROBE_ECHO_SIZE + IPPROTO_ICMPV6);

		put16(icmp + 2, fold(sum(icmp, PROBE_ECHO_SIZE, total)));
	}
	return header + PROBE_ECHO_SIZE;
}

/* --- neighbours ------------------------------------------------------------------------------ */

void probe_write_arp(uint8_t out[PROBE_ARP_SIZE], const uint8_t mac[PROBE_MAC],
		     const uint8_t source[4], const uint8_t target[4])
{
	memset(out, 0, PROBE_ARP_SIZE);
	put16(out, ARPHRD_ETHER);
	put16(out + 2, ETH_P_IP);
	out[4] = PROBE_MAC;
	out[5] = 4;
	put16(out + 6, ARPOP_REQUEST);
	memcpy(out + 8, mac, PROBE_MAC);
	memcpy(out + 14, source, 4);
	memcpy(out + 24, target, 4);
}

bool probe_read_arp(const uint8_t *data, size_t size, uint8_t address[4], uint8_t mac[PROBE_MAC])
{
	if (size < PROBE_ARP_SIZE || get16(data) != ARPHRD_ETHER || get16(data + 2) != ETH_P_IP ||
	    data[4] != PROBE_MAC || data[5] != 4 || get16(data + 6) != ARPOP_REPLY)
		return false;
	memcpy(mac, data + 8, PROBE_MAC);
	memcpy(address, data + 14, 4);
	return true;
}

void probe_write_ns(uint8_t out[PROBE_NS_SIZE], const uint8_t mac[PROBE_MAC],
		    const uint8_t target[16])
{
	memset(out, 0, PROBE_NS_SIZE);
	out[0] = NEIGHBOUR_SOLICITATION;
	memcpy(out + 8, target, 16);
	out[24] = SOURCE_LINK_ADDRESS;
	out[25] = 1; /* in units of eight bytes */
	memcpy(out + 26, mac, PROBE_MAC);
}

bool probe_read_na(const uint8_t *data, size_t size, uint8_t address[16])
{
	if (size < 24 || data[0] != NEIGHBOUR_ADVERTISEMENT || data[1] != 0)
		return false;
	memcpy(address, data + 8, 16);
	return true;
}

/* --- BFD ------------------------------------------------------------------------------------- */

void probe_write_bfd(uint8_t out[PROBE_BFD_SIZE], const struct probe_bfd *packet)
{
	out[0] = (uint8_t)(BFD_VERSION << 5 | (packet->diagnostic & 31));
	out[1] = (uint8_t)(packet->state << 6 | packet->poll << 5 | packet->final << 4);
	out[2] = packet->multiplier;
	out[3] = PROBE_BFD_SIZE;
	put32(out + 4, packet->mine);
	put32(out + 8, packet->yours);
	put32(out + 12, packet->desired_tx);
	put32(out + 16, packet->required_rx);
	put32(out + 20, packet->required_echo_rx);
}

bool probe_read_bfd(const uint8_t *data, size_t size, struct probe_bfd *packet)
{
	bool authenticated, multipoint;

	if (size < PROBE_BFD_SIZE || data[0] >> 5 != BFD_VERSION)
		return false;
	authenticated = data[1] >> 2 & 1;
	multipoint = data[1] & 1;
	*packet = (struct probe_bfd){
		.diagnostic = data[0] & 31,
		.state = data[1] >> 6,
		.poll = data[1] >> 5 & 1,
		.final = data[1] >> 4 & 1,
		.control_plane = data[1] >> 3 & 1,
		.demand = data[1] >> 1 & 1,
		.multiplier = data[2],
		.mine = get32(data + 4),
		.yours = get32(data + 8),
		.desired_tx = get32(data + 12),
		.required_rx = get32(data + 16),
		.required_echo_rx = get32(data + 20),
	};
	return data[3] >= PROBE_BFD_SIZE && data[3] <= size && packet->multiplier != 0 &&
	       !multipoint && !authenticated && packet->mine != 0 &&
	       (packet->yours != 0 || packet->state <= BFD_DOWN);
}
