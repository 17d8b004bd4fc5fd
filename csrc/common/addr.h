/*
 * Addresses as text, and back.
 */
#ifndef ECMP_COMMON_ADDR_H
#define ECMP_COMMON_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Bytes of an address, family AF_INET or AF_INET6. */
static inline size_t address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

enum {
	PREFIX_TEXT = 64 /* room for any address with a length */
};

int text_to_ip4(const char *text, size_t length, uint8_t out[4]); /* characters read, or 0 */
int text_to_ip6(const char *text, size_t length, uint8_t out[16]);
/* What stands behind the slash of a prefix, up to `most`; -1 where it is no such number, or has a
 * leading zero, which some read as octal. */
int text_to_length(const char *text, size_t length, int most);
/* All of a text: AF_INET, AF_INET6, or 0 where it is no address. */
int text_to_ip(const char *text, size_t length, uint8_t out[16]);
size_t ip_to_text(int family, const uint8_t *bytes, char out[48]); /* as ip(8) prints it */
/* The same without dots in an IPv6 address, as RFC 5952 and the CNI plugins have it: ::102:304. */
size_t ip_to_groups(int family, const uint8_t *bytes, char out[48]);
size_t length_to_text(unsigned length, char out[5]); /* "/8" */
/* "10.0.0.0/8" */
size_t prefix_to_text(int family, const uint8_t *bytes, unsigned length, char out[PREFIX_TEXT]);
/* Clears the bits behind the first `length`. */
void mask_bytes(uint8_t *bytes, size_t size, unsigned length);
int text_to_lladdr(const char *text, size_t length, uint8_t *out,
		   size_t room); /* bytes written, or -1 */

#endif
