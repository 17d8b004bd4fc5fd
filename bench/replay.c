/*
 * The practical limit: all messages are there before the clock starts, only sending is measured.
 *
 *   replay FILE add|replace|del keep|free      prints nanoseconds and refusals
 *
 * FILE holds messages without netlink header, each after its length (32 bits). `free` sends them in 16 stripes, the
 * order that costs the kernel's IPv4 table least.
 */
#include "bench.h"

enum { SEND_BYTES = 64 << 10, STRIPES = 16, ROOM = 4096 };

struct list {
	uint8_t *bytes;
	size_t *at, count, length;
};

static uint8_t *read_all(const char *path, size_t *length)
{
	FILE *f = fopen(path, "rb");
	if (!f || fseek(f, 0, SEEK_END) < 0)
		die(path);
	*length = (size_t)ftell(f);
	rewind(f);
	uint8_t *all = malloc(*length);
	if (!all || fread(all, 1, *length, f) != *length)
		die(path);
	fclose(f);
	return all;
}

/* Makes a deletion of a route: it names destination, table and metric, and leaves open what kind of route is there,
 * as `ip route del DESTINATION` does. Returns its bytes. */
static size_t make_deletion(uint8_t *payload, size_t length)
{
	struct rtmsg *r = (struct rtmsg *)(void *)payload;
	size_t kept = NLMSG_ALIGN(sizeof(*r));
	r->rtm_protocol = 0;
	r->rtm_type = 0;
	r->rtm_scope = RT_SCOPE_NOWHERE;
	for (size_t at = kept, size; at + NLA_HDRLEN <= length; at += size) {
		struct nlattr a;
		memcpy(&a, payload + at, sizeof(a));
		size = NLA_ALIGN(a.nla_len);
		if (a.nla_type != RTA_DST && a.nla_type != RTA_TABLE && a.nla_type != RTA_PRIORITY)
			continue;
		memmove(payload + kept, payload + at, size);
		kept += size;
	}
	return kept;
}

static struct list read_list(const char *path, uint16_t type, uint16_t flags)
{
	size_t length;
	uint8_t *file = read_all(path, &length);
	struct list l = {.bytes = calloc(1, 8 * length), .at = calloc(length / 16 + 1, sizeof(size_t))};
	if (!l.bytes || !l.at)
		die("memory");
	for (size_t from = 0; from + 4 <= length;) {
		uint32_t n;
		memcpy(&n, file + from, 4);
		uint8_t *payload = l.bytes + l.length + NLMSG_HDRLEN;
		memcpy(payload, file + from + 4, n);
		size_t size = type == RTM_DELROUTE ? make_deletion(payload, n) : n;
		struct nlmsghdr h = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + size), .nlmsg_type = type,
				     .nlmsg_flags = flags, .nlmsg_seq = (uint32_t)l.count + 1};
		l.at[l.count++] = l.length;
		memcpy(l.bytes + l.length, &h, sizeof(h));
		l.length += NLMSG_ALIGN(h.nlmsg_len);
		from += 4 + n;
	}
	free(file);
	return l;
}

/* The same messages in the order 0, 16, 32, ... 1, 17, ... */
static struct list striped(struct list l)
{
	struct list s = {.bytes = malloc(l.length), .at = calloc(l.count + 1, sizeof(size_t))};
	if (!s.bytes || !s.at)
		die("memory");
	for (size_t first = 0; first < STRIPES; first++) {
		for (size_t i = first; i < l.count; i += STRIPES) {
			uint32_t n;
			memcpy(&n, l.bytes + l.at[i], 4);
			s.at[s.count++] = s.length;
			memcpy(s.bytes + s.length, l.bytes + l.at[i], NLMSG_ALIGN(n));
			s.length += NLMSG_ALIGN(n);
		}
	}
	return s;
}

static size_t drain(struct mnl_socket *nl)
{
	static uint8_t buffer[64 << 10];
	size_t errors = 0;
	ssize_t n;
	while ((n = recv(mnl_socket_get_fd(nl), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0) {
		int left = (int)n;
		for (struct nlmsghdr *h = (void *)buffer; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			errors += h->nlmsg_type == NLMSG_ERROR;
	}
	return errors;
}

static size_t send_all(struct mnl_socket *nl, const struct list *l)
{
	size_t errors = 0;
	for (size_t i = 0; i < l->count;) {
		size_t from = l->at[i], first = i;
		while (i < l->count && i - first < ROOM &&
		       (i + 1 < l->count ? l->at[i + 1] : l->length) - from <= SEND_BYTES)
			i++;
		size_t end = i < l->count ? l->at[i] : l->length;
		if (mnl_socket_sendto(nl, l->bytes + from, end - from) < 0)
			die("send");
		errors += drain(nl);
	}
	return errors;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	bool del = strcmp(argv[2], "del") == 0, replace = strcmp(argv[2], "replace") == 0;
	uint16_t flags = NLM_F_REQUEST | (del ? 0 : replace ? NLM_F_CREATE | NLM_F_REPLACE : NLM_F_CREATE | NLM_F_EXCL);
	struct list l = read_list(argv[1], del ? RTM_DELROUTE : RTM_NEWROUTE, flags);
	if (strcmp(argv[3], "free") == 0)
		l = striped(l);
	struct mnl_socket *nl = open_socket();
	uint64_t start = now_ns();
	size_t errors = send_all(nl, &l);
	printf("%llu %zu\n", (unsigned long long)(now_ns() - start), errors);
	return errors ? 1 : 0;
}
