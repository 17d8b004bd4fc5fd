/*
 * What people type after `ip route add` -> the table that the encoder takes. The words are those of
 * the rows; beside them stand the few spellings of ip(8) that are no row's word. What ip(8) prints
 * is read as well: words for what only the kernel sets (dead, linkdown, ...) describe a state and
 * are passed over.
 */
#include "rtnl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TOKEN_MAX = 255
};

struct scan {
	lua_State *L;
	const struct object *object;
	const char *at, *end;
	char token[TOKEN_MAX + 1]; /* the token read last */
	size_t length;
	const char *fault; /* first error: a format for `culprit` */
	char culprit[TOKEN_MAX + 1];
};

static const char not_understood[] = "'%s' is not understood";

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\\';
}

static bool fault(struct scan *s, const char *format)
{
	if (!s->fault) {
		s->fault = format;
		memcpy(s->culprit, s->token, sizeof(s->culprit));
	}
	return false;
}

static bool next(struct scan *s)
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
static bool take(struct scan *s, const char *word)
{
	struct scan before = *s;
	if (next(s) && strcmp(s->token, word) == 0)
		return true;
	*s = before;
	return false;
}

static bool need(struct scan *s, const char *what)
{
	char asked[TOKEN_MAX + 1];
	snprintf(asked, sizeof(asked), "%s", what);
	if (next(s))
		return true;
	memcpy(s->token, asked, sizeof(asked));
	return fault(s, "a value is missing behind '%s'");
}

/* --- values: each leaves one value on the stack ---------------------------------------------- */

static bool parse_fields(struct scan *s, const struct schema *schema, bool whole);

