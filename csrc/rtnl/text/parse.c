/*
 * Parses the arguments of `ip OBJECT add` for the encoder. Keywords are those of the fields and the
 * aliases of ip(8). The output of `ip route show` is parsed as well: words for what only the kernel
 * sets (dead, linkdown, ...) are ignored.
 */
#include "rtnl/text/lexer.h"

#include "rtnl/base/key_index.h"
#include "rtnl/text/parser.h"

#include <lauxlib.h>
#include <string.h>

#include "common/export.h"

static const char not_understood[] = "'%s' is not understood";

static bool same_word(const struct field *f, const char *word, const char *field)
{
	if (!*f->key)
		return false;
	return field ? same_text(f->key, field) : same_text(*f->show ? f->show : f->key, word);
}

/* The schema that `type` (or `port`), if parsed already, selects, or NULL. */
static const struct schema *selected_schema(struct scan *s, const struct field *f,
					    const struct value *part)
{
	struct value type = part_get(s->parts.bytes, part, f->key);
	const struct variant *v = is_text(&type) ? variant_by_name(f, type.text) : NULL;
	return v ? v->schema : NULL;
}

/* The field of a word behind `type TYPE`: fields of the type come first. */
static const struct field *field_of_type(struct scan *s, const struct field *fields,
					 const char *word, const struct value *part)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		const struct field *inner = NULL;
		const struct schema *type =
			f->type == FIELD_UNION ? selected_schema(s, f, part) : NULL;
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			inner = field_of_type(s, sub_schema(f)->fields, word, part);
		for (const struct field *g = type ? type->fields : NULL;
		     g && g->type != FIELD_NONE && !inner; g++)
			if (same_word(g, word, keyword_alias(type, word)))
				inner = g;
		if (inner)
			return inner;
	}
	return NULL;
}

/* The field of a word, through flattened nests. */
static const struct field *field_named(const struct field *fields, const char *word,
				       const char *field)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++) {
		const struct field *inner = NULL;
		if (f->type == FIELD_NEST && (f->flags & F_FLATTEN))
			inner = field_named(sub_schema(f)->fields, word, field);
		else if (same_word(f, word, field) && f->type != FIELD_FAMILY)
			inner = f;
		if (inner)
			return inner;
	}
	return NULL;
}

static void set(struct scan *s, const struct value *part, const char *key, struct value v)
{
	part_set(&s->parts, part, key, &v);
}

static void unset(struct scan *s, const struct value *part, const char *key)
{
	set(s, part, key, (struct value){.type = VALUE_NONE});
}

static struct value text_value(struct scan *s, const char *text)
{
	return part_text(&s->parts, text, strlen(text));
}

/* Words that set a field to a fixed value; of those without a field nothing is set, and with `end`
 * the rest of the line is ignored. */
static bool parse_fixed(struct scan *s, const struct schema *schema, const struct value *part)
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
		{"route", "nh_info", NULL, 1, NULL}, /* the fields of the next-hop object follow */
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
		set(s, part, fixed[i].key,
		    fixed[i].text ? text_value(s, fixed[i].text) : boolean_value(fixed[i].boolean));
		return true;
	}
	return false;
}

/* "nolearning": turns off a flag. */
static bool parse_negation(struct scan *s, const struct schema *schema, const struct value *part)
{
	const struct field *f = strncmp(s->token, "no", 2) == 0
					? field_of_type(s, schema->fields, s->token + 2, part)
					: NULL;
	if (!f || !(f->flags & F_FLAG))
		return false;
	set(s, part, f->key, boolean_value(false));
	return true;
}

static bool parse_field(struct scan *s, const struct field *f, bool positional,
			const struct value *part);
static bool parse_fields(struct scan *s, const struct schema *schema, bool whole,
			 const struct value *part);

/* The list of a key, made if it is missing. */
static struct value list_of(struct scan *s, const struct value *part, const char *key)
{
	struct value list = part_get(s->parts.bytes, part, key);
	if (list.type == VALUE_PART)
		return list;
	list = part_new(&s->parts);
	part_set(&s->parts, part, key, &list);
	return list;
}

