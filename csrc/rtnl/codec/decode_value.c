/*
 * Decodes fields of one value to Lua. Each function pushes one value, or nothing where the payload
 * does not fit the type.
 */
#define _GNU_SOURCE
#include "rtnl/codec/decode.h"

#include "common/addr.h"

#include <lauxlib.h>
#include <linux/if_addr.h>
#include <linux/seg6.h>
#include <linux/seg6_hmac.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- addresses ------------------------------------------------------------------------------- */

static size_t ip_text(const struct span *s, const struct field *f, char *text)
{
	const struct nlattr *a = find_attr(s, f->attr);
	int family = f->size == 4 ? AF_INET : f->size == 16 ? AF_INET6 : s->family;
	if (!a || payload_length(a) != address_size(family))
		return 0;
	return ip_to_text(family, payload(a), text);
}

/* IFA_ADDRESS repeats IFA_LOCAL where there is no peer. */
static bool is_own_peer(const struct span *s, const struct nlattr *peer)
{
	const struct nlattr *local = find_attr(s, IFA_LOCAL);
	return !local || (payload_length(local) == payload_length(peer) &&
			  memcmp(payload(local), payload(peer), payload_length(peer)) == 0);
}

/* As ip(8): no length for a host, "default" for length 0; an address keeps its length. */
static size_t prefix_text(const struct span *s, const struct field *f, char *text)
{
	const struct nlattr *a = find_attr(s, f->attr);
	unsigned length = s->data[f->offset], bits = 8 * (unsigned)address_size(s->family);
	bool address = s->schema == &schema_addr;
	if (!a) {
		static const char everything[] = "default";
		if (address || length != 0 || strcmp(f->key, "dst") != 0)
			return 0;
		memcpy(text, everything, sizeof(everything));
		return sizeof(everything) - 1;
	}
	if (payload_length(a) != address_size(s->family) || length > bits)
		return 0;
	if (address && strcmp(f->key, "peer") == 0 && is_own_peer(s, a))
		return 0;
	return length != bits || address ? prefix_to_text(s->family, payload(a), length, text)
					 : ip_to_text(s->family, payload(a), text);
}

static size_t via_text(const struct span *s, const struct field *f, char *text)
{
	const struct nlattr *a = find_attr(s, f->attr);
	if (a)
		return payload_length(a) == address_size(s->family)
			       ? ip_to_text(s->family, payload(a), text)
			       : 0;
	a = f->offset ? find_attr(s, f->offset) : NULL;
	if (!a || payload_length(a) < 2)
		return 0;
	int family = (int)read_uint(payload(a), 2, false);
	if ((family != AF_INET && family != AF_INET6) ||
	    payload_length(a) != 2 + address_size(family))
		return 0;
	return ip_to_text(family, payload(a) + 2, text);
}

/* The text of an address field, not zero terminated; 0: it is absent. */
size_t address_text(const struct span *s, const struct field *f, char text[ADDRESS_TEXT])
{
	return f->type == FIELD_PREFIX ? prefix_text(s, f, text)
	       : f->type == FIELD_VIA  ? via_text(s, f, text)
				       : ip_text(s, f, text);
}

bool push_address(lua_State *L, const struct span *s, const struct field *f)
{
	char text[ADDRESS_TEXT];
	size_t n = address_text(s, f, text);
	if (n)
		lua_pushlstring(L, text, n);
	return n;
}

bool push_lladdr(lua_State *L, const struct nlattr *a)
{
	static const char digits[] = "0123456789abcdef";
	char text[3 * 32];
	size_t n = payload_length(a);
	if (n == 0 || n > 32)
		return false;
	for (size_t i = 0; i < n; i++) {
		text[3 * i] = digits[payload(a)[i] >> 4];
		text[3 * i + 1] = digits[payload(a)[i] & 15];
		text[3 * i + 2] = ':';
	}
	lua_pushlstring(L, text, 3 * n - 1);
	return true;
}

/* --- numbers, words, text -------------------------------------------------------------------- */

void push_word(lua_State *L, const struct field *f, uint64_t value)
{
	const char *word = f->words ? word_by_value(f->words, (uint32_t)value) : NULL;
	if (word)
		lua_pushstring(L, word);
	else
		lua_pushinteger(L, (lua_Integer)value);
}

bool push_string(lua_State *L, const struct nlattr *a)
{
	const char *text = (const char *)payload(a);
	lua_pushlstring(L, text, strnlen(text, payload_length(a)));
	return true;
}

static void push_bits(lua_State *L, const struct field *f, uint64_t bits)
{
	int n = 0;
	lua_newtable(L);
	for (const struct word *w = words_of(f->words); *w->name; w++) {
		if (!(bits & w->value))
			continue;
		lua_pushstring(L, w->name);
		lua_rawseti(L, -2, ++n);
	}
}

/* 5, or "7/5" with the source realm */
static void push_realm(lua_State *L, uint64_t value)
{
	int from = (int)(value / 65536), to = (int)(value % 65536);
	if (from)
		lua_pushfstring(L, "%d/%d", from, to);
	else
		lua_pushinteger(L, (lua_Integer)value);
}

bool push_option(lua_State *L, const struct field *f, const struct nlattr *a)
{
	if (payload_length(a) != 2 * (size_t)f->size)
		return false;
	lua_pushinteger(L, (read_uint(payload(a), f->size, false) & f->mask) != 0);
	return true;
}

