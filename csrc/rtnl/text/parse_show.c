/*
 * What `ip link` and `ip addr` print -> the words that would be typed for it. Of the other objects
 * both are the same; these two begin with a number, a name and flags, and leave words out.
 */
#include "rtnl/text/lexer.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct typist {
	struct scan s;
	luaL_Buffer text;
	char dev[TOKEN_MAX + 1];   /* the interface */
	char lower[TOKEN_MAX + 1]; /* what stands behind its @ */
	int table;		   /* stack index of what is no word */
	bool kind;		   /* the kind was named: it is but once */
	bool port;		   /* behind bridge_slave, where words are the port's */
};

static void type_word(struct typist *t, const char *word)
{
	luaL_addstring(&t->text, word);
	luaL_addchar(&t->text, ' ');
}

static bool among(const char *const *words, const char *word)
{
	while (*words && strcmp(*words, word) != 0)
		words++;
	return *words;
}

/* "3: v1@p1:", "3: v1": the interface; false where the text begins in another way. */
static bool read_head(struct typist *t)
{
	struct scan before = t->s;
	if (!next(&t->s) || !isdigit((unsigned char)*t->s.token) ||
	    t->s.token[t->s.length - 1] != ':' || !next(&t->s)) {
		t->s = before;
		return false;
	}
	char *at = strchr(t->s.token, '@');
	t->s.token[strcspn(t->s.token, ":")] = 0;
	if (at) {
		*at = 0;
		snprintf(t->lower, sizeof(t->lower), "%s", at + 1);
	}
	memcpy(t->dev, t->s.token, sizeof(t->dev));
	return true;
}

/* --- links ----------------------------------------------------------------------------------- */

static bool is_flag(const char *flags, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = flags; (p = strstr(p, word)); p += n)
		if (strchr("<,", p[-1]) && strchr(",>", p[n]))
			return true;
	return false;
}

/* <BROADCAST,MULTICAST,UP>: all that can be set, on or off */
static void type_flags(struct typist *t, const char *flags)
{
	static const struct {
		const char *flag, *set, *clear;
	} words[] = {
		{"UP", "up", "down"},
		{"NOARP", "arp off", "arp on"},
		{"MULTICAST", "multicast on", "multicast off"},
		{"ALLMULTI", "allmulticast on", "allmulticast off"},
		{"PROMISC", "promisc on", "promisc off"},
		{"DYNAMIC", "dynamic on", "dynamic off"},
		{"NOTRAILERS", "trailers off", "trailers on"},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		type_word(t, is_flag(flags, words[i].flag) ? words[i].set : words[i].clear);
}

/* link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff */
static void type_hardware(struct typist *t)
{
	struct scan before = t->s;
	if (!next(&t->s) || !strchr(t->s.token, ':')) {
		t->s = before;
		return;
	}
	type_word(t, "address");
	type_word(t, t->s.token);
	if (take(&t->s, "brd") && next(&t->s)) {
		type_word(t, "broadcast");
		type_word(t, t->s.token);
	} else if (take(&t->s, "peer")) {
		next(&t->s);
	}
}

/* To the end of the line, blanks and all. */
static void keep_alias(struct typist *t)
{
	struct scan *s = &t->s;
	while (s->at < s->end && *s->at == ' ')
		s->at++;
	const char *from = s->at;
	while (s->at < s->end && *s->at != '\n' && *s->at != '\\')
		s->at++;
	lua_pushlstring(s->L, from, (size_t)(s->at - from));
	lua_setfield(s->L, t->table, "alias");
}

/* The kind, alone on its line, and the link below where it is no pair's other end. */
static void type_kind(struct typist *t)
{
	bool pair = strcmp(t->s.token, "veth") == 0;
	if (*t->lower && !pair && strcmp(t->lower, "NONE") != 0) {
		type_word(t, "link");
		type_word(t, t->lower);
	}
	type_word(t, "type");
	type_word(t, t->s.token);
	t->kind = true;
}

static void type_port(struct typist *t)
{
	type_word(t, "port bridge");
	t->port = true;
}

static void type_of_link(struct typist *t)
{
	/* told besides, and not to be set */
	static const char *const passed[] = {
		"qdisc",   "addrgenmode",	 "permaddr",	     "link-netnsid", "link-netns",
		"altname", "group_fwd_mask_str", "mcast_fast_leave", NULL,
	};
	const char *word = t->s.token;
	if (*word == '<')
		type_flags(t, word);
	else if (among(passed, word) || (!t->port && strcmp(word, "state") == 0))
		next(&t->s);
	else if (strncmp(word, "link/", 5) == 0)
		type_hardware(t);
	else if (strcmp(word, "alias") == 0)
		keep_alias(t);
	else if (strcmp(word, "bridge_slave") == 0)
		type_port(t);
	else if (!t->kind && link_kind(word))
		type_kind(t);
	else
		type_word(t, word);
}

/* --- addresses ------------------------------------------------------------------------------- */

/* "v1", "v1:x": the label; its beginning is the interface where nothing else says so */
static void type_label(struct typist *t)
{
	type_word(t, "label");
	type_word(t, t->s.token);
	if (!*t->dev) {
		t->s.token[strcspn(t->s.token, ":")] = 0;
		memcpy(t->dev, t->s.token, sizeof(t->dev));
	}
}

static bool is_address_flag(const char *word)
{
	for (const struct field *f = schema_addr.rows; f->kind != K_NONE; f++)
		if (f->kind == K_BIT && strcmp(f->show ? f->show : f->key, word) == 0)
			return true;
	return strcmp(word, "temporary") == 0;
}

static void type_of_address(struct typist *t)
{
	static const char *const families[] = {"inet", "inet6", "dynamic", NULL};
	static const char *const valued[] = {"peer",  "metric",	   "brd",	    "any",
					     "scope", "valid_lft", "preferred_lft", NULL};
	const char *word = t->s.token;
	if (among(families, word))
		return;
	if (among(valued, word)) {
		type_word(t, word);
		if (next(&t->s))
			type_word(t, t->s.token);
	} else if (is_address_flag(word) || strchr(word, '/') || strspn(word, "0123456789.") > 6 ||
		   strchr(word, ':') < strrchr(word, ':')) {
		type_word(t, word);
	} else {
		type_label(t);
	}
}

/* --- both ------------------------------------------------------------------------------------ */

/* Pushes what would be typed for a text that was printed, and a table of what no word says; or
 * nothing, where it was typed. [] -> [text, table] */
bool push_typed(lua_State *L, const struct object *object, const char *text, size_t length)
{
	bool link = object->schema == &schema_link;
	struct typist t = {.s = {.L = L, .object = object, .at = text, .end = text + length}};
	if (!link && object->schema != &schema_addr)
		return false;
	bool head = read_head(&t);
	struct scan before = t.s;
	if (!head && (link || !(take(&t.s, "inet") || take(&t.s, "inet6"))))
		return false;
	t.s = before;
	lua_newtable(L);
	t.table = lua_gettop(L);
	luaL_buffinit(L, &t.text);
	if (link)
		type_word(&t, t.dev);
	while (next(&t.s))
		link ? type_of_link(&t) : type_of_address(&t);
	if (!link && *t.dev) {
		type_word(&t, "dev");
		type_word(&t, t.dev);
	}
	luaL_pushresult(&t.text);
	lua_insert(L, -2);
	return true;
}
