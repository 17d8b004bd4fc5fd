/*
 * Splits text in the syntax of ip(8) into words.
 */
#define _GNU_SOURCE
#include "rtnl/text/lexer.h"

#include <stdio.h>
#include <string.h>

#include "common/export.h"

static inline bool is_blank(char c)
{
	static const bool blank[256] = {
		[' '] = true, ['\t'] = true, ['\n'] = true, ['\r'] = true, ['\\'] = true};
	return blank[(uint8_t)c];
}

bool fault(struct scan *s, const char *format)
{
	if (!s->fault) {
		s->fault = format;
		memcpy(s->fault_token, s->token, sizeof(s->fault_token));
	}
	return false;
}

bool next(struct scan *s)
{
	const char *at = s->at, *end = s->end;
	while (at < end && is_blank(*at))
		at++;
	const char *from = at;
	while (at < end && !is_blank(*at))
		at++;
	size_t n = (size_t)(at - from), kept = n < TOKEN_MAX ? n : TOKEN_MAX;
	memcpy(s->token, from, kept);
	s->token[kept] = 0;
	s->length = kept;
	s->at = at;
	if (n > TOKEN_MAX)
		return fault(s, "'%s...' is too long for a word");
	if (memchr(s->token, 0, n))
		return fault(s, "a zero byte behind '%s'");
	return n > 0;
}

/* Reads the next token if it is `word`; else the token read last stays. */
bool take(struct scan *s, const char *word)
{
	const char *at = s->at;
	size_t n = strlen(word);
	while (at < s->end && is_blank(*at))
		at++;
	size_t left = (size_t)(s->end - at);
	if (left < n || memcmp(at, word, n) != 0 || (left > n && !is_blank(at[n])))
		return false;
	return next(s);
}

bool need(struct scan *s, const char *what)
{
	while (s->at < s->end && is_blank(*s->at))
		s->at++;
	if (s->at < s->end)
		return next(s);
	if (what != s->token)
		snprintf(s->token, sizeof(s->token), "%s", what);
	return fault(s, "a value is missing behind '%s'");
}
