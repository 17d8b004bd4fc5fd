/*
 * The values that people type, kind by kind: each leaves one value on the stack. What ip(8) prints
 * is read as well.
 */
#include "rtnl/text/lexer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\\';
}

bool fault(struct scan *s, const char *format)
{
	if (!s->fault) {
		s->fault = format;
		memcpy(s->culprit, s->token, sizeof(s->culprit));
	}
	return false;
}

bool next(struct scan *s)
{
	while (s->at < s->end && is_blank(*s->at))
		s->at++;
	size_t n = 0;
	while (s->at < s->end && !is_blank(*s->at)) {
		if (n == TOKEN_MAX)
			return fault(s, "'%s...' is too long for a word");
		s->token[n++] = *s->at++;
	}
	s->token[n] = 0;
	s->length = n;
	if (memchr(s->token, 0, n))
		return fault(s, "a zero byte behind '%s'");
	return n > 0;
}

/* Looks at the next token and takes it only if it is `word`. */
bool take(struct scan *s, const char *word)
{
	struct scan before = *s;
	if (next(s) && strcmp(s->token, word) == 0)
		return true;
	*s = before;
	return false;
}

bool need(struct scan *s, const char *what)
{
	char asked[TOKEN_MAX + 1];
	snprintf(asked, sizeof(asked), "%s", what);
	if (next(s))
		return true;
	memcpy(s->token, asked, sizeof(asked));
	return fault(s, "a value is missing behind '%s'");
}

/* --- values: each leaves one value on the stack ---------------------------------------------- */

void push_number_or_text(struct scan *s, int base)
{
	char *rest;
	const char *t = s->token;
	if ((t[0] >= '0' && t[0] <= '9') || (t[0] == '-' && t[1]) || base == 16) {
		long long n = strtoll(t, &rest, strncmp(t, "0x", 2) == 0 ? 16 : base);
		if (*rest == 0) {
			lua_pushinteger(s->L, n);
			return;
		}
	}
	lua_pushlstring(s->L, t, s->length);
}

/* A name that is none of the row's words may be the site's. */
static void push_number_or_name(struct scan *s, const struct field *f)
{
	push_number_or_text(s, 10);
	if (f->words && lua_type(s->L, -1) == LUA_TSTRING && !word_by_name(f->words, s->token))
		site_swap(s->L, f->words);
}

/* ip(8) reads a tos as a name, or as hexadecimal with or without 0x. */
static void push_hex_or_name(struct scan *s, const struct field *f)
{
	if (f->words) {
		lua_pushlstring(s->L, s->token, s->length);
		site_swap(s->L, f->words);
		if (lua_isinteger(s->L, -1) || word_by_name(f->words, s->token))
			return;
		lua_pop(s->L, 1);
	}
	push_number_or_text(s, f->words ? 16 : 10);
}

/* "5", "3/5", each part by number or name */
static void push_realm(struct scan *s, const struct field *f)
{
	char *slash = strchr(s->token, '/');
	if (slash)
		*slash = 0;
	s->length = strlen(s->token);
	push_number_or_name(s, f);
	if (!slash)
		return;
	lua_pushliteral(s->L, "/");
	memmove(s->token, slash + 1, strlen(slash + 1) + 1);
	s->length = strlen(s->token);
	push_number_or_name(s, f);
	lua_concat(s->L, 3);
}

/* "10.9/16", "0/0", "10.1": the missing numbers are zero, and a mask may stand for the length. */
static void push_address(struct scan *s)
{
	static const char zeros[] = ".0.0.0";
	uint8_t mask[4];
	size_t dots = 0;
	int bits = 0;
	const char *t = s->token, *slash = strchr(t, '/');
	size_t n = strspn(t, "0123456789.");
	for (size_t i = 0; i < n; i++)
		dots += t[i] == '.';
	if (n == 0 || dots > 3 || t[n - 1] == '.' || (t[n] && t + n != slash)) {
		lua_pushlstring(s->L, t, s->length);
		return;
	}
	lua_pushlstring(s->L, t, n);
	lua_pushstring(s->L, &zeros[2 * dots]);
	if (slash && text_to_ip4(slash + 1, strlen(slash + 1), mask) &&
	    !slash[1 + strspn(slash + 1, "0123456789.")]) {
		uint32_t m = (uint32_t)read_uint(mask, 4, true);
		while (bits < 32 && m >> (31 - bits) & 1)
			bits++;
		if ((uint64_t)m << bits & UINT32_MAX)
			bits = 99; /* no mask: refused as a length */
		lua_pushfstring(s->L, "/%d", bits);
	} else {
		lua_pushstring(s->L, slash ? slash : "");
	}
	lua_concat(s->L, 3);
}

