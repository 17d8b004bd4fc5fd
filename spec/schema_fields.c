/*
 * Prints every field of every kind of object, one a line, for spec/schema_fields_spec.lua: the
 * number of its schema, its path, and how it is marked. It is linked with csrc/rtnl/schema/ alone.
 *
 *   3 route.nexthops.dead readonly volatile
 *   9 route.encap{mpls}.labels
 *
 * Braces hold what selects the fields behind them: the type of an encapsulation, type= or port= of
 * a link.
 */
#include "rtnl/schema/field.h"

#include <stdio.h>

enum {
	DEEPEST = 8,
	PATH_SIZE = 256
};

struct cursor {
	const struct schema *above[DEEPEST]; /* whose fields these are fields of */
	int depth;
	char path[PATH_SIZE];
};

static const struct schema *known[128];

static int number_of(const struct schema *s)
{
	int i = 0;
	while (known[i] && known[i] != s)
		i++;
	known[i] = s;
	return i;
}

static void walk(const struct cursor *at, const struct schema *s);

static void walk_below(const struct cursor *at, const struct schema *s, const char *key)
{
	struct cursor below = *at;
	snprintf(below.path, PATH_SIZE, "%s.%s", at->path, key);
	walk(&below, s);
}

static void walk_variant(const struct cursor *at, const struct field *f, const struct variant *v)
{
	struct cursor below = *at;
	if (f->type == FIELD_UNION)
		snprintf(below.path, PATH_SIZE, "%s{%s=%s}", at->path, f->key, v->name);
	else
		snprintf(below.path, PATH_SIZE, "%s.%s{%s}", at->path, f->key, v->name);
	walk(&below, v->schema);
}

static void print_field(const struct cursor *at, const struct schema *s, const struct field *f)
{
	static const struct {
		uint16_t flag;
		const char *word;
	} marks[] = {{F_READONLY, " readonly"},
		     {F_VOLATILE, " volatile"},
		     {F_SILENT, " silent"},
		     {F_QUERY, " query"}};
	printf("%d %s.%s", number_of(s), at->path, f->key);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (f->flags & marks[i].flag)
			fputs(marks[i].word, stdout);
	putchar('\n');
}

static void walk_field(const struct cursor *at, const struct schema *s, const struct field *f)
{
	const struct variant *v = variants_of(f);
	if (*f->key && f->type != FIELD_UNION)
		print_field(at, s, f);
	if (f->sub && (f->flags & F_FLATTEN || !*f->key))
		walk(at, sub_schema(f));
	else if (f->sub)
		walk_below(at, sub_schema(f), f->key);
	for (; v->name; v++)
		walk_variant(at, f, v);
}

/* The other end of a veth is a link, too: each schema once on the way down. */
static void walk(const struct cursor *at, const struct schema *s)
{
	struct cursor here = *at;
	for (int i = 0; i < at->depth; i++)
		if (at->above[i] == s)
			return;
	if (at->depth == DEEPEST)
		return;
	here.above[here.depth++] = s;
	for (const struct field *f = s->fields; f->type != FIELD_NONE; f++)
		walk_field(&here, s, f);
}

int main(void)
{
	for (const struct object *o = rtnl_objects; o->name; o++) {
		struct cursor at = {.depth = 0};
		snprintf(at.path, PATH_SIZE, "%s", o->name);
		walk(&at, o->schema);
	}
	return 0;
}
