/*
 * An IP address with a prefix length: 128-bit arithmetic, parsing and printing, without Lua.
 */
#ifndef ECMP_IP_H
#define ECMP_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two words instead of __int128, which 32-bit machines lack. IPv4 has the low 32 bits. */
struct u128 {
	uint64_t hi, lo;
};

struct ip {
	struct u128 bits;
	uint8_t family; /* 4 or 6 */
	uint8_t length; /* of the prefix */
	bool no_length; /* parsed without a length, and printed without */
};

enum {
	IP_TEXT_SIZE = 48
}; /* the longest IPv6 text, a length and the end */

/*
 * Reads exactly `len` bytes of text. Returns NULL, or what is wrong with it. IPv4 in IPv6 dress
 * (::ffff:a.b.c.d) is IPv4. `a.b.c.d` with leading zeros and IPv6 zones are refused.
 */
const char *ip_read(struct ip *ip, const char *text, size_t len);

/* Writes canonical text (RFC 5952), with the prefix length if it has one; returns the length of
 * the text. */
size_t ip_write(const struct ip *ip, char text[IP_TEXT_SIZE]);

static inline unsigned ip_width(const struct ip *ip)
{
	return ip->family == 4 ? 32 : 128;
}

struct u128 u128_add(struct u128 a, struct u128 b);
struct u128 u128_sub(struct u128 a, struct u128 b);
int u128_compare(struct u128 a, struct u128 b);

/* 2^n, for n below 128 */
struct u128 u128_power(unsigned n);

/* The ones of the host part: all bits behind the first `length` of `width`. */
struct u128 u128_hosts(unsigned width, unsigned length);

struct ip ip_first(const struct ip *ip); /* all host bits zero, without length */
struct ip ip_last(const struct ip *ip);	 /* all host bits one, without length */
struct ip ip_network(const struct ip *ip);

bool ip_contains(const struct ip *outer, const struct ip *inner);

/* By family, address, length. */
int ip_compare(const struct ip *a, const struct ip *b);

#endif
