/*
 * Replaces getaddrinfo in a static executable with pools (--wrap): it accepts addresses alone,
 * since resolving names needs the shared C library.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/export.h"

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		       struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *list);
struct hostent *__wrap_gethostbyname(const char *name);

/* One entry with its address in the same block. */
static int entry(int family, const void *address, size_t size, struct addrinfo **found)
{
	struct addrinfo *one = calloc(1, sizeof(*one) + size);

	if (!one)
		return EAI_MEMORY;
	one->ai_family = family;
	one->ai_socktype = SOCK_STREAM;
	one->ai_addrlen = (socklen_t)size;
	one->ai_addr = (struct sockaddr *)(one + 1);
	memcpy(one->ai_addr, address, size);
	*found = one;
	return 0;
}

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
		       struct addrinfo **found)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	in_port_t number = htons((uint16_t)strtoul(port ? port : "0", NULL, 10));

	(void)hints;
	v4.sin_port = number;
	v6.sin6_port = number;
	if (host && inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return entry(AF_INET, &v4, sizeof(v4), found);
	if (host && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		return entry(AF_INET6, &v6, sizeof(v6), found);
	return EAI_NONAME;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
	free(list);
}

struct hostent *__wrap_gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}
