/*
 * Addresses as text. An own reader and writer, because inet_pton and inet_ntop print ::1.2.3.4
 * where the CNI plugins and RFC 5952 want ::102:304, and because this is run for every route.
 */
#include "ip/ip.h"

#include "common/addr.h"

#include <string.h>

#include "common/export.h"

struct reader {
	const char *at, *end;
};

static bool at_char(const struct reader *in, char c)
{
	return in->at < in->end && *in->at == c;
}

static bool skip_char(struct reader *in, char c)
{
	if (!at_char(in, c))
		return false;
	in->at++;
	return true;
}

/* A decimal number up to `max`; a leading zero is an error, because some read it as octal. */
static const char *read_decimal(struct reader *in, unsigned max, unsigned *value)
{
	const char *start = in->at;
	unsigned n = 0;

	while (in->at < in->end && *in->at >= '0' && *in->at <= '9') {
		n = n * 10 + (unsigned)(*in->at++ - '0');
		if (n > max)
			return "number out of range";
	}
	if (in->at == start)
		return "number expected";
	if (*start == '0' && in->at - start > 1)
		return "number with a leading zero";
	*value = n;
	return NULL;
}

static const char *read_v4(struct reader *in, uint64_t *bits)
{
	*bits = 0;
	for (int i = 0; i < 4; i++) {
		unsigned octet = 0;
		const char *wrong;

		if (i > 0 && !skip_char(in, '.'))
			return "four numbers expected";
		wrong = read_decimal(in, 255, &octet);
		if (wrong)
			return wrong;
		*bits = *bits << 8 | octet;
	}
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One to four hexadecimal digits; returns how many. */
static int read_group(struct reader *in, uint16_t *group)
{
	int digits = 0;

	for (*group = 0; in->at < in->end && hex_digit(*in->at) >= 0; digits++) {
		if (digits == 4)
			return 5;
		*group = (uint16_t)(*group << 4 | hex_digit(*in->at++));
	}
	return digits;
}

/* Groups up to the end or a strange character; `gap` is where the "::" was, -1 when nowhere. */
struct groups {
	uint16_t value[8];
	int count, gap;
};

/* The last 32 bits may be written the IPv4 way. */
static const char *read_tail(struct reader *in, struct groups *groups)
{
	uint64_t bits;
	const char *wrong;

	if (groups->count > 6)
		return "too many groups";
	wrong = read_v4(in, &bits);
	if (wrong)
		return wrong;
	groups->value[groups->count++] = (uint16_t)(bits >> 16);
	groups->value[groups->count++] = (uint16_t)bits;
	return NULL;
}

static const char *read_groups(struct reader *in, struct groups *groups)
{
	if (at_char(in, ':')) {
		in->at++;
		if (!at_char(in, ':'))
			return "a single colon at the start";
		in->at++;
		groups->gap = 0;
	}
	while (in->at < in->end && *in->at != '/') {
		const char *start = in->at;
		int digits;

		if (groups->count == 8)
			return "too many groups";
		digits = read_group(in, &groups->value[groups->count]);
		if (at_char(in, '.')) {
			in->at = start;
			return read_tail(in, groups);
		}
		if (digits == 0)
			return at_char(in, '%') ? "zone not allowed" : "hexadecimal digit expected";
		if (digits > 4)
			return "more than four digits in a group";
		groups->count++;
		if (in->at == in->end || *in->at == '/')
			break;
		if (!skip_char(in, ':'))
			return at_char(in, '%') ? "zone not allowed" : "colon expected";
		if (skip_char(in, ':')) {
			if (groups->gap >= 0)
				return "\"::\" twice";
			groups->gap = groups->count;
		} else if (in->at == in->end || *in->at == '/') {
			return "a single colon at the end";
		}
	}
	return NULL;
}

static const char *read_v6(struct reader *in, struct u128 *bits)
{
	struct groups groups = {.gap = -1};
	const char *wrong = read_groups(in, &groups);
	int missing = 8 - groups.count;

	if (wrong)
		return wrong;
	if (groups.gap < 0 && missing > 0)
		return "too few groups";
	if (groups.gap >= 0 && missing == 0)
		return "\"::\" stands for nothing";
	for (int i = 0, from = 0; i < 8; i++) {
		bool filled = groups.gap >= 0 && i >= groups.gap && i < groups.gap + missing;
		uint16_t group = filled ? 0 : groups.value[from++];

		bits->hi = bits->hi << 16 | bits->lo >> 48;
		bits->lo = bits->lo << 16 | group;
	}
	return NULL;
}

static const char *read_length(struct reader *in, struct ip *ip)
{
	int length;

	if (in->at == in->end)
		return NULL;
	if (!skip_char(in, '/'))
		return "unexpected text after the address";
	length = text_to_length(in->at, (size_t)(in->end - in->at), (int)ip_width(ip));
	if (length < 0)
		return "bad prefix length";
	ip->length = (uint8_t)length;
	ip->bare = false;
	return NULL;
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
	struct reader in = {text, text + len};
	const char *wrong;

	*ip = (struct ip){.family = memchr(text, ':', len) ? 6 : 4, .bare = true};
	ip->length = (uint8_t)ip_width(ip);
	if (ip->family == 4)
		wrong = read_v4(&in, &ip->bits.lo);
	else
		wrong = read_v6(&in, &ip->bits);
	if (!wrong)
		wrong = read_length(&in, ip);
	if (!wrong && ip->family == 6)
		wrong = unmap(ip);
	return wrong;
}

static char *write_decimal(char *out, unsigned value)
{
	if (value >= 100)
		*out++ = (char)('0' + value / 100);
	if (value >= 10)
		*out++ = (char)('0' + value / 10 % 10);
	*out++ = (char)('0' + value % 10);
	return out;
}

static char *write_v4(char *out, uint64_t bits)
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		out = write_decimal(out, (unsigned)(bits >> shift) & 0xff);
		*out++ = '.';
	}
	return out - 1;
}

static char *write_group(char *out, unsigned group)
{
	int shift = 12;

	while (shift > 0 && group >> shift == 0)
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[group >> shift & 0xf];
	return out;
}

/* The first of the longest runs of zero groups, at least two long; returns its length. */
static int longest_gap(const uint16_t groups[8], int *start)
{
	int best = 1;

	for (int i = 0; i < 8; i++) {
		int run = 0;

		while (i + run < 8 && groups[i + run] == 0)
			run++;
		if (run > best) {
			best = run;
			*start = i;
		}
		i += run;
	}
	return best > 1 ? best : 0;
}

static char *write_v6(char *out, struct u128 bits)
{
	uint16_t groups[8];
	int start = 8, gap;

	for (int i = 0; i < 4; i++) {
		groups[i] = (uint16_t)(bits.hi >> (48 - 16 * i));
		groups[i + 4] = (uint16_t)(bits.lo >> (48 - 16 * i));
	}
	gap = longest_gap(groups, &start);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			*out++ = ':';
			*out++ = ':';
			i += gap - 1;
			continue;
		}
		if (i > 0 && i != start + gap)
			*out++ = ':';
		out = write_group(out, groups[i]);
	}
	return out;
}

size_t ip_write(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	char *out = text;

	if (ip->family == 4)
		out = write_v4(out, ip->bits.lo);
	else
		out = write_v6(out, ip->bits);
	if (!ip->bare) {
		*out++ = '/';
		out = write_decimal(out, ip->length);
	}
	*out = '\0';
	return (size_t)(out - text);
}
