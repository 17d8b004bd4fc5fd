/*
 * Prints fields of one value: numbers, words, flags, times.
 */
#include "rtnl/text/print.h"

#include "rtnl/base/rt_names.h"
#include "rtnl/codec/decoder.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "common/export.h"

static bool locked(const struct span *s, const struct field *f)
{
	const struct field *lock = s->schema->fields;
	const struct nlattr *a = lock->type == FIELD_BITS ? find_attr(s, lock->attr) : NULL;
	if (!a || payload_length(a) != 4 || f->attr > 31)
		return false;
	return read_uint(payload(a), 4, false) >> f->attr & 1;
}

void print_hex(struct print *p, const struct span *s, const struct field *f)
{
	char text[24];
	if (!push_field(p->L, s, f, p->names))
		return;
	print_word(p, field_word(f));
	if (f->words == WORDS_DSFIELD)
		rt_name_swap(p->L, f->words);
	if (lua_isinteger(p->L, -1)) {
		unsigned long long n = (unsigned long long)lua_tointeger(p->L, -1);
		bool small = n < 16 && s->schema == &schema_route && f->attr == RTA_MARK;
		snprintf(text, sizeof(text), small ? "%*llu" : "%#0*llx", (int)f->mask, n);
		lua_pushstring(p->L, text);
		lua_replace(p->L, -2);
	}
	print_value(p, "");
}

void print_single(struct print *p, const struct span *s, const struct field *f)
{
	if (!push_field(p->L, s, f, p->names)) {
		if (p->details && s->schema == &schema_nexthop && f->words == WORDS_PROTO)
			print_word(p, "proto unspec");
		return;
	}
	if (!(f->flags & F_POSITIONAL))
		print_word(p, field_word(f));
	if (locked(s, f))
		print_word(p, "lock");
	if (lua_isinteger(p->L, -1))
		rt_name_swap(p->L, f->words);
	print_value(p, f->unit);
}

/* Times of the metrics: whole milliseconds, from a second on in seconds */
void print_time(struct print *p, const struct span *s, const struct field *f)
{
	char text[32];
	if (!*f->unit || strcmp(f->unit, "ms") != 0) {
		print_single(p, s, f);
		return;
	}
	if (!push_field(p->L, s, f, p->names))
		return;
	unsigned long ms = (unsigned long)lua_tonumber(p->L, -1);
	lua_pop(p->L, 1);
	print_word(p, field_word(f));
	if (locked(s, f))
		print_word(p, "lock");
	snprintf(text, sizeof(text), ms >= 1000 ? "%gs" : "%gms",
		 ms >= 1000 ? (double)ms / 1000 : (double)ms);
	print_word(p, text);
}

/* realm 5, realms 7/5, by the names of /etc/iproute2 */
void print_realm(struct print *p, const struct span *s, const struct field *f)
{
	lua_State *L = p->L;
	const struct nlattr *a = find_attr(s, f->attr);
	if (!push_field(L, s, f, p->names))
		return;
	uint32_t value = (uint32_t)read_uint(payload(a), 4, false), from = value >> 16;
	lua_pop(L, 1);
	print_word(p, from ? "realms" : field_word(f));
	if (from) {
		lua_pushinteger(L, from);
		rt_name_swap(L, f->words);
		lua_pushliteral(L, "/");
	}
	lua_pushinteger(L, value & UINT16_MAX);
	rt_name_swap(L, f->words);
	lua_concat(L, from ? 3 : 1);
	print_value(p, "");
}

/* "learning", "nolearning"; in details not the default */
static void print_flag_word(struct print *p, const struct field *f, bool on)
{
	if (p->details && f->mask == (on ? SHOW_OFF : SHOW_ON))
		return;
	print_word(p, on ? field_word(f) : "no");
	if (!on)
		print_text(p, field_word(f));
}

void print_switch(struct print *p, const struct span *s, const struct field *f)
{
	if (!push_field(p->L, s, f, p->names))
		return;
	bool on = lua_toboolean(p->L, -1);
	lua_pop(p->L, 1);
	if (f->flags & F_FLAG) {
		print_flag_word(p, f, on);
		return;
	}
	if (f->type == FIELD_BOOL || on)
		print_word(p, field_word(f));
	if (f->type == FIELD_BOOL)
		print_word(p, on ? "on" : "off");
}

/* Seconds, right-aligned */
void print_timer(struct print *p, const struct span *s, const struct field *f)
{
	char text[32];
	if (!push_field(p->L, s, f, p->names))
		return;
	snprintf(text, sizeof(text), "%7.2f", (double)lua_tonumber(p->L, -1));
	lua_pop(p->L, 1);
	print_word(p, field_word(f));
	print_word(p, text);
}

/* 5-9, or "100 200" */
void print_range(struct print *p, const struct span *s, const struct field *f)
{
	if (!*f->unit) {
		print_single(p, s, f);
		return;
	}
	if (!push_field(p->L, s, f, p->names))
		return;
	print_word(p, field_word(f));
	luaL_gsub(p->L, lua_tostring(p->L, -1), "-", f->unit);
	print_value(p, "");
	lua_pop(p->L, 1);
}

void print_bits(struct print *p, const struct span *s, const struct field *f)
{
	if (!push_field(p->L, s, f, p->names))
		return;
	print_word(p, field_word(f));
	if (lua_rawlen(p->L, -1) == 0)
		print_word(p, "0x0");
	print_list(p, ",");
}

void print_labels(struct print *p, const struct span *s, const struct field *f)
{
	if (!push_field(p->L, s, f, p->names))
		return;
	print_list(p, "/");
}

void print_names(struct print *p, const struct span *s, const struct field *f)
{
	if (!push_field(p->L, s, f, p->names))
		return;
	print_word(p, field_word(f));
	print_list(p, " ");
}
