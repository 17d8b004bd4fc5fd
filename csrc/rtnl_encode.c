/*
 * Lua tables -> messages, driven by the rows. The caller's table is walked, not the schema, so that a key no
 * row has is an error; the rows found are then written in row order, so that one table gives one sequence of bytes.
 */
#define _GNU_SOURCE
#include "rtnl.h"
#include "netns.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/nexthop.h>
#include <linux/seg6.h>
#include <linux/seg6_iptunnel.h>
#include <string.h>
#include <sys/socket.h>

enum { ATTR_MAX = 65535, SELECTOR = 63 /* stands for the `type` of an encapsulation, which has no row */ };

/* --- errors with the path of the field --------------------------------------------------------------------- */

/* Raises "nexthops[2].via: MESSAGE"; the message is the format applied. */
static _Noreturn void fail(struct encoder *e, const char *key, const char *format, ...)
{
	lua_State *L = e->L;
	luaL_Buffer b;
	va_list args;

	va_start(args, format);
	lua_pushvfstring(L, format, args);
	va_end(args);
	int message = lua_gettop(L);
	luaL_buffinit(L, &b);
	for (int i = 0; i < e->depth; i++) {
		if (i > 0)
			luaL_addchar(&b, '.');
		luaL_addstring(&b, e->path[i].key);
		if (e->path[i].index > 0) {
			lua_pushfstring(L, "[%d]", e->path[i].index);
			luaL_addvalue(&b);
		}
	}
	if (key) {
		if (e->depth > 0)
			luaL_addchar(&b, '.');
		luaL_addstring(&b, key);
	}
	if (key || e->depth > 0)
		luaL_addstring(&b, ": ");
	lua_pushvalue(L, message);
	luaL_addvalue(&b);
	luaL_pushresult(&b);
	throw_at_caller(L);
}

static void enter(struct encoder *e, const char *key, int index)
{
	if (e->depth == (int)(sizeof(e->path) / sizeof(e->path[0])))
		fail(e, key, "nested too deeply");
	e->path[e->depth++] = (struct step){key, index};
	luaL_checkstack(e->L, 12, "nested too deeply");
}

static void leave(struct encoder *e)
{
	e->depth--;
}

/* The value on top of the stack as text for a message: strings quoted. [v] -> [v, text] */
static const char *shown(struct encoder *e)
{
	if (lua_type(e->L, -1) == LUA_TSTRING)
		return lua_pushfstring(e->L, "'%s'", lua_tostring(e->L, -1));
	return luaL_tolstring(e->L, -1, NULL);
}

static void expect(struct encoder *e, const struct field *f, int type, const char *what)
{
	if (lua_type(e->L, -1) != type)
		fail(e, f->key, "%s expected, got %s", what, luaL_typename(e->L, -1));
}

/* --- attributes --------------------------------------------------------------------------------------------- */

static uint8_t *put_room(struct encoder *e, uint16_t type, size_t length)
{
	uint8_t *room = arena_reserve(e->L, e->out, NLA_HDRLEN + NLA_ALIGN(length));
	struct nlattr attr = {.nla_len = (uint16_t)(NLA_HDRLEN + length), .nla_type = type};
	memcpy(room, &attr, sizeof(attr));
	return room + NLA_HDRLEN;
}

static void put(struct encoder *e, uint16_t type, const void *data, size_t length)
{
	memcpy(put_room(e, type, length), data, length);
}

static size_t open_attr(struct encoder *e, uint16_t type)
{
	put_room(e, type, 0);
	return e->out->length - NLA_HDRLEN;
}

static void close_attr(struct encoder *e, size_t at, const char *key)
{
	size_t length = e->out->length - at;
	if (length > ATTR_MAX)
		fail(e, key, "takes %d bytes, more than the 65535 a message has room for", (int)length);
	uint16_t n = (uint16_t)length;
	memcpy(e->out->base + at, &n, sizeof(n));
}

static uint8_t *header_of(struct encoder *e, size_t at)
{
	return e->out->base + at;
}

/* An attribute of this type already written since `from`, or NULL: flags and structures share one. */
static uint8_t *written(struct encoder *e, size_t from, uint16_t type)
{
	while (from + NLA_HDRLEN <= e->out->length) {
		struct nlattr attr;
		memcpy(&attr, e->out->base + from, sizeof(attr));
		if ((attr.nla_type & NLA_TYPE_MASK) == type)
			return e->out->base + from + NLA_HDRLEN;
		from += NLA_ALIGN(attr.nla_len);
	}
	return NULL;
}

static void store_uint(uint8_t *to, uint64_t value, size_t size, bool big)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * (big ? size - 1 - i : i));
}

/* --- kinds -------------------------------------------------------------------------------------------------- */

/* What a table gives: its rows, and where on the stack the value of each lies. */
struct given {
	uint64_t rows;
	int top;           /* of the stack before the values */
	int at[64];
};

/* The place a value goes to. */
struct place {
	size_t header; /* offset in the arena of the header in force */
	size_t attrs;  /* offset in the arena of its first attribute */
	int table;     /* stack index of the Lua table being written */
};

static void store(struct encoder *e, const struct place *p, const struct field *f, uint64_t value)
{
	bool big = f->flags & F_BE;
	if (f->flags & F_HEADER)
		store_uint(header_of(e, p->header) + f->offset, value, f->size, big);
	else
		store_uint(put_room(e, f->attr, f->size), value, f->size, big);
}