static void push_number_or_text(struct scan *s, int base)
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
	if (strcmp(unit, "s") == 0 || strcmp(unit, "sec") == 0)
		n *= ms ? 1000 : 1;
	else if (strcmp(unit, "ms") == 0)
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
		unsigned long id = strtoul(p, &rest, 10), weight = 1;
		if (rest == p)
			return fault(s, "'%s' is not a group like 1/2,5");
		if (*rest == ',') {
			p = rest + 1;
			weight = strtoul(p, &rest, 10);
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
static bool parse_segs(struct scan *s)
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

static bool parse_encap(struct scan *s, const struct field *f)
{
	const struct variant *v = variant_by_name(f->variants, s->token);
	if (!v)
		return fault(s,
			     "'%s' is no encapsulation: mpls, ip, ip6, seg6 or seg6local expected");
	lua_newtable(s->L);
	lua_pushstring(s->L, v->name);
	lua_setfield(s->L, -2, "type");
	if (v->schema->rows[0].kind == K_LABELS) {
		if (!need(s, "mpls"))
			return false;
		push_split(s, '/');
		lua_setfield(s->L, -2, v->schema->rows[0].key);
	}
	return parse_fields(s, v->schema, false);
}

static bool parse_via(struct scan *s)
{
	bool inet6 = strcmp(s->token, "inet6") == 0;
	if ((inet6 || strcmp(s->token, "inet") == 0) && !need(s, "via"))
		return false;
	lua_pushstring(s->L, inet6 ? "inet6 " : "");
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

/* [] -> [value]; the token is the field's word, or for bare fields already its value */
static bool parse_value(struct scan *s, const struct field *f, bool bare)
{
	if (f->kind == K_BIT || f->kind == K_FLAG || f->kind == K_BOOL || f->kind == K_COUNT)
		return parse_switch(s, f);
	if (f->kind == K_PEER) {
		lua_newtable(s->L);
		return parse_fields(s, f->sub, true);
	}
	if (!bare && !need(s, s->token))
		return false;
	switch (f->kind) {
	case K_SCALED:
		return parse_scaled(s, f);
	case K_ENCAP:
		return parse_encap(s, f);
	case K_VIA:
		return parse_via(s);
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
	case K_HEX: /* ip(8) reads a tos as hexadecimal, with or without 0x */
		push_number_or_text(s, strcmp(f->key, "tos") == 0 ? 16 : 10);
		return true;
	case K_TABLE:
		push_number_or_name(s, f);
		return true;
	case K_PREFIX:
	case K_ADDRESS:
		push_address(s);
		return true;
	case K_SIGNED:
	case K_HMAC:
	case K_WEIGHT:
	case K_SEGMENTS:
	case K_REALM:
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

/* --- words -> fields ------------------------------------------------------------------------- */

/* Spellings of ip(8) beside the words of the rows. */
static const struct spelling {
	const char *object, *word, *row;
} spellings[] = {
	{"route", "to", "dst"},
	{"route", "protocol", "proto"},
	{"route", "preference", "metric"},
	{"route", "priority", "metric"},
	{"route", "oif", "dev"},
	{"route", "dsfield", "tos"},
	{"route", "realms", "realm"},
	{"next hop", "oif", "dev"},
	{"next hop", "realms", "realm"},
	{"flow", "to", "dst"},
	{"flow", "dev", "dev"},
	{"flow", "dsfield", "tos"},
	{"flow", "oif", "dev"},
	{"flow", "from", "src"},
	{"nexthop", "protocol", "proto"},
	{"nexthop", "oif", "dev"},
	{"link", "arp", "noarp"},
	{"link", "txqlen", "txqueuelen"},
	{"link", "qlen", "txqueuelen"},
	{"link", "ifname", "name"},
	{"link", "brd", "broadcast"},
	{"address", "local", "address"},
	{"address", "broadcast", "broadcast"},
	{"rule", "table", "table"},
	{"rule", "pref", "priority"},
	{"rule", "preference", "priority"},
	{"rule", "order", "priority"},
	{"rule", "dsfield", "tos"},
	{"rule", "dev", "iif"},
	{"rule", "realms", "realm"},
	{"rule", "type", "action"},
	{"neighbour", "to", "dst"},
	{"neighbour", "state", "state"},
	{"vxlan", "group", "remote"},
	{"vxlan", "port", "dstport"},
	{"vxlan", "vni", "id"},
	{"rule", "sup_pl", "suppress_prefixlength"},
	{"rule", "suppress_prefix", "suppress_prefixlength"},
	{"rule", "protocol", "proto"},
	{"neighbour", "protocol", "proto"},
	{"address", "brd", "broadcast"},
	{"address", "preference", "metric"},
	{"address", "priority", "metric"},
	{NULL, NULL, NULL},
};

static const char *spelled(const struct schema *schema, const char *word)
{
	for (const struct spelling *x = spellings; x->object; x++)
		if (strcmp(x->word, word) == 0 && strcmp(x->object, schema->name) == 0)
			return x->row;
	return NULL;
}

static bool same_word(const struct field *f, const char *word, const char *row)
{
	if (!f->key)
		return false;
	return row ? strcmp(f->key, row) == 0 : strcmp(f->show ? f->show : f->key, word) == 0;
}

/* The rows that the `type` (or `port`) found so far selects, or NULL. */
static const struct schema *variant_so_far(struct scan *s, const struct field *f)
{
	const struct variant *v = NULL;
	if (lua_getfield(s->L, -1, f->key) == LUA_TSTRING)
		v = variant_by_name(f->variants, lua_tostring(s->L, -1));
	lua_pop(s->L, 1);
	return v ? v->schema : NULL;
}

/* The row of a word behind `type KIND`, where words belong to the kind first. */
static const struct field *row_of_kind(struct scan *s, const struct field *rows, const char *word)
{
	for (const struct field *f = rows; f->kind != K_NONE; f++) {
		const struct field *inner = NULL;
		const struct schema *kind = f->kind == K_UNION ? variant_so_far(s, f) : NULL;
		if (f->kind == K_NEST && (f->flags & F_HOIST))
			inner = row_of_kind(s, f->sub->rows, word);
		for (const struct field *g = kind ? kind->rows : NULL;
		     g && g->kind != K_NONE && !inner; g++)
			if (same_word(g, word, spelled(kind, word)))
				inner = g;
		if (inner)
			return inner;
	}
	return NULL;
}

/* The row of a word, through hoisted nests. */
static const struct field *row_of_word(const struct field *rows, const char *word, const char *row)
{
	for (const struct field *f = rows; f->kind != K_NONE; f++) {
		const struct field *inner = NULL;
		if (f->kind == K_NEST && (f->flags & F_HOIST))
			inner = row_of_word(f->sub->rows, word, row);
		else if (same_word(f, word, row) && f->kind != K_FAMILY)
			inner = f;
		if (inner)
			return inner;
	}
	return NULL;
}

/* Words that set a field to a fixed value; those without a field only lead to the next word. */
static bool parse_fixed(struct scan *s, const struct schema *schema)
{
	static const struct {
		const char *schema, *word, *key;
		int boolean;
		const char *text;
	} fixed[] = {
		{"link", "down", "up", 0, NULL},
		{"link", "nomaster", "master", 0, NULL},
		{"link", "nolearning", "learning", 0, NULL},
		{"link", "noudpcsum", "udpcsum", 0, NULL},
		{"link", "noproxy", "proxy", 0, NULL},
		{"link", "norsc", "rsc", 0, NULL},
		{"link", "nol2miss", "l2miss", 0, NULL},
		{"link", "nol3miss", "l3miss", 0, NULL},
		{"link", "noexternal", "external", 0, NULL},
		{"seg6local encap", "srh", NULL, 0, NULL},
		{"rule", "[l3mdev-table]", "l3mdev", 1, NULL},
		{"rule", "[detached]", NULL, 0, NULL},
		{"rule", "[unresolved]", NULL, 0, NULL},
		{"rule", "blackhole", "action", -1, "blackhole"},
		{"rule", "prohibit", "action", -1, "prohibit"},
		{"rule", "unreachable", "action", -1, "unreachable"},
		{"rule", "nop", "action", -1, "nop"},
	};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (strcmp(fixed[i].word, s->token) != 0 ||
		    strcmp(fixed[i].schema, schema->name) != 0)
			continue;
		if (!fixed[i].key)
			return true;
		if (fixed[i].text)
			lua_pushstring(s->L, fixed[i].text);
		else
			lua_pushboolean(s->L, fixed[i].boolean);
		lua_setfield(s->L, -2, fixed[i].key);
		return true;
	}
	return false;
}

static bool parse_row(struct scan *s, const struct field *f, bool bare);

/* One more of a list: "nexthop via 10.0.0.1 weight 2"; "vid 10 pvid", where the word has a value.
 */
static bool parse_member(struct scan *s, const struct field *f)
{
	lua_State *L = s->L;
	if (lua_getfield(L, -1, f->key) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, f->key);
	}
	lua_newtable(L);
	if (f->kind == K_STRUCTS && !parse_row(s, f->sub->rows, false))
		return false;
	if (!parse_fields(s, f->sub, false))
		return false;
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
	return true;
}

/* "mtu lock 1400": the name goes to the list `lock`. */
static void note_lock(struct scan *s, const struct field *f)
{
	lua_State *L = s->L;
	if (lua_getfield(L, -1, "lock") != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "lock");
	}
	lua_pushstring(L, f->key);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

/* "v1 name v9": what stood alone is the link, what follows its new name. [table] -> [table] */
static void rename_link(lua_State *L)
{
	if (lua_getfield(L, -1, "name") == LUA_TSTRING) {
		lua_setfield(L, -2, "dev");
		lua_pushnil(L);
		lua_setfield(L, -2, "name");
	} else {
		lua_pop(L, 1);
	}
}

/* "0x10/0xff": mark and mask. [table, text] -> [table, mark] */
static void split_mark(struct scan *s)
{
	lua_State *L = s->L;
	char *slash = strchr(s->token, '/');
	if (!slash)
		return;
	lua_pop(L, 1);
	lua_pushstring(L, slash + 1);
	lua_setfield(L, -2, "fwmask");
	*slash = 0;
	s->length = (size_t)(slash - s->token);
	push_number_or_text(s, 10);
}

/* Stores a value under its key, where ip(8) has ways of its own to say it. [table, value] ->
 * [table] */
static void set_value(struct scan *s, const struct field *f, bool inverse)
{
	lua_State *L = s->L;
	if (inverse) { /* arp on: not noarp */
		lua_pushboolean(L, !lua_toboolean(L, -1));
		lua_replace(L, -2);
	}
	if (f->kind == K_HEX && strcmp(f->key, "fwmark") == 0)
		split_mark(s);
	bool text = lua_type(L, -1) == LUA_TSTRING;
	if (text && strcmp(f->key, "type") == 0 &&
	    strcmp(lua_tostring(L, -1), "bridge_slave") == 0) {
		lua_pop(L, 1);
		lua_pushliteral(L, "bridge");
		lua_setfield(L, -2, "port");
	} else if (text && strcmp(f->key, "broadcast") == 0 &&
		   strcmp(lua_tostring(L, -1), "+") == 0) {
		lua_pop(L, 1); /* the prefix's own, as without the word */
	} else {
		lua_setfield(L, -2, f->key);
	}
}

/* Whether the table on top of the stack has the field already. */
static bool given(struct scan *s, const struct field *f)
{
	bool there = lua_getfield(s->L, -1, f->key) != LUA_TNIL;
	lua_pop(s->L, 1);
	return there;
}

static bool parse_row(struct scan *s, const struct field *f, bool bare)
{
	bool metric = s->object->schema == &schema_route && !(f->flags & F_HEADER) &&
		      word_by_name(words_locks, f->key);
	bool inverse = strcmp(s->token, "arp") == 0;
	if (f->kind == K_HOPS || f->kind == K_STRUCTS)
		return parse_member(s, f);
	if (f->kind == K_SEGMENTS && !f->words)
		return parse_segs(s);
	/* the kernel heeds a rto_min only when it is locked, so ip(8) always locks it */
	if (metric && (take(s, "lock") || strcmp(f->key, "rto_min") == 0))
		note_lock(s, f);
	if (s->object->schema == &schema_link && !bare && f->kind == K_STRING &&
	    strcmp(f->key, "name") == 0)
		rename_link(s->L);
	if (f->key && given(s, f))
		return fault(s, "'%s' is given twice");
	if (!parse_value(s, f, bare))
		return false;
	if (f->flags & F_READONLY)
		lua_pop(s->L, 1);
	else
		set_value(s, f, inverse && f->kind == K_BIT);
	return true;
}

/* The field that a word without a keyword before it fills: a route's type and destination, a link's
 * name, ... */
static const struct field *bare_field(struct scan *s, const struct schema *schema)
{
	for (const struct field *f = schema->rows; f->kind != K_NONE; f++) {
		bool name = schema == &schema_link && f->kind == K_STRING &&
			    strcmp(f->key, "name") == 0;
		const struct schema *inner = f->kind == K_UNION	  ? variant_so_far(s, f)
					     : f->flags & F_HOIST ? f->sub
								  : NULL;
		const struct field *bare = inner ? bare_field(s, inner) : NULL;
		if (bare)
			return bare;
		if (!(f->flags & F_BARE) && !name)
			continue;
		if (f->words && !word_by_name(f->words, s->token))
			continue;
		if (!given(s, f))
			return f;
	}
	return NULL;
}

/*
 * Reads fields into the table on top of the stack. `whole`: every word must be understood;
 * otherwise the first one that is not ends the part (a next hop inside a route).
 */
static bool parse_fields(struct scan *s, const struct schema *schema, bool whole)
{
	luaL_checkstack(s->L, 12, "too many values");
	for (;;) {
		struct scan before = *s;
		if (!next(s))
			return !s->fault;
		const char *row = spelled(schema, s->token);
		const struct field *f = row_of_kind(s, schema->rows, s->token);
		bool bare = false;
		if (!f)
			f = row_of_word(schema->rows, s->token, row);
		if (f && (schema->head == 0 || (!whole && f->flags & F_BARE)) &&
		    given(s, f)) { /* the second tos is no longer the tunnel's, the second vid the
				      next one's */
			*s = before;
			return true;
		}
		if (!f && schema == &schema_rule && s->length > 1 &&
		    s->token[s->length - 1] == ':') { /* 50: from all ... */
			s->token[--s->length] = 0;
			f = row_of_word(schema->rows, "priority", NULL);
			bare = true;
		}
		if (f && f->flags & F_BARE && !row && f->words && word_by_name(f->words, s->token))
			f = NULL;
		if (!f && parse_fixed(s, schema))
			continue;
		if (!f && whole) {
			f = bare_field(s, schema);
			bare = f != NULL;
		}
		if (!f && !whole) {
			*s = before;
			return true;
		}
		if (!f)
			return fault(s, not_understood);
		if (!parse_row(s, f, bare))
			return false;
	}
}

bool parse_words(lua_State *L, const struct object *object, const char *text, size_t length)
{
	struct scan s = {.L = L, .object = object, .at = text, .end = text + length};
	int top = lua_gettop(L);
	lua_newtable(L);
	if (parse_fields(&s, object->schema, true)) {
		lua_settop(L, top + 1);
		return true;
	}
	lua_settop(L, top);
	lua_pushfstring(L, s.fault, s.culprit);
	const char *near =
		s.fault == not_understood ? nearest_key(L, object->schema, s.culprit) : NULL;
	if (near) {
		lua_pushfstring(L, " (did you mean '%s'?)", near);
		lua_concat(L, 2);
	}
	return false;
}