/* An element of a list: "nexthop via 10.0.0.1 weight 2"; "vid 10 pvid", whose keyword has a value.
 */
static bool parse_member(struct scan *s, const struct field *f, const struct value *part)
{
	struct value list = list_of(s, part, f->key), member = part_new(&s->parts);
	if (f->type == FIELD_STRUCTS && !parse_field(s, sub_schema(f)->fields, false, &member))
		return false;
	if (!parse_fields(s, sub_schema(f), false, &member))
		return false;
	part_add(&s->parts, &list, &member);
	return true;
}

/* "mtu lock 1400": adds the metric to the list `lock`. */
static void add_lock(struct scan *s, const struct field *f, const struct value *part)
{
	struct value list = list_of(s, part, "lock"), name = text_value(s, f->key);
	part_add(&s->parts, &list, &name);
}

/* "v1 name v9": the positional name is the link, "name" its new name. */
static void rename_link(struct scan *s, const struct value *part)
{
	struct value name = part_get(s->parts.bytes, part, "name");
	if (!is_text(&name))
		return;
	set(s, part, "dev", name);
	unset(s, part, "name");
}

/* "0x10/0xff": mark and mask. */
static struct value split_mark(struct scan *s, struct value mark, const struct value *part)
{
	char *slash = strchr(s->token, '/');
	if (!slash)
		return mark;
	set(s, part, "fwmask", text_value(s, slash + 1));
	*slash = 0;
	s->length = (size_t)(slash - s->token);
	return number_or_text(s, 10);
}

/* Stores a value, with the special cases of ip(8). */
static void set_value(struct scan *s, const struct field *f, const struct value *part,
		      struct value v)
{
	if (f->type == FIELD_HEX && strcmp(f->key, "fwmark") == 0)
		v = split_mark(s, v, part);
	/* as ip(8): a tunnel with external metadata does not learn, unless "learning" follows */
	if (f->flags & F_FLAG && strcmp(f->key, "external") == 0)
		set(s, part, "learning", boolean_value(false));
	if (strcmp(f->key, "type") == 0 && is_word(&v, "bridge_slave"))
		set(s, part, "port", text_value(s, "bridge"));
	else
		set(s, part, f->key, v);
}

static bool is_set(struct scan *s, const struct field *f, const struct value *part)
{
	return part_get(s->parts.bytes, part, f->key).type != VALUE_NONE;
}

/* By its word, or by its number, as a type without a word is printed. */
static const struct variant *encap_by_word(struct scan *s, const struct field *f,
					   struct value *type)
{
	const struct variant *v = variant_by_name(f, s->token);
	*type = number_or_text(s, 10);
	if (v || is_text(type))
		return v;
	if (type->integer >= 0 && type->integer <= UINT16_MAX)
		v = variant_by_number(f, (uint16_t)type->integer);
	if (!v)
		return &encap_other;
	*type = part_text(&s->parts, v->name, strlen(v->name));
	return v;
}

static bool parse_encap(struct scan *s, const struct field *f, struct value *encap)
{
	struct value type;
	*encap = part_new(&s->parts);
	const struct variant *v = encap_by_word(s, f, &type);
	if (!v)
		return fault(s, "'%s' is no encapsulation: one of " ENCAPS " expected");
	part_set(&s->parts, encap, "type", &type);
	if (v->schema->fields[0].type == FIELD_LABELS) {
		if (!need(s, "mpls"))
			return false;
		struct value labels = split(s, '/');
		part_set(&s->parts, encap, v->schema->fields[0].key, &labels);
	}
	return parse_fields(s, v->schema, false, encap);
}

/* The peer of a new veth; "dev" sets its name as well. */
static bool parse_peer(struct scan *s, const struct field *f, struct value *peer)
{
	const struct value none = {.type = VALUE_NONE};
	*peer = part_new(&s->parts);
	if (!parse_fields(s, sub_schema(f), sub_schema(f) == &schema_link, peer))
		return false;
	struct value dev = part_get(s->parts.bytes, peer, "dev");
	if (is_text(&dev)) {
		part_set(&s->parts, peer, "name", &dev);
		part_set(&s->parts, peer, "dev", &none);
	}
	return true;
}