/* A whole number within 0..max, or a word of the row. */
static uint64_t check_uint(struct encoder *e, const struct field *f, uint64_t max)
{
	lua_State *L = e->L;
	int exact;
	if (f->words && lua_type(L, -1) == LUA_TSTRING) {
		const struct word *w = word_by_name(f->words, lua_tostring(L, -1));
		if (w)
			return w->value;
	}
	if (f->words ? !lua_isnumber(L, -1) : lua_type(L, -1) != LUA_TNUMBER) {
		if (f->words && lua_type(L, -1) == LUA_TSTRING)
			fail(e, f->key, "%s is not a known word", shown(e));
		fail(e, f->key, "integer expected, got %s", luaL_typename(L, -1));
	}
	lua_Integer n = lua_tointegerx(L, -1, &exact);
	if (!exact)
		fail(e, f->key, "integer expected, got %s", shown(e));
	if (n < 0 || (uint64_t)n > max) {
		lua_pushfstring(L, "%I", (LUAI_UACINT)max);
		const char *limit = lua_tostring(L, -1);
		fail(e, f->key, "%I is outside 0..%s", (LUAI_UACINT)n, limit);
	}
	return (uint64_t)n;
}

static uint64_t size_max(const struct field *f)
{
	if (f->kind == K_INT && f->mask)
		return f->mask;
	return f->size >= 8 ? (uint64_t)LUA_MAXINTEGER : ((uint64_t)1 << 8 * f->size) - 1;
}

static bool check_bool(struct encoder *e, const struct field *f)
{
	expect(e, f, LUA_TBOOLEAN, "boolean");
	return lua_toboolean(e->L, -1);
}

static void put_int(struct encoder *e, const struct place *p, const struct field *f)
{
	store(e, p, f, check_uint(e, f, size_max(f)));
}

static void put_signed(struct encoder *e, const struct place *p, const struct field *f)
{
	int exact;
	lua_Integer n = lua_tointegerx(e->L, -1, &exact);
	if (!exact || n < INT32_MIN || n > INT32_MAX)
		fail(e, f->key, "integer expected, got %s", shown(e));
	store(e, p, f, (uint64_t)n);
}

static void put_scaled(struct encoder *e, const struct place *p, const struct field *f)
{
	expect(e, f, LUA_TNUMBER, "number");
	lua_Number n = lua_tonumber(e->L, -1) * f->mask;
	if (!(n >= 0 && n <= 4294967295.0))
		fail(e, f->key, "%s is out of range", shown(e));
	store(e, p, f, (uint64_t)(n + 0.5));
}

static void put_hex(struct encoder *e, const struct place *p, const struct field *f)
{
	if (lua_type(e->L, -1) == LUA_TSTRING && lua_stringtonumber(e->L, lua_tostring(e->L, -1)))
		lua_replace(e->L, -2);
	put_int(e, p, f);
}

static void or_bits(struct encoder *e, const struct place *p, const struct field *f, uint32_t bits)
{
	uint8_t *at = f->flags & F_HEADER ? header_of(e, p->header) + f->offset : written(e, p->attrs, f->attr);
	if (!at)
		at = put_room(e, f->attr, f->size);
	bool big = f->flags & F_BE;
	store_uint(at, read_uint(at, f->size, big) | bits, f->size, big);
	if ((f->flags & F_HEADER) && f->attr) { /* a link's flags come with the mask of those that are meant */
		uint8_t *change = header_of(e, p->header) + f->attr;
		store_uint(change, read_uint(change, 4, false) | f->mask, 4, false);
	}
}

static void put_bit(struct encoder *e, const struct place *p, const struct field *f)
{
	or_bits(e, p, f, check_bool(e, f) ? f->mask : 0);
}

static void put_bits(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	uint32_t bits = 0;
	expect(e, f, LUA_TTABLE, "list of words");
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		const struct word *w = lua_type(L, -1) == LUA_TSTRING ? word_by_name(f->words, lua_tostring(L, -1))
								      : NULL;
		if (!w)
			fail(e, f->key, "%s is not a known word", shown(e));
		bits |= w->value;
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	store(e, p, f, bits);
}

static void put_flag(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	if (check_bool(e, f))
		put_room(e, f->attr, 0);
}

static void put_boolean(struct encoder *e, const struct place *p, const struct field *f)
{
	store(e, p, f, check_bool(e, f));
}

static void put_string(struct encoder *e, const struct place *p, const struct field *f)
{
	size_t length;
	(void)p;
	expect(e, f, LUA_TSTRING, "string");
	const char *text = lua_tolstring(e->L, -1, &length);
	size_t room = f->size ? f->size : 256;
	if (strlen(text) != length)
		fail(e, f->key, "a zero byte inside");
	if (length + 1 > room)
		fail(e, f->key, "'%s' is longer than %d bytes", text, (int)room - 1);
	put(e, f->attr, text, length + 1);
}

/* Text of an address -> family and bytes; raises. `size` 4 or 16 demands that family. */
static int check_address(struct encoder *e, const struct field *f, const char *text, size_t length, uint8_t out[16])
{
	int family = memchr(text, ':', length) ? AF_INET6 : AF_INET;
	int read = family == AF_INET ? text_to_ip4(text, length, out) : text_to_ip6(text, length, out);
	if (read == 0 || (size_t)read != length)
		fail(e, f->key, "'%s' is not an address", text);
	return family;
}

static int address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

