/*
 * What people type after `ip route add` -> the table that the encoder takes. The words are those of
 * the rows; beside them stand the few spellings of ip(8) that are no row's word. What ip(8) prints
 * is read as well: words for what only the kernel sets (dead, linkdown, ...) describe a state and
 * are passed over.
 */
#include "rtnl/text/lexer.h"

#include <string.h>

static const char not_understood[] = "'%s' is not understood";

/* Spellings of ip(8) beside the words of the rows, object by object; routes come first, as most are
 * of these. */
struct spelling {
	const char *word, *row;
};

static const struct spelling of_route[] = {
	{"protocol", "proto"}, {"preference", "metric"}, {"priority", "metric"}, {"oif", "dev"},
	{"dsfield", "tos"},    {"realms", "realm"},	 {NULL, NULL},
};
static const struct spelling of_next_hop[] = {
	{"oif", "dev"},
	{"realms", "realm"},
	{NULL, NULL},
};
static const struct spelling of_flow[] = {
	{"to", "dst"},	{"dev", "dev"},	 {"dsfield", "tos"},
	{"oif", "dev"}, {"from", "src"}, {NULL, NULL},
};
static const struct spelling of_nexthop[] = {
	{"protocol", "proto"},
	{"oif", "dev"},
	{NULL, NULL},
};
static const struct spelling of_link[] = {
	{"arp", "noarp"},	    {"txqlen", "txqueuelen"}, {"qlen", "txqueuelen"},
	{"ifname", "name"},	    {"brd", "broadcast"},     {"addr", "address"},
	{"trailers", "notrailers"}, {"vrf", "master"},	      {NULL, NULL},
};
static const struct spelling of_address[] = {
	{"local", "address"},	{"broadcast", "broadcast"},
	{"brd", "broadcast"},	{"remote", "peer"},
	{"anycast", "anycast"}, {"preference", "metric"},
	{"priority", "metric"}, {NULL, NULL},
};
static const struct spelling of_rule[] = {
	{"table", "table"},
	{"pref", "priority"},
	{"preference", "priority"},
	{"order", "priority"},
	{"dsfield", "tos"},
	{"dev", "iif"},
	{"type", "action"},
	{"realm", "realm"},
	{"sup_group", "suppress_ifgroup"},
	{"sup_pl", "suppress_prefixlength"},
	{"suppress_prefix", "suppress_prefixlength"},
	{"protocol", "proto"},
	{NULL, NULL},
};
static const struct spelling of_neighbour[] = {
	{"to", "dst"},
	{"state", "state"},
	{"protocol", "proto"},
	{NULL, NULL},
};
static const struct spelling of_bridge_port[] = {
	{"mcast_fast_leave", "fastleave"},
	{NULL, NULL},
};
static const struct spelling of_vxlan[] = {
	{"dsfield", "tos"},	{"hoplimit", "ttl"},
	{"label", "flowlabel"}, {"maxaddress", "maxaddress"},
	{"group", "remote"},	{"port", "srcport"},
	{"vni", "id"},		{NULL, NULL},
};
static const struct spelling of_ioam6_encap[] = {
	{"trace", "trace"},
	{NULL, NULL},
};

static const struct {
	const char *object;
	const struct spelling *list;
} spellings[] = {
	{"route", of_route},
	{"next hop", of_next_hop},
	{"flow", of_flow},
	{"nexthop", of_nexthop},
	{"link", of_link},
	{"address", of_address},
	{"rule", of_rule},
	{"neighbour", of_neighbour},
	{"bridge port", of_bridge_port},
	{"vxlan", of_vxlan},
	{"ioam6 encap", of_ioam6_encap},
};

static const char *spelled(const struct schema *schema, const char *word)
{
	const struct spelling *x = NULL;
	for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]) && !x; i++)
		if (same_text(spellings[i].object, schema->name))
			x = spellings[i].list;
	for (; x && x->word; x++)
		if (same_text(x->word, word))
			return x->row;
	return NULL;
}