/* 100ms, 2s, 96sec: in the row's unit, milliseconds or seconds. A bare number is seconds, but of a
 * metric what the wire counts: eighths and quarters of a millisecond. */
static bool parse_scaled(struct scan *s, const struct field *f)
{
	char *unit;
	double n = strtod(s->token, &unit);
	bool ms = f->unit && strcmp(f->unit, "ms") == 0;
	if (unit == s->token)
		return fault(s, "'%s' is not a number");
	if (strcmp(unit, "s") == 0 || strcmp(unit, "sec") == 0 || strcmp(unit, "secs") == 0)
		n *= ms ? 1000 : 1;
	else if (strcmp(unit, "ms") == 0 || strcmp(unit, "msec") == 0 || strcmp(unit, "msecs") == 0)
		n /= ms ? 1 : 1000;
	else if (*unit)
		return fault(s, "'%s' is not a time");
	else if (ms)
		n /= f->mask;
	lua_Integer whole;
	if (lua_numbertointeger(n, &whole) && (lua_Number)whole == n)
		lua_pushinteger(s->L, whole);
	else
		lua_pushnumber(s->L, n);
	return true;
}

/* Words or numbers divided by a character, as a list. */
static void push_split(struct scan *s, char separator)
{
	char *p = s->token;
	lua_newtable(s->L);
	for (int i = 1; p; i++) {
		char *stop = strchr(p, separator);
		if (stop)
			*stop = 0;
		lua_pushstring(s->L, p);
		if (lua_stringtonumber(s->L, p))
			lua_replace(s->L, -2);
		lua_rawseti(s->L, -2, i);
		p = stop ? stop + 1 : NULL;
	}
}

/* 1/2,5 -> { { id = 1 }, { id = 2, weight = 5 } } */
static bool parse_group(struct scan *s)
{
	char *p = s->token;
	lua_newtable(s->L);
	for (int i = 1; p; i++) {
		char *rest;
		unsigned long id = strtoul(p, &rest, 0), weight = 1;
		if (rest == p)
			return fault(s, "'%s' is not a group like 1/2,5");
		if (*rest == ',') {
			p = rest + 1;
			weight = strtoul(p, &rest, 0);
		}
		if ((*rest != '/' && *rest) || rest == p)
			return fault(s, "'%s' is not a group like 1/2,5");
		lua_createtable(s->L, 0, 2);
		lua_pushinteger(s->L, (lua_Integer)id);
		lua_setfield(s->L, -2, "id");
		lua_pushinteger(s->L, (lua_Integer)weight);
		lua_setfield(s->L, -2, "weight");
		lua_rawseti(s->L, -2, i);
		p = *rest ? rest + 1 : NULL;
	}
	return true;
}

/* [table] -> [table] */
static bool says(lua_State *L, const char *key, const char *word)
{
	bool same =
		lua_getfield(L, -1, key) == LUA_TSTRING && strcmp(lua_tostring(L, -1), word) == 0;
	lua_pop(L, 1);
	return same;
}

/* fc00::1 fc00::2 ] -> list; inline, the last is the place of the packet's own address and no
 * segment. [table] -> [table, list] */
static void parse_printed_segs(struct scan *s)
{
	lua_State *L = s->L;
	lua_Integer n = 0;
	bool inlined = says(L, "mode", "inline") || says(L, "action", "End.B6");
	lua_newtable(L);
	while (need(s, "segs [") && strcmp(s->token, "]") != 0) {
		lua_pushlstring(L, s->token, s->length);
		lua_rawseti(L, -2, ++n);
	}
	if (inlined && n > 1) {
		lua_pushnil(L);
		lua_rawseti(L, -2, n);
	}
}

/* "segs fc00::1,fc00::2" as typed, "segs 2 [ fc00::1 fc00::2 ]" as printed: into `segs` of the
 * table on top. */
bool parse_segs(struct scan *s)
{
	if (!need(s, "segs"))
		return false;
	if (take(s, "["))
		parse_printed_segs(s);
	else
		push_split(s, ',');
	lua_setfield(s->L, -2, "segs");
	return !s->fault;
}

/* By its word; by its number, as what has no word is printed. [word or number] -> [the same] */
static const struct variant *encap_typed(struct scan *s, const struct field *f)
{
	const struct variant *v = variant_by_name(f->variants, s->token);
	if (v || !lua_isinteger(s->L, -1))
		return v;
	lua_Integer number = lua_tointeger(s->L, -1);
	if (number >= 0 && number <= UINT16_MAX)
		v = variant_by_number(f->variants, (uint16_t)number);
	if (!v)
		return &encap_other;
	lua_pushstring(s->L, v->name);
	lua_replace(s->L, -2);
	return v;
}