static const char *family_name(int family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

static void put_address(struct encoder *e, const struct place *p, const struct field *f)
{
	uint8_t bytes[16];
	size_t length;
	(void)p;
	expect(e, f, LUA_TSTRING, "address");
	const char *text = lua_tolstring(e->L, -1, &length);
	int family = check_address(e, f, text, length, bytes);
	int want = f->size == 4 ? AF_INET : f->size == 16 ? AF_INET6 : e->family;
	if (f->size && family != want && f[1].key && strcmp(f[1].key, f->key) == 0)
		f++, want = family; /* the next row is the same field in the other family */
	if (family != want)
		fail(e, f->key, "'%s' is %s, %s expected", text, family_name(family), family_name(want));
	put(e, f->attr, bytes, (size_t)address_size(family));
}

static int check_length(struct encoder *e, const struct field *f, const char *text, const char *slash, int bits)
{
	int length = 0;
	const char *p = slash + 1;
	while (*p >= '0' && *p <= '9' && length <= 128)
		length = length * 10 + (*p++ - '0');
	if (p == slash + 1 || *p || length > bits)
		fail(e, f->key, "'%s': the length after '/' must be 0..%d", text, bits);
	return length;
}

static void mask_host(uint8_t bytes[16], int length)
{
	int whole = length / 8;
	if (whole == 16)
		return;
	bytes[whole] &= (uint8_t)~(0xff >> length % 8);
	memset(bytes + whole + 1, 0, (size_t)(15 - whole));
}

/* "default", "10.0.0.0/8", "10.0.0.1": host bits are kept in addresses and masked in destinations. */
static void put_prefix(struct encoder *e, const struct place *p, const struct field *f)
{
	uint8_t bytes[16] = {0};
	size_t size;
	expect(e, f, LUA_TSTRING, "prefix");
	const char *text = lua_tolstring(e->L, -1, &size);
	if ((*text == 'd' || *text == 'a') &&
	    (strcmp(text, "default") == 0 || strcmp(text, "all") == 0 || strcmp(text, "any") == 0))
		return;
	const char *slash = memchr(text, '/', size);
	int family = check_address(e, f, text, slash ? (size_t)(slash - text) : size, bytes);
	if (family != e->family)
		fail(e, f->key, "'%s' is %s in an %s %s", text, family_name(family), family_name(e->family),
		     e->depth ? "part" : "request");
	int bits = 8 * address_size(family);
	int length = slash ? check_length(e, f, text, slash, bits) : bits;
	header_of(e, p->header)[f->offset] = (uint8_t)length;
	if (f->attr == IFA_LOCAL || strcmp(f->key, "peer") == 0)
		; /* an address keeps its host part */
	else
		mask_host(bytes, length);
	if (length > 0 || f->attr == IFA_LOCAL)
		put(e, f->attr, bytes, (size_t)address_size(family));
}

/* RTA_GATEWAY, or for an IPv4 route with an IPv6 next hop RTA_VIA (kernel.md 3). */
static void put_via(struct encoder *e, const struct place *p, const struct field *f)
{
	uint8_t bytes[2 + 16];
	size_t length;
	(void)p;
	expect(e, f, LUA_TSTRING, "address");
	const char *text = lua_tolstring(e->L, -1, &length);
	bool other = strncmp(text, "inet6 ", 6) == 0;
	if (other)
		text += 6, length -= 6;
	int family = check_address(e, f, text, length, bytes + 2);
	if (family == e->family && !(other && family == AF_INET)) {
		put(e, f->attr, bytes + 2, (size_t)address_size(family));
	} else if (family == AF_INET6 && f->offset) {
		uint16_t number = AF_INET6;
		memcpy(bytes, &number, sizeof(number));
		put(e, f->offset, bytes, sizeof(bytes));
	} else {
		fail(e, f->key, "'%s' is %s, the route is %s", text, family_name(family), family_name(e->family));
	}
}

static void put_lladdr(struct encoder *e, const struct place *p, const struct field *f)
{
	uint8_t bytes[32];
	size_t length;
	(void)p;
	expect(e, f, LUA_TSTRING, "hardware address");
	const char *text = lua_tolstring(e->L, -1, &length);
	int n = text_to_lladdr(text, length, bytes, sizeof(bytes));
	if (n < 0)
		fail(e, f->key, "'%s' is not a hardware address", text);
	put(e, f->attr, bytes, (size_t)n);
}

static void put_ifindex(struct encoder *e, const struct place *p, const struct field *f)
{
	uint32_t index = 0;
	bool found = true;
	if (lua_isboolean(e->L, -1) && !lua_toboolean(e->L, -1)) { /* master = false: none */
		index = 0;
	} else if (lua_isinteger(e->L, -1)) {
		index = (uint32_t)check_uint(e, f, INT32_MAX);
	} else {
		expect(e, f, LUA_TSTRING, "name of an interface");
		const char *name = lua_tostring(e->L, -1);
		size_t length = strlen(name);
		if (length == 0 || length > 15)
			fail(e, f->key, "'%s' is no name of an interface", name);
		index = names_index(e->L, e->names, name, &found);
	}
	if (!found && !e->refused) {
		e->refused = ENODEV;
		e->lacking = "device";
	}
	store(e, p, f, index);
}

static void put_weight(struct encoder *e, const struct place *p, const struct field *f)
{
	int exact;
	lua_Integer n = lua_tointegerx(e->L, -1, &exact);
	if (lua_type(e->L, -1) != LUA_TNUMBER || !exact)
		fail(e, f->key, "integer expected, got %s", shown(e));
	if (n < 1 || n > 256)
		fail(e, f->key, "%I is outside 1..256", (LUAI_UACINT)n);
	header_of(e, p->header)[f->offset] = (uint8_t)(n - 1);
}

static void put_table(struct encoder *e, const struct place *p, const struct field *f)
{
	uint32_t table = (uint32_t)check_uint(e, f, UINT32_MAX);
	header_of(e, p->header)[f->offset] = (uint8_t)(table < 256 ? table : RT_TABLE_UNSPEC);
	if (table >= 256)
		put(e, f->attr, &table, sizeof(table));
}

/* 5, or "7/5": from and to */
static void put_realm(struct encoder *e, const struct place *p, const struct field *f)
{
	unsigned long from, to;
	char rest;
	if (lua_type(e->L, -1) != LUA_TSTRING || !strchr(lua_tostring(e->L, -1), '/')) {
		put_hex(e, p, f);
		return;
	}
	if (sscanf(lua_tostring(e->L, -1), "%lu/%lu%c", &from, &to, &rest) != 2 || from > UINT16_MAX || to > UINT16_MAX)
		fail(e, f->key, "%s is no realm like 5 or 7/5", shown(e));
	store(e, p, f, from << 16 | to);
}

static void put_range(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	unsigned long first, last;
	char rest;
	(void)p;
	const char *text = luaL_tolstring(L, -1, NULL);
	int n = sscanf(text, "%lu-%lu%c", &first, &last, &rest);
	unsigned long max = (unsigned long)size_max(f);
	if (n == 1)
		last = first;
	if (n < 1 || n > 2 || first > last || last > max)
		fail(e, f->key, "'%s' is not a range like 1-100", text);
	lua_pop(L, 1);
	uint8_t *room = put_room(e, f->attr, 2 * (size_t)f->size);
	store_uint(room, first, f->size, false);
	store_uint(room + f->size, last, f->size, false);
}

static void put_member(struct encoder *e, const struct place *p, const struct field *f)
{
	uint32_t value = UINT32_MAX; /* for ever */
	if (!(lua_type(e->L, -1) == LUA_TSTRING && strcmp(lua_tostring(e->L, -1), "forever") == 0))
		value = (uint32_t)check_uint(e, f, UINT32_MAX);
	uint8_t *at = written(e, p->attrs, f->attr);
	if (!at) {
		at = put_room(e, f->attr, f->whole);
		memset(at, 0xff, 8); /* the members not given: for ever */
	}
	memcpy(at + f->offset, &value, sizeof(value));
}

/* The path, name or pid of a namespace -> a descriptor that stays open until the message is sent. */
static void put_netns(struct encoder *e, const struct place *p, const struct field *f)
{
	int32_t fd = -1;
	(void)p;
	const char *ref = luaL_tolstring(e->L, -1, NULL);
	if (e->held) {
		int i = 0;
		while (i < HELD_MAX && e->held[i] >= 0)
			i++;
		if (i == HELD_MAX)
			fail(e, f->key, "more than %d namespaces in one request", HELD_MAX);
		fd = e->held[i] = netns_open(ref);
		if (fd < 0 && !e->refused) {
			e->refused = errno;
			e->lacking = "namespace";
		}
	}
	lua_pop(e->L, 1);
	put(e, f->attr, &fd, sizeof(fd));
}

/* --- kinds that hold others ---------------------------------------------------------------------------------- */

static void put_rows(struct encoder *e, const struct place *p, const struct schema *schema, const struct given *g);
static void put_fields(struct encoder *e, const struct place *p, const struct field *rows);
static void collect(struct encoder *e, const struct schema *schema, int table, struct given *g);
static void put_field(struct encoder *e, const struct place *p, const struct field *f);

/* Collects and writes the table at p->table. */
static void put_table_rows(struct encoder *e, const struct place *p, const struct schema *schema)
{
	struct given g;
	collect(e, schema, p->table, &g);
	put_rows(e, p, schema, &g);
	lua_settop(e->L, g.top);
}

static void put_nest(struct encoder *e, const struct place *p, const struct field *f)
{
	size_t at = open_attr(e, f->attr | (f->flags & F_NESTED ? NLA_F_NESTED : 0));
	struct place inner = {p->header, e->out->length, p->table};
	put_fields(e, &inner, f->sub->rows);
	close_attr(e, at, f->key);
}

/* Writes the fields that rows and table share: hoisted nests, whose strangers were refused outside. */
static void put_fields(struct encoder *e, const struct place *p, const struct field *rows)
{
	for (const struct field *f = rows; f->kind != K_NONE; f++) {
		if (f > rows && f->key && f[-1].key && strcmp(f[-1].key, f->key) == 0 && f->kind == f[-1].kind)
			continue; /* the same field in another family: its first row has seen to it */
		lua_getfield(e->L, p->table, f->key);
		if (!lua_isnil(e->L, -1))
			put_field(e, p, f);
		lua_pop(e->L, 1);
	}
}

static void put_union(struct encoder *e, const struct place *p, const struct field *f)
{
	const struct variant *v = variant_by_name(f->variants, lua_tostring(e->L, -1));
	if (!v || v->schema->rows[0].kind == K_NONE)
		return;
	size_t at = open_attr(e, f->attr);
	struct place inner = {p->header, e->out->length, p->table};
	put_fields(e, &inner, v->schema->rows);
	if (e->out->length == inner.attrs)
		e->out->length = at; /* nothing of it was given: no empty attribute */
	else
		close_attr(e, at, f->key);
}

static void put_hop(struct encoder *e, const struct field *f, int index)
{
	lua_State *L = e->L;
	enter(e, f->key, index);
	if (lua_type(L, -1) != LUA_TTABLE)
		fail(e, NULL, "table expected, got %s", luaL_typename(L, -1));
	size_t header = e->out->length;
	arena_reserve(L, e->out, sizeof(struct rtnexthop));
	struct place inner = {header, e->out->length, lua_gettop(L)};
	put_table_rows(e, &inner, f->sub);
	size_t length = e->out->length - header;
	if (length > ATTR_MAX)
		fail(e, NULL, "takes more bytes than a message has room for");
	uint16_t n = (uint16_t)length;
	memcpy(header_of(e, header) + offsetof(struct rtnexthop, rtnh_len), &n, sizeof(n));
	leave(e);
}

/* The hops as lua_next finds them, which for nearly all lists is their order; -1 where it is not. */
static int put_hops_in_sequence(struct encoder *e, const struct field *f)
{
	lua_State *L = e->L;
	int n = 0;
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (!lua_isinteger(L, -2) || lua_tointeger(L, -2) != n + 1) {
			lua_pop(L, 2);
			return -1;
		}
		put_hop(e, f, ++n);
		lua_pop(L, 1);
	}
	return n;
}

