/*
 * Whatever comes in answer to a probe is read within its bytes, and what is taken for a control
 * packet of BFD is written again as it came.
 * MODULE: sys
 */
#include "sys/probe_packet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_bfd(const uint8_t *data, size_t size)
{
	struct probe_bfd packet, same;
	uint8_t out[PROBE_BFD_SIZE];

	if (!probe_read_bfd(data, size, &packet))
		return;
	probe_write_bfd(out, &packet);
	/* we never say that the control plane is independent, nor ask for demand mode */
	if (!probe_read_bfd(out, sizeof(out), &same) || same.mine != packet.mine ||
	    same.yours != packet.yours || same.state != packet.state ||
	    same.multiplier != packet.multiplier || same.desired_tx != packet.desired_tx ||
	    same.required_rx != packet.required_rx)
		abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct probe_echo echo;
	uint8_t address[16], mac[PROBE_MAC];

	if (probe_read_echo(data, size, AF_INET, &echo) && size < 28)
		abort();
	if (probe_read_echo(data, size, AF_INET6, &echo) && size < 8)
		abort();
	if (probe_read_arp(data, size, address, mac) && memcmp(address, data + 14, 4) != 0)
		abort();
	if (probe_read_na(data, size, address) && memcmp(address, data + 8, 16) != 0)
		abort();
	check_bfd(data, size);
	return 0;
}
