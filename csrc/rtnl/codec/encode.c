/*
 * Encodes Lua tables and parsed text as rtnetlink messages. Attributes are written in the order of
 * the fields, whatever the order of the input, so that equal input gives equal bytes.
 */
#define _GNU_SOURCE
#include "rtnl/codec/encode.h"

#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* --- the address family ----------------------------------------------------------------------- */

static int family_of_text(const struct value *v)
{
	if (!is_text(v))
		return 0;
	const char *text = v->text;
	if (*text == 'i' && strncmp(text, "inet6 ", 6) == 0)
		return AF_INET;
	while (*text && *text != ':' && *text != '.')
		text++;
	return *text == ':' ? AF_INET6 : *text == '.' ? AF_INET : 0;
}

static int explicit_family(struct encoder *e, const struct value *v)
{
	const struct word *w = NULL;
	if (is_text(v)) {
		check_text(e, "family", v);
		w = word_by_name(WORDS_FAMILY, v->text);
	}
	if (w)
		return (int)w->value;
	if (v->type == VALUE_INTEGER && (v->integer == 4 || v->integer == 6))
		return v->integer == 4 ? AF_INET : AF_INET6;
	fail(e, "family", "4 or 6 expected, got %s", shown(e, v));
}

static bool names_family(const struct field *f)
{
	return f->type == FIELD_PREFIX || f->type == FIELD_VIA ||
	       (f->type == FIELD_ADDRESS && !f->size);
}

/* The family of the first of a list of next hops. */
static int family_of_hops(struct encoder *e, const struct value *hops)
{
	struct elements it = elements_of(e, hops);
	struct value hop, via = {.type = VALUE_NONE};
	if (has_fields(hops) && next_element(e, &it, "nexthops", &hop) && has_fields(&hop))
		via = get_value(e, &hop, "via");
	return family_of_text(&via);
}

/* The family of an input: its field `family`, or else that of its first address. */
static int family_of(struct encoder *e, const struct schema *schema, const struct value *in,
		     const struct collected *g)
{
	int family = 0, otherwise = 0;
	int top = lua_gettop(e->L);
	for (uint64_t left = g->fields & ~((uint64_t)1 << TYPE_KEY); left && !family;
	     left &= left - 1) {
		int i = __builtin_ctzll(left);
		const struct field *f = &schema->fields[i];
		bool address = f->type == FIELD_FAMILY || f->type == FIELD_HOPS || names_family(f);
		struct value v = {.type = VALUE_NONE};
		if (address)
			v = collected_value(e, in, g, i);
		if (f->type == FIELD_FAMILY)
			family = explicit_family(e, &v);
		else if (f->type == FIELD_HOPS)
			family = family_of_hops(e, &v);
		else if (f->words == WORDS_PREF)
			otherwise = AF_INET6; /* IPv4 routes have no preference */
		else
			family = family_of_text(&v);
		lua_settop(e->L, top);
	}
	return family ? family : otherwise;
}

/* Appends family header and attributes of an input to the buffer. */
static void encode_input(struct encoder *e, const struct schema *schema, const struct value *in)
{
	e->start = e->out->length;
	e->depth = 0;
	if (e->base)
		e->path[e->depth++] = (struct step){"", e->base};
	buffer_reserve(e->L, e->out, schema->header_size);
	struct collected g;
	collect(e, schema, in, &g);
	e->family = 0;
	if (schema->fields[0].type == FIELD_FAMILY) {
		e->family = family_of(e, schema, in, &g);
		if (!e->family && schema != &schema_nexthop && e->verb != VERB_DUMP)
			e->family = e->default_family ? e->default_family : AF_INET;
		header_of(e, e->start)[0] = (uint8_t)e->family;
	}
	e->given = g.fields;
	if (e->only)
		g.fields &= e->only;
	struct cursor p = {e->start, e->out->length, *in};
	put_collected(e, &p, schema, &g);
	fill_defaults(e, schema, &g);
	lua_settop(e->L, g.top);
}

void encode_message(struct encoder *e, const struct schema *schema, int value)
{
	struct value in = lua_value(e->L, lua_absindex(e->L, value));
	if (in.type != VALUE_TABLE) {
		lua_pushfstring(e->L, "%s: table expected, got %s", schema->name,
				type_name(e, &in));
		throw_at_caller(e->L);
	}
	encode_input(e, schema, &in);
}

void encode_part(struct encoder *e, const struct schema *schema, const struct buffer *parts,
		 const struct value *part)
{
	e->parts = parts;
	encode_input(e, schema, part);
}
