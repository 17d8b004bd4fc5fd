/*
 * Parses values in the syntax of ip(8), one function for each type of field.
 */
#include "rtnl/text/lexer.h"

#include "common/addr.h"
#include "rtnl/base/rt_names.h"
#include "rtnl/netlink/attr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/export.h"

static struct value token_value(struct scan *s)
{
	return part_text(&s->parts, s->token, s->length);
}

struct value number_or_text(struct scan *s, int base)
{
	char *rest;
	const char *t = s->token;
	if ((t[0] >= '0' && t[0] <= '9') || (t[0] == '-' && t[1]) || base == 16) {
		long long n = strtoll(t, &rest, strncmp(t, "0x", 2) == 0 ? 16 : base);
		if (*rest == 0)
			return integer_value(n);
	}
	return token_value(s);
}

/* A name of /etc/iproute2, or the token as it is. */
static struct value named_value(struct scan *s, enum word_list words)
{
	struct value v;
	lua_pushlstring(s->L, s->token, s->length);
	rt_name_swap(s->L, words);
	v = lua_isinteger(s->L, -1) ? integer_value(lua_tointeger(s->L, -1)) : token_value(s);
	lua_pop(s->L, 1);
	return v;
}

/* A name that is none of the field's words may be in /etc/iproute2. */
static struct value number_or_name(struct scan *s, const struct field *f)
{
	struct value v = number_or_text(s, 10);
	if (f->words && is_text(&v) && !word_by_name(f->words, s->token))
		return named_value(s, f->words);
	return v;
}

/* ip(8) reads a tos as a name, or as hexadecimal with or without 0x. */
static struct value hex_or_name(struct scan *s, const struct field *f)
{
	if (!f->words)
		return number_or_text(s, 10);
	struct value v = named_value(s, f->words);
	if (is_text(&v) && !word_by_name(f->words, s->token))
		return number_or_text(s, 16);
	return v;
}

/* "5", "3/5", each part by number or name */
static struct value realm_value(struct scan *s, const struct field *f)
{
	char *slash = strchr(s->token, '/');
	if (!slash)
		return number_or_name(s, f);
	char text[2 * TOKEN_MAX];
	size_t whole = s->length;
	*slash = 0;
	s->length = (size_t)(slash - s->token);
	struct value from = number_or_name(s, f);
	size_t n = is_text(&from)
			   ? (size_t)snprintf(text, sizeof(text), "%s/", from.text)
			   : (size_t)snprintf(text, sizeof(text), "%lld/", (long long)from.integer);
	s->length = whole - s->length - 1;
	memmove(s->token, slash + 1, s->length + 1);
	struct value to = number_or_name(s, f);
	n += is_text(&to)
		     ? (size_t)snprintf(text + n, sizeof(text) - n, "%s", to.text)
		     : (size_t)snprintf(text + n, sizeof(text) - n, "%lld", (long long)to.integer);
	return part_text(&s->parts, text, n < sizeof(text) ? n : sizeof(text) - 1);
}

/* The prefix length of a mask such as 255.255.0.0; 99, an invalid length, for a mask with holes; -1
 * where the text is no mask. */
static int mask_length(const char *text)
{
	uint8_t mask[4];
	int bits = 0;
	if (!text_to_ip4(text, strlen(text), mask) || text[strspn(text, "0123456789.")])
		return -1;
	uint32_t m = (uint32_t)read_uint(mask, 4, true);
	while (bits < 32 && m >> (31 - bits) & 1)
		bits++;
	return (uint64_t)m << bits & UINT32_MAX ? 99 : bits;
}

/* "10.9/16", "0/0", "10.1": missing numbers are zero, and a mask may replace the length. `before`
 * is put before the result. */
static struct value address_value(struct scan *s, const char *before)
{
	static const char zeros[] = ".0.0.0";
	char text[TOKEN_MAX + 32];
	size_t dots = 0;
	const char *t = s->token, *slash = strchr(t, '/');
	size_t n = strspn(t, "0123456789.");
	for (size_t i = 0; i < n; i++)
		dots += t[i] == '.';
	bool short_form = n > 0 && dots <= 3 && t[n - 1] != '.' && (!t[n] || t + n == slash);
	int bits = short_form && slash ? mask_length(slash + 1) : -1;
	if (!*before && (!short_form || (dots == 3 && bits < 0)))
		return token_value(s);
	if (!short_form)
		snprintf(text, sizeof(text), "%s%s", before, t);
	else if (bits >= 0)
		snprintf(text, sizeof(text), "%s%.*s%s/%d", before, (int)n, t, &zeros[2 * dots],
			 bits);
	else
		snprintf(text, sizeof(text), "%s%.*s%s%s", before, (int)n, t, &zeros[2 * dots],
			 slash ? slash : "");
	return part_text(&s->parts, text, strlen(text));
}

/* 100ms, 2s, 96sec: in the field's unit, milliseconds or seconds. A number without a unit is
 * seconds, of the metrics rtt and rttvar the value on the wire: 1/8 and 1/4 ms. */
static bool parse_scaled(struct scan *s, const struct field *f, struct value *v)
{
	char *unit;
	double n = strtod(s->token, &unit);
	bool ms = *f->unit && strcmp(f->unit, "ms") == 0;
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
	struct value number = {.type = VALUE_NUMBER, .number = n};
	lua_Integer whole;
	*v = whole_number(&number, &whole) ? integer_value(whole) : number;
	return true;
}

/* A word of a list: a number where it is one. */
static struct value list_word(struct scan *s, const char *text)
{
	struct value v;
	if (!lua_stringtonumber(s->L, text))
		return part_text(&s->parts, text, strlen(text));
	v = lua_value(s->L, lua_gettop(s->L));
	v.index = 0;
	lua_pop(s->L, 1);
	return v;
}

