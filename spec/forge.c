/*
 * Sends netlink messages that look like the kernel's to a socket of somebody else in the same
 * namespace. Built by the spec that uses it.
 *
 *   forge PROTOCOL PORT GROUPS FIRST LAST HEX
 *
 * HEX are the bytes of one or more messages; they are sent once for each sequence number from FIRST
 * to LAST, which every message then bears. Prints how many were taken.
 */
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t read_hex(const char *hex, unsigned char *bytes, size_t room)
{
	size_t n = 0;
	unsigned byte;
	while (n < room && sscanf(hex + 2 * n, "%2x", &byte) == 1)
		bytes[n++] = (unsigned char)byte;
	return n;
}

static void number(unsigned char *bytes, size_t length, unsigned seq)
{
	for (size_t at = 0; at + NLMSG_HDRLEN <= length;) {
		struct nlmsghdr h;
		memcpy(&h, bytes + at, sizeof(h));
		h.nlmsg_seq = seq;
		memcpy(bytes + at, &h, sizeof(h));
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
}

int main(int argc, char **argv)
{
	unsigned char bytes[4096];
	if (argc != 7)
		return 2;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, atoi(argv[1]));
	struct sockaddr_nl to = {.nl_family = AF_NETLINK,
				 .nl_pid = (unsigned)strtoul(argv[2], NULL, 10),
				 .nl_groups = (unsigned)strtoul(argv[3], NULL, 10)};
	unsigned first = (unsigned)atoi(argv[4]), last = (unsigned)atoi(argv[5]), sent = 0;
	size_t length = read_hex(argv[6], bytes, sizeof(bytes));
	if (fd < 0 || length == 0)
		return 1;
	for (unsigned seq = first; seq <= last; seq++) {
		number(bytes, length, seq);
		sent += sendto(fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to)) > 0;
	}
	printf("%u\n", sent);
	return 0;
}
