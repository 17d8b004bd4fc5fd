/*
 * Reads text word by word.
 */
#define _GNU_SOURCE
#include "rtnl/text/lexer.h"

#include <stdio.h>
#include <string.h>

#include "common/export.h"

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

/* Takes the next token only if it is `word`; else the token read last stays. */
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
	char asked[TOKEN_MAX + 1];
	snprintf(asked, sizeof(asked), "%s", what);
	if (next(s))
		return true;
	memcpy(s->token, asked, sizeof(asked));
	return fault(s, "a value is missing behind '%s'");
}