/* Reads the value of any field: encapsulations and peers have nested fields. */
static bool parse_any_value(struct scan *s, const struct field *f, bool positional, struct value *v)
{
	if (f->type == FIELD_PEER)
		return parse_peer(s, f, v);
	if (f->type == FIELD_ENCAP)
		return (positional || need(s, s->token)) && parse_encap(s, f, v);
	return parse_value(s, f, positional, v);
}

static bool parse_field(struct scan *s, const struct field *f, bool positional,
			const struct value *part)
{
	struct value v;
	bool metric = s->object->schema == &schema_route && !(f->flags & F_HEADER) &&
		      word_by_name(WORDS_LOCKS, f->key);
	bool inverse = same_text(s->token, "arp") || same_text(s->token, "trailers");
	if (f->type == FIELD_HOPS || f->type == FIELD_STRUCTS)
		return parse_member(s, f, part);
	if (f->type == FIELD_SEGMENTS && !f->words)
		return parse_segs(s, part);
	/* the kernel applies rto_min only when it is locked, so ip(8) always locks it */
	if (metric && (take(s, "lock") || strcmp(f->key, "rto_min") == 0))
		add_lock(s, f, part);
	if (s->object->schema == &schema_link && !positional && f->type == FIELD_STRING &&
	    strcmp(f->key, "name") == 0)
		rename_link(s, part);
	if (*f->key && is_set(s, f, part))
		return fault(s, "'%s' is given twice");
	if (f->type == FIELD_TABLE && take(s, "[l3mdev-table]")) {
		set(s, part, "l3mdev", boolean_value(true));
		return true;
	}
	if (!parse_any_value(s, f, positional, &v))
		return false;
	if (inverse && f->type == FIELD_BIT) /* arp on: not noarp */
		v = boolean_value(!v.integer);
	if (*f->key && !(f->flags & F_READONLY))
		set_value(s, f, part, v);
	return true;
}

/* No keyword begins with a digit or has a colon; most values in long files do. */
static bool may_be_keyword(const struct scan *s)
{
	return !(*s->token >= '0' && *s->token <= '9') && !memchr(s->token, ':', s->length);
}

/* The field of a value without a keyword: a route's type and destination, a link's name, ... */
static const struct field *positional_field(struct scan *s, const struct schema *schema,
					    const struct value *part)
{
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++) {
		bool name = schema == &schema_link && f->type == FIELD_STRING &&
			    strcmp(f->key, "name") == 0;
		const struct schema *inner = f->type == FIELD_UNION ? selected_schema(s, f, part)
					     : f->flags & F_FLATTEN ? sub_schema(f)
								    : NULL;
		const struct field *found = inner ? positional_field(s, inner, part) : NULL;
		if (found)
			return found;
		if (!(f->flags & F_POSITIONAL) && !name)
			continue;
		if (f->words && (!may_be_keyword(s) || !word_by_name(f->words, s->token)))
			continue;
		if (!is_set(s, f, part))
			return f;
	}
	return NULL;
}

/* "50: from all ...": the priority of a rule, as ip(8) prints it. */
static const struct field *printed_priority(struct scan *s, const struct schema *schema)
{
	if (schema != &schema_rule || s->length < 2 || s->token[s->length - 1] != ':')
		return NULL;
	s->token[--s->length] = 0;
	return field_named(schema->fields, "priority", NULL);
}

/* Whether the schema has type-selected fields, so that earlier words change the meaning of a word.
 */
static bool has_types(const struct field *fields)
{
	for (const struct field *f = fields; f->type != FIELD_NONE; f++)
		if (f->type == FIELD_UNION || (f->type == FIELD_NEST && (f->flags & F_FLATTEN) &&
					       has_types(sub_schema(f)->fields)))
			return true;
	return false;
}

static const struct cached_word *look_up(struct scan *s, const struct schema *schema,
					 const struct value *part, struct cached_word *found)
{
	found->alias = keyword_alias(schema, s->token);
	found->f = field_of_type(s, schema->fields, s->token, part);
	if (!found->f)
		found->f = field_named(schema->fields, s->token, found->alias);
	return found;
}