static int put_hops_by_number(struct encoder *e, const struct field *f)
{
	lua_State *L = e->L;
	int n = 0;
	while (lua_geti(L, -1, n + 1) != LUA_TNIL) {
		put_hop(e, f, ++n);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	if (n == 0)
		return 0;
	lua_pushnil(L);
	for (int keys = 0; lua_next(L, -2); keys++) {
		if (keys == n)
			fail(e, f->key, "a list of next hops expected, found other keys");
		lua_pop(L, 1);
	}
	return n;
}

static void put_hops(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	expect(e, f, LUA_TTABLE, "list of next hops");
	size_t at = open_attr(e, f->attr);
	int n = put_hops_in_sequence(e, f);
	if (n < 0) {
		e->out->length = at + NLA_HDRLEN;
		n = put_hops_by_number(e, f);
	}
	if (n == 0)
		fail(e, f->key, "an empty list: a route needs at least one next hop");
	close_attr(e, at, f->key);
}

static lua_Integer member_number(struct encoder *e, const char *key, lua_Integer low, lua_Integer high, lua_Integer none)
{
	int exact;
	if (lua_getfield(e->L, -1, key) == LUA_TNIL) {
		lua_pop(e->L, 1);
		return none;
	}
	lua_Integer n = lua_tointegerx(e->L, -1, &exact);
	if (!exact || n < low || n > high)
		fail(e, key, "integer in %I..%I expected, got %s", (LUAI_UACINT)low, (LUAI_UACINT)high, shown(e));
	lua_pop(e->L, 1);
	return n;
}

/* { { id = 1, weight = 2 }, 3 }: weights of 1..65536, 16 bits on newer kernels (kernel.md 2.3). */
static void put_group(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	(void)p;
	expect(e, f, LUA_TTABLE, "list of next-hop ids");
	size_t at = open_attr(e, f->attr);
	for (int i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		enter(e, f->key, i);
		lua_Integer id, weight = 1;
		if (lua_istable(L, -1)) {
			id = member_number(e, "id", 1, UINT32_MAX, 0);
			weight = member_number(e, "weight", 1, 65535, 1);
		} else {
			int exact;
			id = lua_tointegerx(L, -1, &exact);
			if (!exact || id < 1 || id > UINT32_MAX)
				fail(e, NULL, "id of a next hop expected, got %s", shown(e));
		}
		if (id == 0)
			fail(e, "id", "missing");
		uint8_t *member = arena_reserve(L, e->out, sizeof(struct nexthop_grp));
		store_uint(member, (uint64_t)id, 4, false);
		member[4] = (uint8_t)(weight - 1);
		member[5] = (uint8_t)((weight - 1) >> 8);
		leave(e);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	close_attr(e, at, f->key);
}

static void put_encap(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	expect(e, f, LUA_TTABLE, "table");
	enter(e, f->key, 0);
	if (lua_getfield(L, -1, "type") != LUA_TSTRING)
		fail(e, "type", "missing: one of mpls, ip, ip6, seg6, seg6local");
	const struct variant *v = variant_by_name(f->variants, lua_tostring(L, -1));
	if (!v)
		fail(e, "type", "%s is none of mpls, ip, ip6, seg6, seg6local", shown(e));
	lua_pop(L, 1);
	size_t at = open_attr(e, f->attr | NLA_F_NESTED);
	struct place inner = {p->header, e->out->length, lua_gettop(L)};
	put_table_rows(e, &inner, v->schema);
	close_attr(e, at, f->key);
	put(e, f->offset, &v->number, sizeof(v->number));
	leave(e);
}

static void put_peer(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)p;
	expect(e, f, LUA_TTABLE, "table");
	enter(e, f->key, 0);
	size_t at = open_attr(e, f->attr);
	size_t header = e->out->length;
	arena_reserve(e->L, e->out, f->sub->head);
	struct place inner = {header, e->out->length, lua_gettop(e->L)};
	put_table_rows(e, &inner, f->sub);
	close_attr(e, at, f->key);
	leave(e);
}

/*
 * A segment routing header with the segments in reverse (RFC 8754); with the mode before it, struct
 * seg6_iptunnel_encap. [mode or segments] -> [the same]
 */
static void put_segments(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	uint32_t mode = f->words ? (uint32_t)check_uint(e, f, 4) : SEG6_IPTUN_MODE_ENCAP;
	if (lua_getfield(L, p->table, "segs") != LUA_TTABLE)
		fail(e, "segs", "list of addresses expected");
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > 127)
		fail(e, "segs", "1..127 segments expected, got %I", (LUAI_UACINT)n);
	bool room_for_dst = mode == SEG6_IPTUN_MODE_INLINE; /* the kernel puts the packet's own address there */
	size_t count = (size_t)n + (room_for_dst ? 1 : 0);
	size_t header = 8 + 16 * count;
	uint8_t *room = put_room(e, f->attr, f->size + header);
	if (f->size)
		memcpy(room, &mode, sizeof(mode));
	uint8_t *srh = room + f->size;
	srh[1] = (uint8_t)(2 * count);       /* hdrlen, in 8 bytes */
	srh[2] = 4;                          /* type */
	srh[3] = (uint8_t)(count - 1);       /* segments left */
	srh[4] = (uint8_t)(count - 1);       /* first segment */
	for (lua_Integer i = 1; i <= n; i++) {
		size_t length;
		enter(e, "segs", (int)i);
		lua_rawgeti(L, -1, i);
		const char *text = lua_tolstring(L, -1, &length);
		if (!text || text_to_ip6(text, length, srh + 8 + 16 * (count - (size_t)i)) != (int)length)
			fail(e, NULL, "IPv6 address expected");
		leave(e);
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
}

static void put_labels(struct encoder *e, const struct place *p, const struct field *f)
{
	lua_State *L = e->L;
	(void)p;
	expect(e, f, LUA_TTABLE, "list of labels");
	lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
	if (n < 1 || n > 30)
		fail(e, f->key, "1..30 labels expected, got %I", (LUAI_UACINT)n);
	size_t at = open_attr(e, f->attr);
	for (lua_Integer i = 1; i <= n; i++) {
		int exact;
		enter(e, f->key, (int)i);
		lua_rawgeti(L, -1, i);
		lua_Integer label = lua_tointegerx(L, -1, &exact);
		if (!exact || label < 0 || label > 0xfffff)
			fail(e, NULL, "label in 0..1048575 expected");
		leave(e);
		lua_pop(L, 1);
		store_uint(arena_reserve(L, e->out, 4), (uint64_t)label << 12 | (i == n ? 0x100 : 0), 4, true);
	}
	close_attr(e, at, f->key);
}

static void put_family(struct encoder *e, const struct place *p, const struct field *f)
{
	header_of(e, p->header)[f->offset] = (uint8_t)e->family;
}

/* Only the kernel sets it: refused before, or left out of what is only printed. */
static void put_nothing(struct encoder *e, const struct place *p, const struct field *f)
{
	(void)e;
	(void)p;
	(void)f;
}

typedef void put_fn(struct encoder *e, const struct place *p, const struct field *f);

static put_fn *const writers[] = {
	[K_INT] = put_int,         [K_SIGNED] = put_signed,   [K_SCALED] = put_scaled,  [K_HEX] = put_hex,
	[K_BIT] = put_bit,         [K_BITS] = put_bits,       [K_FLAG] = put_flag,      [K_BOOL] = put_boolean,
	[K_STRING] = put_string,   [K_FAMILY] = put_family,   [K_ADDRESS] = put_address, [K_PREFIX] = put_prefix,
	[K_VIA] = put_via,         [K_LLADDR] = put_lladdr,   [K_IFINDEX] = put_ifindex, [K_WEIGHT] = put_weight,
	[K_TABLE] = put_table,     [K_NEST] = put_nest,       [K_HOPS] = put_hops,      [K_GROUP] = put_group,
	[K_ENCAP] = put_encap,     [K_UNION] = put_union,     [K_PEER] = put_peer,      [K_SEGMENTS] = put_segments,
	[K_LABELS] = put_labels,   [K_RANGE] = put_range,     [K_MEMBER] = put_member,  [K_NETNS] = put_netns,
	[K_REALM] = put_realm,     [K_NAMES] = put_nothing,
};

/* [value] -> [value] */
static void put_field(struct encoder *e, const struct place *p, const struct field *f)
{
	if ((f->flags & F_READONLY) && f->kind != K_SEGMENTS && e->verb != VERB_PRINT)
		fail(e, f->key, "only the kernel sets this");
	if (f->kind == K_SEGMENTS && (f->flags & F_READONLY))
		return; /* written together with the mode */
	writers[f->kind](e, p, f);
}

/* --- tables ---------------------------------------------------------------------------------------------------- */

/* The row of a hoisted union whose variant, chosen by the table itself, has this key; -1 where none has. */
static int union_row(struct encoder *e, const struct field *rows, int table, int key)
{
	lua_State *L = e->L;
	for (int i = 0; rows[i].kind != K_NONE; i++) {
		if (rows[i].kind == K_NEST && (rows[i].flags & F_HOIST) &&
		    union_row(e, rows[i].sub->rows, table, key) >= 0)
			return i;
		if (rows[i].kind != K_UNION)
			continue;
		const struct variant *v = NULL;
		if (lua_getfield(L, table, rows[i].key) == LUA_TSTRING)
			v = variant_by_name(rows[i].variants, lua_tostring(L, -1));
		lua_pop(L, 1);
		if (v && index_lookup(L, v->schema, key) >= 0)
			return i;
	}
	return -1;
}

static _Noreturn void unknown_key(struct encoder *e, const struct schema *schema)
{
	lua_State *L = e->L;
	if (lua_type(L, -1) != LUA_TSTRING)
		fail(e, NULL, "a %s has no field of type %s", schema->name, luaL_typename(L, -1));
	const char *key = lua_tostring(L, -1);
	const char *near = nearest_key(L, schema, key);
	if (near)
		fail(e, key, "unknown field (did you mean '%s'?)", near);
	fail(e, key, "unknown field of a %s", schema->name);
}

/* The row of the string on top of the stack, or -1. Keys of rows are never collected, so their addresses tell them. */
static int row_of_key(struct encoder *e, const struct schema *schema)
{
	lua_State *L = e->L;
	if (lua_type(L, -1) != LUA_TSTRING)
		return -1;
	const char *key = lua_tostring(L, -1);
	struct known_key *known = &e->known[((uintptr_t)key >> 4 ^ (uintptr_t)schema >> 5) % KNOWN_KEYS];
	if (known->key == key && known->schema == schema)
		return known->row;
	int row = index_lookup(L, schema, -1);
	if (row >= 0)
		*known = (struct known_key){key, schema, row};
	return row;
}

/*
 * Finds the rows a table gives; a key that no row has raises. The values stay on the stack, so that each is looked up
 * once. [] -> [key, value, key, value, ...]
 */
static void collect(struct encoder *e, const struct schema *schema, int table, struct given *g)
{
	lua_State *L = e->L;
	g->rows = 0;
	g->top = lua_gettop(L);
	luaL_checkstack(L, 40, "too many values");
	lua_pushnil(L);
	for (int top = g->top; lua_next(L, table); top += 2) {
		if ((top - g->top) % 16 == 14)
			luaL_checkstack(L, 40, "too many fields");
		lua_pushvalue(L, -2);
		int row = row_of_key(e, schema);
		if (row < 0)
			row = union_row(e, schema->rows, table, top + 3);
		if (row < 0 && schema->head == 0 && lua_type(L, -1) == LUA_TSTRING &&
		    strcmp(lua_tostring(L, -1), "type") == 0)
			row = SELECTOR;
		if (row < 0)
			unknown_key(e, schema);
		g->rows |= (uint64_t)1 << row;
		g->at[row] = top + 2;
	}
}

static void put_rows(struct encoder *e, const struct place *p, const struct schema *schema, const struct given *g)
{
	lua_State *L = e->L;
	for (uint64_t left = g->rows & ~((uint64_t)1 << SELECTOR); left; left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->rows[i];
		if (!f->key) { /* hoisted: its fields are fields of this table */
			put_field(e, p, f);
			continue;
		}
		if (f->kind == K_NEST || f->kind == K_UNION) /* one row, many keys: its own is the first */
			lua_getfield(L, p->table, f->key);
		else
			lua_pushvalue(L, g->at[i]);
		put_field(e, p, f);
		lua_pop(L, 1);
	}
}

/* --- the family, and what iproute2 fills in --------------------------------------------------------------------- */

static int family_of_text(lua_State *L, int index)
{
	if (lua_type(L, index) != LUA_TSTRING)
		return 0;
	const char *text = lua_tostring(L, index);
	if (strncmp(text, "inet6 ", 6) == 0)
		return AF_INET;
	if (strchr(text, ':'))
		return AF_INET6;
	return strchr(text, '.') ? AF_INET : 0;
}

static int explicit_family(struct encoder *e, int table)
{
	lua_State *L = e->L;
	int family = 0, type = lua_getfield(L, table, "family");
	if (type == LUA_TNUMBER || type == LUA_TSTRING) {
		const char *text = lua_tostring(L, -1);
		family = strcmp(text, "4") == 0 || strcmp(text, "inet") == 0    ? AF_INET
			 : strcmp(text, "6") == 0 || strcmp(text, "inet6") == 0 ? AF_INET6
										: -1;
	} else if (type != LUA_TNIL) {
		family = -1;
	}
	if (family < 0)
		fail(e, "family", "4 or 6 expected, got %s", shown(e));
	lua_pop(L, 1);
	return family;
}

static bool names_family(const struct field *f)
{
	return f->kind == K_PREFIX || f->kind == K_VIA || (f->kind == K_ADDRESS && !f->size);
}

/* The family of a table: said, or that of its first address. "default" alone is IPv4, as with `ip route`. */
static int family_of(struct encoder *e, const struct schema *schema, int table, const struct given *g)
{
	lua_State *L = e->L;
	int family = g->rows & 1 ? explicit_family(e, table) : 0;
	int top = lua_gettop(L);
	for (uint64_t left = g->rows & ~((uint64_t)1 << SELECTOR | 1); left && !family; left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->rows[i];
		if (names_family(f))
			family = family_of_text(L, g->at[i]);
		else if (f->kind == K_HOPS && lua_istable(L, g->at[i]) && lua_geti(L, g->at[i], 1) == LUA_TTABLE &&
			 lua_getfield(L, -1, "via"))
			family = family_of_text(L, -1);
		lua_settop(L, top);
	}
	return family;
}

/* Whether the table gives the row of a key. */
static bool has(const struct schema *schema, const struct given *g, const char *key)
{
	for (uint64_t left = g->rows & ~((uint64_t)1 << SELECTOR); left; left &= left - 1) {
		const char *given = schema->rows[__builtin_ctzll(left)].key;
		if (given && *given == *key && strcmp(given, key) == 0)
			return true;
	}
	return false;
}

/* As ip(8): unicast, main, boot; a local route has scope host, one without a gateway scope link. */
static void route_defaults(struct encoder *e, const struct given *g)
{
	struct rtmsg *r = (struct rtmsg *)(void *)header_of(e, e->start);
	if (e->verb == VERB_DUMP || e->verb == VERB_PRINT)
		return;
	if (r->rtm_table == RT_TABLE_UNSPEC && !has(&schema_route, g, "table"))
		r->rtm_table = RT_TABLE_MAIN;
	if (e->verb == VERB_DEL && !has(&schema_route, g, "scope"))
		r->rtm_scope = RT_SCOPE_NOWHERE;
	if (e->verb != VERB_ADD)
		return;
	if (r->rtm_type == RTN_UNSPEC)
		r->rtm_type = RTN_UNICAST;
	if (r->rtm_protocol == RTPROT_UNSPEC)
		r->rtm_protocol = RTPROT_BOOT;
	if (has(&schema_route, g, "scope") || r->rtm_family == AF_INET6)
		return;
	if (r->rtm_type == RTN_LOCAL || r->rtm_type == RTN_NAT)
		r->rtm_scope = RT_SCOPE_HOST;
	else if (r->rtm_type == RTN_BROADCAST || r->rtm_type == RTN_MULTICAST || r->rtm_type == RTN_ANYCAST)
		r->rtm_scope = RT_SCOPE_LINK;
	else if (r->rtm_type == RTN_UNICAST && !has(&schema_route, g, "via") && !has(&schema_route, g, "nexthops") &&
		 !has(&schema_route, g, "nhid"))
		r->rtm_scope = RT_SCOPE_LINK;
}

/* IFA_ADDRESS is the peer, or the address itself; an IPv4 broadcast is filled in for prefixes up to /30. */
static void addr_defaults(struct encoder *e, const struct given *g)
{
	size_t attrs = e->start + sizeof(struct ifaddrmsg);
	uint8_t bytes[16];
	if (e->verb == VERB_DUMP || e->verb == VERB_PRINT)
		return;
	const uint8_t *local = written(e, attrs, IFA_LOCAL);
	if (!local)
		return;
	size_t size = (size_t)address_size(e->family);
	memcpy(bytes, local, size);
	if (!written(e, attrs, IFA_ADDRESS))
		put(e, IFA_ADDRESS, bytes, size);
	unsigned length = header_of(e, e->start)[offsetof(struct ifaddrmsg, ifa_prefixlen)];
	if (e->verb == VERB_ADD && e->family == AF_INET && length <= 30 && !has(&schema_addr, g, "broadcast") &&
	    !has(&schema_addr, g, "peer")) {
		for (unsigned i = length; i < 32; i++)
			bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
		put(e, IFA_BROADCAST, bytes, 4);
	}
}

static void rule_defaults(struct encoder *e, const struct given *g)
{
	struct fib_rule_hdr *r = (struct fib_rule_hdr *)(void *)header_of(e, e->start);
	if (e->verb != VERB_ADD)
		return;
	if (!r->action)
		r->action = has(&schema_rule, g, "goto") ? FR_ACT_GOTO : FR_ACT_TO_TBL;
	if (!has(&schema_rule, g, "table") && r->action == FR_ACT_TO_TBL && !has(&schema_rule, g, "l3mdev"))
		r->table = RT_TABLE_MAIN;
}

static void neigh_defaults(struct encoder *e, const struct given *g)
{
	struct ndmsg *n = (struct ndmsg *)(void *)header_of(e, e->start);
	if (e->verb == VERB_ADD && !has(&schema_neigh, g, "state"))
		n->ndm_state = has(&schema_neigh, g, "proxy") ? 0 : NUD_PERMANENT;
}

/* An object without an address still needs a family, except groups, which must have none (kernel.md 8). */
static void nexthop_defaults(struct encoder *e, const struct given *g)
{
	struct nhmsg *n = (struct nhmsg *)(void *)header_of(e, e->start);
	if (has(&schema_nexthop, g, "group") || e->verb != VERB_ADD)
		n->nh_family = has(&schema_nexthop, g, "group") ? AF_UNSPEC : n->nh_family;
	else if (n->nh_family == AF_UNSPEC)
		n->nh_family = AF_INET;
	if (e->verb == VERB_ADD && n->nh_protocol == RTPROT_UNSPEC)
		n->nh_protocol = RTPROT_BOOT;
}

static void fill_in(struct encoder *e, const struct schema *schema, const struct given *g)
{
	static const struct {
		const struct schema *schema;
		void (*fill)(struct encoder *e, const struct given *g);
	} defaults[] = {
		{&schema_route, route_defaults}, {&schema_addr, addr_defaults},       {&schema_rule, rule_defaults},
		{&schema_neigh, neigh_defaults}, {&schema_nexthop, nexthop_defaults},
	};
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (defaults[i].schema == schema)
			defaults[i].fill(e, g);
}

/* Appends header and attributes of the table at `value` to the arena. */
void encode_message(struct encoder *e, const struct schema *schema, int value)
{
	lua_State *L = e->L;
	e->start = e->out->length;
	e->depth = 0;
	if (e->base)
		e->path[e->depth++] = (struct step){"", e->base};
	if (!lua_istable(L, value)) {
		lua_pushfstring(L, "%s: table expected, got %s", schema->name, luaL_typename(L, value));
		throw_at_caller(L);
	}
	luaL_checkstack(L, 20, "too many values");
	arena_reserve(L, e->out, schema->head);
	struct given g;
	collect(e, schema, value, &g);
	e->family = 0;
	if (schema->rows[0].kind == K_FAMILY) {
		e->family = family_of(e, schema, value, &g);
		if (!e->family && schema != &schema_nexthop && e->verb != VERB_DUMP)
			e->family = AF_INET;
		header_of(e, e->start)[0] = (uint8_t)e->family;
	}
	struct place p = {e->start, e->out->length, value};
	put_rows(e, &p, schema, &g);
	fill_in(e, schema, &g);
	lua_settop(L, g.top);
}

/* --- views given back ---------------------------------------------------------------------------------------- */

static const struct field *row_of_attr(const struct schema *schema, uint16_t type)
{
	for (const struct field *f = schema->rows; f->kind != K_NONE; f++)
		if (!(f->flags & F_HEADER) && f->attr == type)
			return f;
	return NULL;
}

static void clear_readonly(uint8_t *header, const struct schema *schema)
{
	for (const struct field *f = schema->rows; f->kind != K_NONE; f++)
		if ((f->flags & F_HEADER) && (f->flags & F_READONLY) && f->kind == K_BIT)
			store_uint(header + f->offset, read_uint(header + f->offset, f->size, false) & ~f->mask,
				   f->size, false);
}

static void clear_hops(uint8_t *data, size_t length)
{
	while (length >= sizeof(struct rtnexthop)) {
		uint16_t n;
		memcpy(&n, data, sizeof(n));
		if (n < sizeof(struct rtnexthop) || n > length)
			return;
		clear_readonly(data, &schema_hop);
		size_t step = NLA_ALIGN(n);
		if (step >= length)
			return;
		data += step;
		length -= step;
	}
}

/*
 * Appends what a view holds, without what only the kernel sets. Routes of a next-hop object come back with the
 * hops of the object beside its id; the kernel takes either, not both (kernel.md 8), so the id is kept.
 */
void encode_view(struct encoder *e, const struct schema *schema, const uint8_t *data, size_t length)
{
	struct stretch s = {.schema = schema, .data = data, .length = length, .family = stretch_family(data, length)};
	bool by_id = schema == &schema_route && find_attr(&s, RTA_NH_ID);
	e->start = e->out->length;
	e->family = s.family;
	memcpy(arena_reserve(e->L, e->out, schema->head), data, schema->head);
	clear_readonly(header_of(e, e->start), schema);
	for (size_t at = schema->head; at + NLA_HDRLEN <= length;) {
		struct nlattr attr;
		memcpy(&attr, data + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > length - at)
			return;
		uint16_t type = attr.nla_type & NLA_TYPE_MASK;
		const struct field *f = row_of_attr(schema, type);
		bool alias = schema == &schema_route && (type == RTA_VIA || type == RTA_ENCAP_TYPE);
		bool of_object = by_id && (type == RTA_MULTIPATH || type == RTA_GATEWAY || type == RTA_OIF ||
					   type == RTA_VIA || type == RTA_ENCAP || type == RTA_ENCAP_TYPE);
		if (!of_object && (alias || (f && !(f->flags & F_READONLY)))) {
			uint8_t *room = put_room(e, attr.nla_type, attr.nla_len - NLA_HDRLEN);
			memcpy(room, data + at + NLA_HDRLEN, attr.nla_len - NLA_HDRLEN);
			if (f && f->kind == K_HOPS)
				clear_hops(room, attr.nla_len - NLA_HDRLEN);
		}
		at += NLA_ALIGN(attr.nla_len);
	}
}
