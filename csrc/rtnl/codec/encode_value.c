/*
 * Encodes fields of one value: numbers, words, addresses, names of interfaces. One function for
 * each type.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include "common/addr.h"
#include "common/netns.h"
#include "rtnl/netlink/ifname.h"
#include "rtnl/netlink/socket.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

static void store(struct encoder *e, const struct cursor *p, const struct field *f, uint64_t value)
{
	bool big = f->flags & F_BE;
	if (f->flags & F_HEADER)
		store_uint(header_of(e, p->header) + f->offset, value, f->size, big);
	else
		store_uint(put_room(e, f->attr, f->size), value, f->size, big);
}

/* A whole number within 0..max, or a word of the field. */
uint64_t check_uint(struct encoder *e, const struct field *f, const struct value *v, uint64_t max)
{
	lua_State *L = e->L;
	lua_Integer n;
	if (f->words && is_text(v)) {
		const struct word *w = word_by_name(f->words, v->text);
		if (w)
			return w->value;
		if (!lua_stringtonumber(L, v->text))
			fail(e, f->key, "%s is not a known word", shown(e, v));
		struct value number = lua_value(L, lua_gettop(L));
		return check_uint(e, f, &number, max);
	}
	if (v->type != VALUE_INTEGER && v->type != VALUE_NUMBER)
		fail(e, f->key, "integer expected, got %s", type_name(e, v));
	if (!whole_number(v, &n))
		fail(e, f->key, "integer expected, got %s", shown(e, v));
	if (n < 0 || (uint64_t)n > max) {
		lua_pushfstring(L, "%I", (LUAI_UACINT)max);
		const char *limit = lua_tostring(L, -1);
		fail(e, f->key, "%I is outside 0..%s", (LUAI_UACINT)n, limit);
	}
	return (uint64_t)n;
}

static uint64_t size_max(const struct field *f)
{
	if (f->type == FIELD_INT && f->mask)
		return f->mask;
	return f->size >= 8 ? (uint64_t)LUA_MAXINTEGER : ((uint64_t)1 << 8 * f->size) - 1;
}

static bool check_bool(struct encoder *e, const struct field *f, const struct value *v)
{
	expect(e, f, v, VALUE_BOOLEAN, "boolean");
	return v->integer;
}

void put_int(struct encoder *e, const struct cursor *p, const struct field *f,
	     const struct value *v)
{
	store(e, p, f, check_uint(e, f, v, size_max(f)));
}

void put_signed(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	lua_Integer n;
	if (f->words && is_text(v)) {
		put_int(e, p, f, v);
		return;
	}
	if (!whole_number(v, &n) || n < INT32_MIN || n > INT32_MAX)
		fail(e, f->key, "integer expected, got %s", shown(e, v));
	store(e, p, f, (uint64_t)n);
}

void put_scaled(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	if (v->type != VALUE_INTEGER)
		expect(e, f, v, VALUE_NUMBER, "number");
	lua_Number n = v->type == VALUE_INTEGER ? (lua_Number)v->integer : v->number;
	n *= f->mask;
	if (!(n >= 0 && n <= 4294967295.0))
		fail(e, f->key, "%s is out of range", shown(e, v));
	store(e, p, f, (uint64_t)(n + 0.5));
}

void put_units(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	uint64_t n = check_uint(e, f, v, (uint64_t)f->whole * f->mask);
	if (n % f->mask)
		fail(e, f->key, "%I is no multiple of %d", (LUAI_UACINT)n, (int)f->mask);
	store(e, p, f, n / f->mask);
}

/* A number at `text`, also as 0x5; where it ends, or NULL where there is none within the limit. */
static const char *read_number(const char *text, unsigned long max, unsigned long *to)
{
	char *end;
	errno = 0;
	*to = strtoul(text, &end, 0);
	return *text >= '0' && *text <= '9' && !errno && *to <= max ? end : NULL;
}

/* Two numbers with a mark between them, and nothing else. */
static bool read_pair(const char *text, char between, unsigned long max, unsigned long *first,
		      unsigned long *second)
{
	const char *end = read_number(text, max, first);
	end = end && *end == between ? read_number(end + 1, max, second) : NULL;
	return end && !*end;
}

/* "1/3" */
void put_ratio(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	unsigned long part, whole;
	(void)p;
	expect(e, f, v, VALUE_TEXT, "text like 1/3");
	if (!read_pair(v->text, '/', 999999999, &part, &whole))
		fail(e, f->key, "%s is not like 1/3", shown(e, v));
	store_uint(put_room(e, f->attr, f->size), part, f->size, false);
	store_uint(put_room(e, f->offset, f->size), whole, f->size, false);
}

