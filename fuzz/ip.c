/*
 * Whatever text ip_read takes, ip_write gives back as a fixed point, within its buffer.
 * MODULE: ip
 */
#include "ip/ip.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char text[IP_TEXT_SIZE], again[IP_TEXT_SIZE];
	struct ip ip, same;
	size_t len;

	if (ip_read(&ip, (const char *)data, size))
		return 0;
	len = ip_write(&ip, text);
	if (len >= sizeof(text) || ip_read(&same, text, len) || ip_compare(&ip, &same) != 0)
		abort();
	if (ip_write(&same, again) != len || memcmp(text, again, len) != 0)
		abort();
	return 0;
}
