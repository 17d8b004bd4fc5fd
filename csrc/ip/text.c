/*
 * Parses and prints addresses with prefix length, by common/addr.c.
 */
#include "ip/ip.h"

#include "common/addr.h"

#include <string.h>

#include "common/export.h"

static uint64_t read_word(const uint8_t *bytes, size_t size)
{
	uint64_t word = 0;

	for (size_t i = 0; i < size; i++)
		word = word << 8 | bytes[i];
	return word;
}

static void write_word(uint64_t word, uint8_t *bytes, size_t size)
{
	for (size_t i = size; i-- > 0; word >>= 8)
		bytes[i] = (uint8_t)word;
}

/* Why a text is no address. */
static const char *reason_of(const char *text, size_t len)
{
	if (memchr(text, '%', len))
		return "zone not allowed";
	if (memchr(text, ':', len))
		return "eight groups of up to four hexadecimal digits expected, or fewer with a "
		       "\"::\"";
	for (size_t i = 0; i + 1 < len; i++)
		if (text[i] == '0' && text[i + 1] >= '0' && text[i + 1] <= '9' &&
		    (i == 0 || text[i - 1] == '.'))
			return "number with a leading zero"; /* which some read as octal */
	return "four numbers up to 255 expected";
}

/* ::ffff:a.b.c.d/96+n is a.b.c.d/n, as the CNI plugins read it */
static const char *unmap(struct ip *ip)
{
	if (ip->bits.hi != 0 || ip->bits.lo >> 32 != 0xffff)
		return NULL;
	if (ip->length < 96)
		return "prefix length of an IPv4-mapped address below 96";
	ip->bits.lo &= UINT32_MAX;
	ip->length = (uint8_t)(ip->length - 96);
	ip->family = 4;
	return NULL;
}

const char *ip_read(struct ip *ip, const char *text, size_t len)
{
	const char *slash = memchr(text, '/', len);
	size_t n = slash ? (size_t)(slash - text) : len;
	uint8_t bytes[16];
	int family = text_to_ip(text, n, bytes), length;

	if (!family)
		return reason_of(text, n);
	*ip = (struct ip){.family = family == AF_INET6 ? 6 : 4, .no_length = !slash};
	length = (int)ip_width(ip);
	if (slash)
		length = text_to_length(slash + 1, len - n - 1, length);
	if (length < 0)
		return "bad prefix length";
	ip->length = (uint8_t)length;
	if (ip->family == 4) {
		ip->bits.lo = read_word(bytes, 4);
		return NULL;
	}
	ip->bits = (struct u128){read_word(bytes, 8), read_word(bytes + 8, 8)};
	return unmap(ip);
}

size_t ip_write(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	uint8_t bytes[16];
	int family = ip->family == 6 ? AF_INET6 : AF_INET;

	if (ip->family == 4) {
		write_word(ip->bits.lo, bytes, 4);
	} else {
		write_word(ip->bits.hi, bytes, 8);
		write_word(ip->bits.lo, bytes + 8, 8);
	}
	size_t n = ip_to_groups(family, bytes, text);
	return ip->no_length ? n : n + length_to_text(ip->length, text + n);
}