bool push_ttl(lua_State *L, const struct span *s, const struct field *f, const struct nlattr *a)
{
	const struct nlattr *inherit = find_attr(s, f->offset);
	uint64_t value;
	if (inherit && (payload_length(inherit) == 0 || *payload(inherit))) {
		lua_pushliteral(L, "inherit");
		return true;
	}
	return attr_uint(a, f, &value) && push_uint(L, f, value);
}

bool push_bridge_id(lua_State *L, const struct nlattr *a)
{
	char text[32];
	const uint8_t *b = payload(a);
	if (payload_length(a) != 8)
		return false;
	snprintf(text, sizeof(text), "%02x%02x.%x:%x:%x:%x:%x:%x", b[0], b[1], b[2], b[3], b[4],
		 b[5], b[6], b[7]);
	lua_pushstring(L, text);
	return true;
}

/* As iproute2: a range of one port is "5", of one user "5-5". */
bool push_range(lua_State *L, const struct field *f, const struct nlattr *a)
{
	if (payload_length(a) != 2 * (size_t)f->size)
		return false;
	bool big = f->flags & F_BE;
	lua_Integer first = (lua_Integer)read_uint(payload(a), f->size, big);
	lua_Integer last = (lua_Integer)read_uint(payload(a) + f->size, f->size, big);
	if (first == last && f->size == sizeof(uint16_t) && !*f->unit)
		lua_pushfstring(L, "%I", (LUAI_UACINT)first);
	else
		lua_pushfstring(L, "%I-%I", (LUAI_UACINT)first, (LUAI_UACINT)last);
	return true;
}

/* 1/3 */
bool push_ratio(lua_State *L, const struct span *s, const struct field *f, const struct nlattr *a)
{
	const struct nlattr *of = find_attr(s, f->offset);
	uint64_t part, whole;
	if (!of || !attr_uint(a, f, &part) || !attr_uint(of, f, &whole))
		return false;
	lua_pushfstring(L, "%I/%I", (LUAI_UACINT)part, (LUAI_UACINT)whole);
	return true;
}

/* The payload as hexadecimal digits. */
bool push_bytes(lua_State *L, const struct span *s)
{
	luaL_Buffer text;
	if (s->length == 0)
		return false;
	char *digits = luaL_buffinitsize(L, &text, 2 * s->length);
	for (size_t i = 0; i < s->length; i++) {
		digits[2 * i] = "0123456789abcdef"[s->data[i] >> 4];
		digits[2 * i + 1] = "0123456789abcdef"[s->data[i] & 15];
	}
	luaL_pushresultsize(&text, 2 * s->length);
	return true;
}

bool push_member(lua_State *L, const struct field *f, const struct nlattr *a)
{
	if (payload_length(a) < f->whole)
		return false;
	int32_t value = (int32_t)read_uint(payload(a) + f->offset, 4, false);
	if (value == 0 && (f->flags & F_DEFAULT0))
		return false;
	if (value == -1 && f->mask == 1 && !(f->flags & F_READONLY))
		lua_pushliteral(L, "forever");
	else
		lua_pushinteger(L, value / (int32_t)f->mask);
	return true;
}

bool push_table(lua_State *L, const struct span *s, const struct field *f)
{
	uint32_t table = table_number(s, f->attr, f->offset);
	if (table == 0)
		return false;
	push_word(L, f, table);
	return true;
}

bool push_uint(lua_State *L, const struct field *f, uint64_t value)
{
	if ((value == 0 && (f->flags & F_DEFAULT0)) ||
	    ((int32_t)value < 0 && (f->flags & F_NEGATIVE)))
		return false;
	if (f->type == FIELD_BIT) {
		if (!(value & f->mask))
			return false;
		lua_pushboolean(L, 1);
	} else if (f->type == FIELD_BITS) {
		push_bits(L, f, value);
	} else if (f->type == FIELD_BOOL) {
		lua_pushboolean(L, value != 0);
	} else if (f->type == FIELD_REALM) {
		push_realm(L, value);
	} else if (f->type == FIELD_SIGNED && !f->words) {
		lua_pushinteger(L, (int32_t)value);
	} else if (f->type == FIELD_UNITS) {
		lua_pushinteger(L, (lua_Integer)value * f->mask);
	} else if ((f->type == FIELD_SCALED || f->type == FIELD_TIMER) && value % f->mask != 0) {
		lua_pushnumber(L, (lua_Number)value / f->mask);
	} else {
		bool scaled = f->type == FIELD_SCALED || f->type == FIELD_TIMER;
		push_word(L, f, scaled ? value / f->mask : value);
	}
	return true;
}

bool push_hmac(lua_State *L, const struct field *f, const struct nlattr *a)
{
	size_t length = payload_length(a), before = f->size;
	if (length < before + 8)
		return false;
	const uint8_t *srh = payload(a) + before;
	size_t tlv = 8 + 16 * ((size_t)srh[4] + 1);
	if (!(srh[5] & SR6_FLAG1_HMAC) || before + tlv + 8 > length || srh[tlv] != SR6_TLV_HMAC)
		return false;
	lua_pushinteger(L, (lua_Integer)read_uint(srh + tlv + 4, 4, true));
	return true;
}