void put_bytes(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	size_t length = v->length;
	const char *text = v->text;
	(void)p;
	expect(e, f, v, VALUE_TEXT, "hexadecimal digits");
	if (length % 2 || strspn(text, "0123456789abcdefABCDEF") != length)
		fail(e, f->key, "%s is not two hexadecimal digits a byte", shown(e, v));
	uint8_t *bytes = buffer_room(e->L, e->out, length / 2);
	for (size_t i = 0; i < length / 2; i++) {
		char pair[3] = {text[2 * i], text[2 * i + 1], 0};
		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

void put_hex(struct encoder *e, const struct cursor *p, const struct field *f,
	     const struct value *v)
{
	struct value number = *v;
	if (is_text(v) && lua_stringtonumber(e->L, v->text))
		number = lua_value(e->L, lua_gettop(e->L));
	put_int(e, p, f, &number);
}

static void or_bits(struct encoder *e, const struct cursor *p, const struct field *f, uint32_t bits)
{
	uint8_t *at = f->flags & F_HEADER ? header_of(e, p->header) + f->offset
					  : written(e, p->attrs, f->attr);
	if (!at)
		at = put_room(e, f->attr, f->size);
	bool big = f->flags & F_BE;
	store_uint(at, read_uint(at, f->size, big) | bits, f->size, big);
	if ((f->flags & F_HEADER) &&
	    f->attr) { /* a link's flags come with the mask of those that are meant */
		uint8_t *change = header_of(e, p->header) + f->attr;
		store_uint(change, read_uint(change, 4, false) | f->mask, 4, false);
	}
}

void put_bit(struct encoder *e, const struct cursor *p, const struct field *f,
	     const struct value *v)
{
	or_bits(e, p, f, check_bool(e, f, v) ? f->mask : 0);
}

void put_bits(struct encoder *e, const struct cursor *p, const struct field *f,
	      const struct value *v)
{
	uint32_t bits = 0;
	struct value one;
	if (!has_fields(v))
		unexpected(e, f, v, "list of words");
	for (struct elements it = elements_of(e, v); next_element(e, &it, f->key, &one);) {
		if (is_text(&one))
			check_text(e, f->key, &one);
		const struct word *w = is_text(&one) ? word_by_name(f->words, one.text) : NULL;
		if (!w)
			fail(e, f->key, "%s is not a known word", shown(e, &one));
		bits |= w->value;
	}
	store(e, p, f, bits);
}

void put_option(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	uint8_t *at = written(e, p->attrs, f->attr);
	uint32_t on = check_uint(e, f, v, 1) ? f->mask : 0;
	if (!at)
		at = put_room(e, f->attr, 2 * (size_t)f->size);
	store_uint(at, read_uint(at, f->size, false) | on, f->size, false);
	at += f->size;
	store_uint(at, read_uint(at, f->size, false) | f->mask, f->size, false);
}

void put_ttl(struct encoder *e, const struct cursor *p, const struct field *f,
	     const struct value *v)
{
	if (!is_word(v, "inherit")) {
		put_int(e, p, f, v);
		return;
	}
	put_room(e, f->offset, 0);
	store(e, p, f, 0);
}

void put_flag(struct encoder *e, const struct cursor *p, const struct field *f,
	      const struct value *v)
{
	(void)p;
	if (check_bool(e, f, v))
		put_room(e, f->attr, 0);
}

void put_boolean(struct encoder *e, const struct cursor *p, const struct field *f,
		 const struct value *v)
{
	store(e, p, f, check_bool(e, f, v));
}

/* Whether a name selects a link, so that it may be an altname, instead of naming a new one. */
static bool finds_link(const struct encoder *e, const struct field *f)
{
	return (e->verb == VERB_GET || e->verb == VERB_DEL) && e->depth == 0 &&
	       f->attr == IFLA_IFNAME && same_text(f->key, "name");
}

void put_string(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	(void)p;
	expect(e, f, v, VALUE_TEXT, "string");
	size_t room = f->size ? f->size : 256;
	uint16_t attr = f->attr;
	if (v->length + 1 > room && finds_link(e, f)) {
		attr = IFLA_ALT_IFNAME;
		room = ALT_NAME_SIZE;
	}
	if (v->length + 1 > room)
		fail(e, f->key, "'%s' is longer than %d bytes", v->text, (int)room - 1);
	put(e, attr, v->text, v->length + 1);
}

/* Text of an address -> family and bytes; raises. `size` 4 or 16 demands that family. */
static int check_address(struct encoder *e, const struct field *f, const struct value *v,
			 size_t from, size_t length, uint8_t out[16])
{
	const char *text = v->text + from;
	int family = text_to_ip(text, length, out);
	if (family)
		return family;
	check_text(e, f->key, v);
	fail(e, f->key, "'%s' is not an address", text);
}

static const char *family_name(int family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

void put_address(struct encoder *e, const struct cursor *p, const struct field *f,
		 const struct value *v)
{
	uint8_t bytes[16];
	size_t length = v->length;
	const char *text = v->text;
	(void)p;
	expect(e, f, v, VALUE_TEXT, "address");
	if (f->flags & F_SIGN && e->verb != VERB_DUMP && length == 1 && strchr("+-", *text)) {
		put(e, f->attr, text, 1); /* addr_defaults replaces it, once the prefix is known */
		return;
	}
	int family = check_address(e, f, v, 0, length, bytes);
	int want = f->size == 4 ? AF_INET : f->size == 16 ? AF_INET6 : e->family;
	if (f->size && family != want && *f[1].key && strcmp(f[1].key, f->key) == 0)
		f++, want = family; /* the next field is this one for the other family */
	if (family != want)
		fail(e, f->key, "'%s' is %s, %s expected", text, family_name(family),
		     family_name(want));
	put(e, f->attr, bytes, address_size(family));
}

static int check_length(struct encoder *e, const struct field *f, const char *text,
			const char *slash, int bits)
{
	int length = text_to_length(slash + 1, strlen(slash + 1), bits);
	if (length < 0)
		fail(e, f->key, "'%s': the length after '/' must be 0..%d", text, bits);
	return length;
}

/* "default", "10.0.0.0/8", "10.0.0.1": host bits are kept in addresses and masked in destinations.
 */
void put_prefix(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	uint8_t bytes[16] = {0};
	size_t size = v->length;
	const char *text = v->text;
	expect(e, f, v, VALUE_TEXT, "prefix");
	if ((*text == 'd' || *text == 'a') &&
	    (strcmp(text, "default") == 0 || strcmp(text, "all") == 0 || strcmp(text, "any") == 0))
		return;
	const char *slash = memchr(text, '/', size);
	int family = check_address(e, f, v, 0, slash ? (size_t)(slash - text) : size, bytes);
	if (family != e->family)
		fail(e, f->key, "'%s' is %s in an %s %s", text, family_name(family),
		     family_name(e->family), e->depth ? "part" : "request");
	int bits = 8 * (int)address_size(family);
	int length = slash ? check_length(e, f, text, slash, bits) : bits;
	header_of(e, p->header)[f->offset] = (uint8_t)length;
	if (f->attr != IFA_LOCAL &&
	    strcmp(f->key, "peer") != 0) /* an address keeps its host part */
		mask_bytes(bytes, address_size(family), (unsigned)length);
	if (length > 0 || f->attr == IFA_LOCAL)
		put(e, f->attr, bytes, address_size(family));
}

/* RTA_GATEWAY, or for an IPv4 route with an IPv6 next hop RTA_VIA. */
void put_via(struct encoder *e, const struct cursor *p, const struct field *f,
	     const struct value *v)
{
	uint8_t bytes[2 + 16];
	(void)p;
	expect(e, f, v, VALUE_TEXT, "address");
	const char *text = v->text;
	bool other = *text == 'i' && strncmp(text, "inet6 ", 6) == 0;
	size_t from = other ? 6 : 0;
	int family = check_address(e, f, v, from, v->length - from, bytes + 2);
	if (family == e->family && !(other && family == AF_INET)) {
		put(e, f->attr, bytes + 2, address_size(family));
	} else if (family == AF_INET6 && f->offset) {
		uint16_t number = AF_INET6;
		memcpy(bytes, &number, sizeof(number));
		put(e, f->offset, bytes, sizeof(bytes));
	} else {
		fail(e, f->key, "'%s' is %s, the route is %s", text + from, family_name(family),
		     family_name(e->family));
	}
}

void put_lladdr(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	uint8_t bytes[32];
	(void)p;
	expect(e, f, v, VALUE_TEXT, "hardware address");
	int n = text_to_lladdr(v->text, v->length, bytes, sizeof(bytes));
	if (n < 0)
		fail(e, f->key, "'%s' is not a hardware address", v->text);
	put(e, f->attr, bytes, (size_t)n);
}

/* The number of the link that the message before named, or the field before, or 0. */
static inline uint32_t same_link(const struct encoder *e, const struct value *v)
{
	bool same = v->length < sizeof(e->link) && memcmp(e->link, v->text, v->length + 1) == 0;
	return same ? e->link_index : 0;
}

/* Asks for the number of a link, once for names one after the other. */
static uint32_t find_link(struct encoder *e, const struct value *v)
{
	bool found;
	uint32_t index = ifnames_index(e->L, e->names, v->text, &found);
	if (!found && !e->missing_errno) {
		e->missing_errno = errno;
		e->missing = "device";
	}
	if (found && v->length < sizeof(e->link)) {
		memcpy(e->link, v->text, v->length + 1);
		e->link_index = index;
	}
	return index;
}

void put_ifindex(struct encoder *e, const struct cursor *p, const struct field *f,
		 const struct value *v)
{
	uint32_t index = 0;
	if (is_text(v) && (index = same_link(e, v))) {
		store(e, p, f, index);
		return;
	}
	if (v->type == VALUE_BOOLEAN && !v->integer) { /* master = false: none */
		index = 0;
	} else if (v->type == VALUE_INTEGER) {
		index = (uint32_t)check_uint(e, f, v, INT32_MAX);
	} else {
		expect(e, f, v, VALUE_TEXT, "name of an interface");
		if (v->length == 0 || v->length >= ALT_NAME_SIZE)
			fail(e, f->key, "'%s' is no name of an interface: 1 to %d bytes", v->text,
			     ALT_NAME_SIZE - 1);
		index = find_link(e, v);
	}
	store(e, p, f, index);
}

void put_weight(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	lua_Integer n;
	if (!whole_number(v, &n))
		fail(e, f->key, "integer expected, got %s", shown(e, v));
	lua_Integer most = f->size == 1 ? 256 : UINT16_MAX;
	if (n < 1 || n > most)
		fail(e, f->key, "%I is outside 1..%I", (LUAI_UACINT)n, (LUAI_UACINT)most);
	store_uint(header_of(e, p->header) + f->offset, (uint64_t)n - 1, f->size, false);
}

void put_table(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	uint32_t table = (uint32_t)check_uint(e, f, v, UINT32_MAX);
	header_of(e, p->header)[f->offset] = (uint8_t)(table < 256 ? table : RT_TABLE_UNSPEC);
	if (table >= 256)
		put(e, f->attr, &table, sizeof(table));
}

/* 5, or "7/5": from and to */
void put_realm(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	unsigned long from, to;
	if (!is_text(v) || !strchr(v->text, '/')) {
		put_hex(e, p, f, v);
		return;
	}
	if (!read_pair(v->text, '/', UINT16_MAX, &from, &to))
		fail(e, f->key, "%s is no realm like 5 or 7/5", shown(e, v));
	store(e, p, f, (uint64_t)from << 16 | (uint64_t)to);
}

/* 5, "5", or "1-100" */
void put_range(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	unsigned long first, last, max = (unsigned long)size_max(f);
	(void)p;
	const char *text = is_text(v) ? v->text : shown(e, v);
	const char *end = read_number(text, max, &first);
	if (end && !*end)
		last = first;
	else if (!read_pair(text, '-', max, &first, &last) || first > last)
		fail(e, f->key, "'%s' is not a range like 1-100", text);
	uint8_t *room = put_room(e, f->attr, 2 * (size_t)f->size);
	store_uint(room, first, f->size, f->flags & F_BE);
	store_uint(room + f->size, last, f->size, f->flags & F_BE);
}

void put_member(struct encoder *e, const struct cursor *p, const struct field *f,
		const struct value *v)
{
	uint32_t value = UINT32_MAX; /* for ever */
	if (!is_word(v, "forever"))
		value = (uint32_t)check_uint(e, f, v, UINT32_MAX);
	uint8_t *at = written(e, p->attrs, f->attr);
	if (!at) {
		at = put_room(e, f->attr, f->whole);
		memset(at, 0xff, 8); /* members not given: for ever */
	}
	memcpy(at + f->offset, &value, sizeof(value));
}

/* The path, name or pid of a namespace -> a descriptor that stays open until the message is sent.
 */
void put_netns(struct encoder *e, const struct cursor *p, const struct field *f,
	       const struct value *v)
{
	int32_t fd = -1;
	(void)p;
	const char *ref = is_text(v) ? v->text : shown(e, v);
	if (e->netns_fds) {
		int i = 0;
		while (i < NETNS_FDS_MAX && e->netns_fds[i] >= 0)
			i++;
		if (i == NETNS_FDS_MAX)
			fail(e, f->key, "more than %d namespaces in one request", NETNS_FDS_MAX);
		fd = e->netns_fds[i] = netns_open(ref);
		if (fd < 0 && !e->missing_errno) {
			e->missing_errno = errno;
			e->missing = "namespace";
			snprintf(e->missing_netns, sizeof(e->missing_netns), "%s", ref);
		}
	}
	put(e, f->attr, &fd, sizeof(fd));
}