/* Words or numbers between separators, as a list. */
struct value split(struct scan *s, char separator)
{
	char *p = s->token;
	struct value list = part_new(&s->parts);
	while (p) {
		char *stop = strchr(p, separator);
		if (stop)
			*stop = 0;
		struct value one = list_word(s, p);
		part_add(&s->parts, &list, &one);
		p = stop ? stop + 1 : NULL;
	}
	return list;
}

static void set_number(struct scan *s, const struct value *part, const char *key, unsigned long n)
{
	struct value v = integer_value((lua_Integer)n);
	part_set(&s->parts, part, key, &v);
}

/* 1/2,5 -> { { id = 1 }, { id = 2, weight = 5 } } */
static bool parse_group(struct scan *s, struct value *list)
{
	char *p = s->token;
	*list = part_new(&s->parts);
	while (p) {
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
		struct value member = part_new(&s->parts);
		set_number(s, &member, "id", id);
		set_number(s, &member, "weight", weight);
		part_add(&s->parts, list, &member);
		p = *rest ? rest + 1 : NULL;
	}
	return true;
}

static bool has_word(struct scan *s, const struct value *part, const char *key, const char *word)
{
	struct value v = part_get(s->parts.bytes, part, key);
	return is_word(&v, word);
}

/* fc00::1 fc00::2 ] -> list; inline, the last is the placeholder of the packet's destination. */
static struct value printed_segs(struct scan *s, const struct value *part)
{
	bool inlined = has_word(s, part, "mode", "inline") || has_word(s, part, "action", "End.B6");
	struct value list = part_new(&s->parts), last = {.type = VALUE_NONE};
	while (need(s, "segs [") && strcmp(s->token, "]") != 0) {
		if (last.type != VALUE_NONE)
			part_add(&s->parts, &list, &last);
		last = token_value(s);
	}
	if (last.type != VALUE_NONE && (!inlined || part_count(s->parts.bytes, &list) == 0))
		part_add(&s->parts, &list, &last);
	return list;
}

/* "segs fc00::1,fc00::2" as typed, "segs 2 [ fc00::1 fc00::2 ]" as printed: into `segs` of the
 * part. */
bool parse_segs(struct scan *s, const struct value *part)
{
	if (!need(s, "segs"))
		return false;
	struct value list = take(s, "[") ? printed_segs(s, part) : split(s, ',');
	part_set(&s->parts, part, "segs", &list);
	return !s->fault;
}

/* "inet6 fe80::1": a gateway of the other family, which only routes have. */
static bool parse_via(struct scan *s, const struct field *f, struct value *v)
{
	bool inet6 = strcmp(s->token, "inet6") == 0;
	if ((inet6 || strcmp(s->token, "inet") == 0) && !need(s, "via"))
		return false;
	*v = address_value(s, inet6 && f->offset ? "inet6 " : "");
	return true;
}

/* A flag; those of links are followed by on or off. */
static bool parse_switch(struct scan *s, const struct field *f, struct value *v)
{
	bool value = true;
	if (take(s, "off") || (f->type == FIELD_BOOL && (take(s, "0") || take(s, "disabled"))))
		value = false;
	else if (!take(s, "on") && f->type == FIELD_BOOL && !take(s, "1") && !take(s, "enabled") &&
		 !(f->flags & F_FLAG))
		return fault(s, "on or off is missing behind '%s'");
	*v = boolean_value(value);
	return true;
}

/* "5-9"; "100 200" of a field with a unit */
static bool parse_range(struct scan *s, const struct field *f, struct value *v)
{
	char text[2 * TOKEN_MAX + 2];
	*v = token_value(s);
	if (!*f->unit)
		return true;
	snprintf(text, sizeof(text), "%s", s->token);
	if (!need(s, f->key))
		return false;
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "-%s", s->token);
	*v = part_text(&s->parts, text, strlen(text));
	return true;
}

bool parse_value(struct scan *s, const struct field *f, bool positional, struct value *v)
{
	if (f->type == FIELD_BIT || f->type == FIELD_FLAG || f->type == FIELD_BOOL ||
	    f->type == FIELD_COUNT)
		return parse_switch(s, f, v);
	if (!positional && !need(s, s->token))
		return false;
	switch (f->type) {
	case FIELD_SCALED:
		return parse_scaled(s, f, v);
	case FIELD_VIA:
		return parse_via(s, f, v);
	case FIELD_GROUP:
		return parse_group(s, v);
	case FIELD_RANGE:
		return parse_range(s, f, v);
	case FIELD_MEMBER: /* 100, 100sec, forever */
		if (strcmp(s->token, "forever") != 0)
			return parse_scaled(s, f, v);
		*v = token_value(s);
		return true;
	case FIELD_INT:
		if (*f->unit)
			return parse_scaled(s, f, v);
		*v = number_or_name(s, f);
		return true;
	case FIELD_BITS:
		*v = split(s, ',');
		return true;
	case FIELD_HEX:
		*v = hex_or_name(s, f);
		return true;
	case FIELD_TABLE:
	case FIELD_OPTION:
	case FIELD_TTL:
	case FIELD_SIGNED:
		*v = number_or_name(s, f);
		return true;
	case FIELD_REALM:
		*v = realm_value(s, f);
		return true;
	case FIELD_PREFIX:
	case FIELD_ADDRESS:
		*v = address_value(s, "");
		return true;
	case FIELD_UNITS:
	case FIELD_HMAC:
	case FIELD_WEIGHT:
	case FIELD_SEGMENTS:
		*v = number_or_text(s, 10);
		return true;
	default:
		*v = token_value(s);
		return true;
	}
}
