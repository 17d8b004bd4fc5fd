/*
 * Appends words and numbers to the printed text, separated by blanks.
 */
#define _GNU_SOURCE
#include "rtnl/text/print.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "common/export.h"

void print_raw(struct print *p, const char *text, size_t length)
{
	memcpy(buffer_reserve(p->L, p->out, length), text, length);
}

void print_chars(struct print *p, const char *text, size_t length)
{
	const uint8_t *base = p->out->base;
	size_t n = p->out->length;
	if (n > 0 && base[n - 1] != '\n' && base[n - 1] != '\t')
		print_raw(p, " ", 1);
	print_raw(p, text, length);
}

/* A word, with a blank before it except at the start of a line. */
void print_word(struct print *p, const char *text)
{
	print_chars(p, text, strlen(text));
}

void print_text(struct print *p, const char *text)
{
	print_raw(p, text, strlen(text));
}

/* 0x1f; after a slash without a blank: 0x10/0xff */
void print_hex_number(struct print *p, lua_Integer n)
{
	char text[24];
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)n);
	if (p->out->length && p->out->base[p->out->length - 1] == '/')
		print_text(p, text);
	else
		print_word(p, text);
}

void print_value_text(struct print *p)
{
	luaL_tolstring(p->L, -1, NULL);
	print_text(p, lua_tostring(p->L, -1));
	lua_pop(p->L, 2);
}

void print_number(struct print *p, long long value)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%lld", value);
	print_chars(p, digits, (size_t)n);
}

/* The value on top of the stack as a word; no string is made of a number. [v] -> [] */
void print_value(struct print *p, const char *unit)
{
	lua_State *L = p->L;
	int top = lua_gettop(L);
	size_t length;
	if (lua_isinteger(L, -1)) {
		print_number(p, lua_tointeger(L, -1));
	} else {
		const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length)
								  : luaL_tolstring(L, -1, &length);
		print_chars(p, text, length);
	}
	if (*unit)
		print_raw(p, unit, strlen(unit));
	lua_settop(L, top - 1);
}

const char *field_word(const struct field *f)
{
	return *f->show ? f->show : f->key;
}

void print_push(struct print *p)
{
	lua_pushlstring(p->L, p->out->base ? (const char *)p->out->base : "", p->out->length);
	p->out->length = 0;
}

/* [list] -> []: a blank, then its elements with the separator between them */
void print_list(struct print *p, const char *separator)
{
	lua_State *L = p->L;
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
		luaL_tolstring(L, -1, NULL);
		const char *text = lua_tostring(L, -1);
		print_text(p, i > 1 ? separator : " ");
		print_text(p, text);
		lua_pop(L, 2);
	}
	lua_pop(L, 2);
}
