/*
 * Encodes the packets that probe gateways and decodes their answers, which anybody may send: every
 * length is checked.
 */
#ifndef ECMP_SYS_PROBE_PACKET_H
#define ECMP_SYS_PROBE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PROBE_MAC = 6,
	PROBE_ECHO_SIZE = 16, /* header and eight bytes */
	PROBE_ARP_SIZE = 28,
	PROBE_NS_SIZE = 32,
	PROBE_BFD_SIZE = 24,
	PROBE_ROUTED_SIZE = 40 + PROBE_ECHO_SIZE, /* the larger of the two IP headers */
};

struct probe_echo {
	uint16_t id, seq;
};

/* A control packet of BFD (RFC 5880 section 4.1), without authentication. Times in microseconds. */
struct probe_bfd {
	uint8_t diagnostic, state, multiplier;
	bool poll, final, control_plane, demand;
	uint32_t mine, yours;
	uint32_t desired_tx, required_rx, required_echo_rx;
};

/* An echo request; the kernel adds the checksum of ICMPv6 by itself. */
void probe_write_echo(uint8_t out[PROBE_ECHO_SIZE], int family, struct probe_echo echo);

/* An echo reply; of IPv4 with the IP header, as raw sockets receive it. */
bool probe_read_echo(const uint8_t *data, size_t size, int family, struct probe_echo *echo);

/* An IP packet with an echo request, for a packet socket. Returns its size. */
size_t probe_write_routed(uint8_t out[PROBE_ROUTED_SIZE], int family, const uint8_t *source,
			  const uint8_t *target, struct probe_echo echo);

void probe_write_arp(uint8_t out[PROBE_ARP_SIZE], const uint8_t mac[PROBE_MAC],
		     const uint8_t source[4], const uint8_t target[4]);
bool probe_read_arp(const uint8_t *data, size_t size, uint8_t address[4], uint8_t mac[PROBE_MAC]);

/* A neighbour solicitation with our hardware address, and the target of an advertisement. */
void probe_write_ns(uint8_t out[PROBE_NS_SIZE], const uint8_t mac[PROBE_MAC],
		    const uint8_t target[16]);
bool probe_read_na(const uint8_t *data, size_t size, uint8_t address[16]);

void probe_write_bfd(uint8_t out[PROBE_BFD_SIZE], const struct probe_bfd *packet);

/* False for what RFC 5880 section 6.8.6 discards before it looks for a session. */
bool probe_read_bfd(const uint8_t *data, size_t size, struct probe_bfd *packet);

#endif