static bool parse_encap(struct scan *s, const struct field *f)
{
	lua_newtable(s->L);
	push_number_or_text(s, 10);
	const struct variant *v = encap_typed(s, f);
	if (!v)
		return fault(s, "'%s' is no encapsulation: one of " ENCAPS " expected");
	lua_setfield(s->L, -2, "type");
	if (v->schema->rows[0].kind == K_LABELS) {
		if (!need(s, "mpls"))
			return false;
		push_split(s, '/');
		lua_setfield(s->L, -2, v->schema->rows[0].key);
	}
	return parse_fields(s, v->schema, false);
}

/* "inet6 fe80::1": the other family, which is worth a word in a route alone. */
static bool parse_via(struct scan *s, const struct field *f)
{
	bool inet6 = strcmp(s->token, "inet6") == 0;
	if ((inet6 || strcmp(s->token, "inet") == 0) && !need(s, "via"))
		return false;
	lua_pushstring(s->L, inet6 && f->offset ? "inet6 " : "");
	push_address(s);
	lua_concat(s->L, 2);
	return true;
}

/* A flag stands alone; those of links are followed by on or off. */
static bool parse_switch(struct scan *s, const struct field *f)
{
	bool value = true;
	if (take(s, "off") || (f->kind == K_BOOL && (take(s, "0") || take(s, "disabled"))))
		value = false;
	else if (!take(s, "on") && f->kind == K_BOOL && !take(s, "1") && !take(s, "enabled") &&
		 !(f->flags & F_ALONE))
		return fault(s, "on or off is missing behind '%s'");
	lua_pushboolean(s->L, value);
	return true;
}

/* The other end of a new pair; what follows "dev" is its name as well. [] -> [table] */
static bool parse_peer(struct scan *s, const struct field *f)
{
	lua_State *L = s->L;
	lua_newtable(L);
	if (!parse_fields(s, f->sub, f->sub == &schema_link))
		return false;
	if (lua_getfield(L, -1, "dev") == LUA_TSTRING) {
		lua_setfield(L, -2, "name");
		lua_pushnil(L);
		lua_setfield(L, -2, "dev");
	} else {
		lua_pop(L, 1);
	}
	return true;
}

/* "5-9"; "100 200" where the row says so */
static bool parse_range(struct scan *s, const struct field *f)
{
	lua_pushlstring(s->L, s->token, s->length);
	if (!f->unit)
		return true;
	if (!need(s, f->key))
		return false;
	lua_pushfstring(s->L, "-%s", s->token);
	lua_concat(s->L, 2);
	return true;
}

/* [] -> [value]; the token is the field's word, or for bare fields already its value */
bool parse_value(struct scan *s, const struct field *f, bool bare)
{
	if (f->kind == K_BIT || f->kind == K_FLAG || f->kind == K_BOOL || f->kind == K_COUNT)
		return parse_switch(s, f);
	if (f->kind == K_PEER)
		return parse_peer(s, f);
	if (!bare && !need(s, s->token))
		return false;
	switch (f->kind) {
	case K_SCALED:
		return parse_scaled(s, f);
	case K_ENCAP:
		return parse_encap(s, f);
	case K_VIA:
		return parse_via(s, f);
	case K_GROUP:
		return parse_group(s);
	case K_BITS:
		push_split(s, ',');
		return true;
	case K_INT:
		if (f->unit)
			return parse_scaled(s, f);
		push_number_or_name(s, f);
		return true;
	case K_HEX:
		push_hex_or_name(s, f);
		return true;
	case K_RANGE:
		return parse_range(s, f);
	case K_TABLE:
	case K_OPTION:
	case K_TTL:
	case K_SIGNED:
		push_number_or_name(s, f);
		return true;
	case K_REALM:
		push_realm(s, f);
		return true;
	case K_PREFIX:
	case K_ADDRESS:
		push_address(s);
		return true;
	case K_UNITS:
	case K_HMAC:
	case K_WEIGHT:
	case K_SEGMENTS:
		push_number_or_text(s, 10);
		return true;
	case K_MEMBER: /* 100, 100sec, forever */
		if (strcmp(s->token, "forever") != 0)
			return parse_scaled(s, f);
		lua_pushliteral(s->L, "forever");
		return true;
	default:
		lua_pushlstring(s->L, s->token, s->length);
		return true;
	}
}