static bool same_word(const struct field *f, const char *word, const char *row)
{
	if (!f->key)
		return false;
	return row ? same_text(f->key, row) : same_text(f->show ? f->show : f->key, word);
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

/* Words that set a field to a fixed value; those without a field only lead to the next word, or end
 * what is to be read. */
static bool parse_fixed(struct scan *s, const struct schema *schema)
{
	static const struct {
		const char *schema, *word, *key;
		int boolean;
		const char *text;
	} fixed[] = {
		{"link", "down", "up", 0, NULL},
		{"link", "nomaster", "master", 0, NULL},
		{"link", "nobackup_port", "backup_port", 0, NULL},
		{"link", "flag", NULL, 0, NULL},
		{"link", "null", NULL, 0, NULL},
		{"route", "to", NULL, 0, NULL},
		{"route", "nh_info", NULL, 1, NULL}, /* the object's, as all that follows */
		{"address", "temporary", NULL, 0, NULL},
		{"seg6local encap", "srh", NULL, 0, NULL},
		{"ioam6 trace", "prealloc", NULL, 0, NULL},
		{"rule", "[detached]", NULL, 0, NULL},
		{"rule", "[unresolved]", NULL, 0, NULL},
		{"rule", "unicast", "action", -1, "lookup"},
		{"rule", "masquerade", "action", -1, "masquerade"},
		{"rule", "blackhole", "action", -1, "blackhole"},
		{"rule", "prohibit", "action", -1, "prohibit"},
		{"rule", "unreachable", "action", -1, "unreachable"},
		{"rule", "nop", "action", -1, "nop"},
	};
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (!same_text(fixed[i].word, s->token) ||
		    !same_text(fixed[i].schema, schema->name))
			continue;
		if (!fixed[i].key) {
			if (fixed[i].boolean)
				s->at = s->end;
			return true;
		}
		if (fixed[i].text)
			lua_pushstring(s->L, fixed[i].text);
		else
			lua_pushboolean(s->L, fixed[i].boolean);
		lua_setfield(s->L, -2, fixed[i].key);
		return true;
	}
	return false;
}

/* "nolearning": a switch that a word alone turns on. */
static bool parse_negation(struct scan *s, const struct schema *schema)
{
	const struct field *f =
		strncmp(s->token, "no", 2) == 0 ? row_of_kind(s, schema->rows, s->token + 2) : NULL;
	if (!f || !(f->flags & F_ALONE))
		return false;
	lua_pushboolean(s->L, 0);
	lua_setfield(s->L, -2, f->key);
	return true;
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

/* What is told each packet's tunnel from outside has nothing to learn, unless it is said again.
 * [table, value] -> [table, value] */
static void learn_nothing(lua_State *L)
{
	lua_pushboolean(L, 0);
	lua_setfield(L, -3, "learning");
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
	if (f->flags & F_ALONE && strcmp(f->key, "external") == 0)
		learn_nothing(L);
	bool text = lua_type(L, -1) == LUA_TSTRING;
	if (text && strcmp(f->key, "type") == 0 &&
	    strcmp(lua_tostring(L, -1), "bridge_slave") == 0) {
		lua_pop(L, 1);
		lua_pushliteral(L, "bridge");
		lua_setfield(L, -2, "port");
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
	bool inverse = same_text(s->token, "arp") || same_text(s->token, "trailers");
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
	if (f->kind == K_TABLE && take(s, "[l3mdev-table]")) {
		lua_pushboolean(s->L, 1);
		lua_setfield(s->L, -2, "l3mdev");
		return true;
	}
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
static bool read_part(struct scan *s, const struct schema *schema, bool whole)
{
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
		if (!f && (parse_fixed(s, schema) || parse_negation(s, schema)))
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

bool parse_fields(struct scan *s, const struct schema *schema, bool whole)
{
	bool understood;
	if (s->depth == NESTED_MAX)
		return fault(s, "'%s' is nested too deeply");
	luaL_checkstack(s->L, 12, "too many values");
	s->depth++;
	understood = read_part(s, schema, whole);
	s->depth--;
	return understood;
}

/* "dev t0 type bridge": the name of a link that is to be made, or of one that is there. [table] ->
 * [table] */
static void name_link(lua_State *L)
{
	bool kind = lua_getfield(L, -1, "type") == LUA_TSTRING;
	bool named = lua_getfield(L, -2, "name") != LUA_TNIL;
	lua_pop(L, 2);
	if (!kind || named)
		return;
	lua_getfield(L, -1, "dev");
	lua_setfield(L, -2, "name");
	lua_pushnil(L);
	lua_setfield(L, -2, "dev");
}

bool parse_words(lua_State *L, const struct object *object, const char *text, size_t length)
{
	struct scan s = {.L = L, .object = object, .at = text, .end = text + length};
	int top = lua_gettop(L);
	if (push_typed(L, object, text, length)) {
		s.at = lua_tolstring(L, -2, &length);
		s.end = s.at + length;
	} else {
		lua_newtable(L);
	}
	if (parse_fields(&s, object->schema, true)) {
		if (object->schema == &schema_link)
			name_link(L);
		lua_insert(L, top + 1);
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
