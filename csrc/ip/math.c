/*
 * Adds, compares and masks addresses of both families in 128 bits.
 */
#include "ip/ip.h"

#include "common/export.h"

struct u128 u128_add(struct u128 a, struct u128 b)
{
	struct u128 sum = {a.hi + b.hi, a.lo + b.lo};

	sum.hi += sum.lo < a.lo;
	return sum;
}

struct u128 u128_sub(struct u128 a, struct u128 b)
{
	struct u128 rest = {a.hi - b.hi, a.lo - b.lo};

	rest.hi -= a.lo < b.lo;
	return rest;
}

int u128_compare(struct u128 a, struct u128 b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	if (a.lo != b.lo)
		return a.lo < b.lo ? -1 : 1;
	return 0;
}

struct u128 u128_power(unsigned n)
{
	if (n < 64)
		return (struct u128){0, UINT64_C(1) << n};
	return (struct u128){UINT64_C(1) << (n - 64), 0};
}

struct u128 u128_hosts(unsigned width, unsigned length)
{
	const struct u128 one = {0, 1};

	if (width - length == 128)
		return (struct u128){UINT64_MAX, UINT64_MAX};
	return u128_sub(u128_power(width - length), one);
}

static struct u128 host_bits(const struct ip *ip)
{
	return u128_hosts(ip_width(ip), ip->length);
}

struct ip ip_network(const struct ip *ip)
{
	struct u128 hosts = host_bits(ip);
	struct ip network = *ip;

	network.bits.hi &= ~hosts.hi;
	network.bits.lo &= ~hosts.lo;
	network.no_length = false;
	return network;
}

static struct ip without_length(struct ip ip)
{
	ip.length = (uint8_t)ip_width(&ip);
	ip.no_length = true;
	return ip;
}

struct ip ip_first(const struct ip *ip)
{
	return without_length(ip_network(ip));
}

struct ip ip_last(const struct ip *ip)
{
	struct u128 hosts = host_bits(ip);
	struct ip last = *ip;

	last.bits.hi |= hosts.hi;
	last.bits.lo |= hosts.lo;
	return without_length(last);
}

bool ip_contains(const struct ip *outer, const struct ip *inner)
{
	struct u128 hosts = host_bits(outer);

	return outer->family == inner->family && outer->length <= inner->length &&
	       ((outer->bits.hi ^ inner->bits.hi) & ~hosts.hi) == 0 &&
	       ((outer->bits.lo ^ inner->bits.lo) & ~hosts.lo) == 0;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
	int order = u128_compare(a->bits, b->bits);

	if (a->family != b->family)
		return a->family - b->family;
	return order ? order : a->length - b->length;
}