/* The field of a word; cached where earlier words do not change its meaning. */
static const struct cached_word *field_of_word(struct scan *s, const struct schema *schema,
					       const struct value *part, struct cached_word *found)
{
	if (!may_be_keyword(s)) {
		found->alias = NULL;
		found->f = NULL;
		return found;
	}
	if (!s->cache || s->length > WORD_MAX)
		return look_up(s, schema, part, found);
	size_t hash = (uintptr_t)schema >> 4;
	for (size_t i = 0; i < s->length; i++)
		hash = hash * 31 + (uint8_t)s->token[i];
	struct cached_word *cached = &s->cache->words[hash % WORDS_MAX];
	if (cached->schema == schema && same_text(cached->word, s->token))
		return cached;
	look_up(s, schema, part, found);
	if (!has_types(schema->fields)) {
		*cached = (struct cached_word){schema, found->f, found->alias, ""};
		memcpy(cached->word, s->token, s->length + 1);
	}
	return found;
}

/*
 * Reads fields into a part. `whole`: an unknown word is an error; otherwise it ends the part, as
 * that of a next hop inside a route.
 */
static bool read_part(struct scan *s, const struct schema *schema, bool whole,
		      const struct value *part)
{
	for (;;) {
		const char *before = s->at;
		if (!next(s))
			return !s->fault;
		struct cached_word found;
		const struct cached_word *word = field_of_word(s, schema, part, &found);
		const struct field *f = word->f;
		bool positional = false;
		if (f && (schema->header_size == 0 || (!whole && f->flags & F_POSITIONAL)) &&
		    is_set(s, f, part)) { /* repeated: the next "vid" begins another element */
			s->at = before;
			return true;
		}
		if (!f && (f = printed_priority(s, schema)))
			positional = true;
		if (f && f->flags & F_POSITIONAL && !word->alias && f->words &&
		    word_by_name(f->words, s->token))
			f = NULL;
		if (!f && (parse_fixed(s, schema, part) || parse_negation(s, schema, part)))
			continue;
		if (!f && whole) {
			f = positional_field(s, schema, part);
			positional = f != NULL;
		}
		if (!f && !whole) {
			s->at = before;
			return true;
		}
		if (!f)
			return fault(s, not_understood);
		if (!parse_field(s, f, positional, part))
			return false;
	}
}

static bool parse_fields(struct scan *s, const struct schema *schema, bool whole,
			 const struct value *part)
{
	bool understood;
	if (s->depth == NESTED_MAX)
		return fault(s, "'%s' is nested too deeply");
	s->depth++;
	understood = read_part(s, schema, whole, part);
	s->depth--;
	return understood;
}

/* "dev t0 type bridge" names a new link as "name" does. */
static void name_link(struct scan *s, const struct value *part)
{
	struct value type = part_get(s->parts.bytes, part, "type");
	struct value name = part_get(s->parts.bytes, part, "name");
	if (!is_text(&type) || name.type != VALUE_NONE)
		return;
	set(s, part, "name", part_get(s->parts.bytes, part, "dev"));
	unset(s, part, "dev");
}

bool parse_words(lua_State *L, struct buffer *bytes, struct word_cache *cache,
		 const struct object *object, const char *text, size_t length, struct value *part)
{
	struct scan s = {.L = L,
			 .object = object,
			 .parts = {.L = L, .bytes = bytes},
			 .cache = cache,
			 .at = text,
			 .end = text + length};
	luaL_checkstack(L, 12, "too many values");
	bytes->length = 0;
	*part = part_new(&s.parts);
	if (parse_fields(&s, object->schema, true, part)) {
		if (object->schema == &schema_link)
			name_link(&s, part);
		return true;
	}
	lua_pushfstring(L, s.fault, s.fault_token);
	const char *near =
		s.fault == not_understood ? nearest_key(L, object->schema, s.fault_token) : NULL;
	if (near) {
		lua_pushfstring(L, " (did you mean '%s'?)", near);
		lua_concat(L, 2);
	}
	return false;
}
