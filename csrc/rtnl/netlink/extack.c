/*
 * What the kernel says when it refuses: a number, often a sentence, sometimes the place in the
 * request. The place is turned back into the field's path by the fields that wrote it.
 */
#define _GNU_SOURCE
#include "rtnl/netlink/extack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/export.h"

/* Finds error number and TLVs of an NLMSG_ERROR or of an NLMSG_DONE (how refused dumps end). */
bool read_extack(const struct nlmsghdr *reply, struct extack *x, int *error)
{
	size_t length = reply->nlmsg_len - NLMSG_HDRLEN, at = sizeof(int);
	const uint8_t *data = NLMSG_DATA(reply);
	int32_t code;

	*x = (struct extack){.text = NULL};
	if (length < sizeof(int))
		return false;
	memcpy(&code, data, sizeof(code));
	*error = code >= 0 ? 0 : code == INT32_MIN ? EBADMSG : -code;
	if (reply->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = NLMSG_DATA(reply);
		if (length < sizeof(*e))
			return false;
		at = sizeof(*e);
		if (!(reply->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= NLMSG_HDRLEN)
			at += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	if (!(reply->nlmsg_flags & NLM_F_ACK_TLVS))
		return true;
	while (at + NLA_HDRLEN <= length) {
		struct nlattr attr;
		memcpy(&attr, data + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > length - at)
			break;
		const uint8_t *payload = data + at + NLA_HDRLEN;
		size_t size = attr.nla_len - NLA_HDRLEN;
		uint32_t number = size == 4 ? (uint32_t)read_uint(payload, 4, false) : 0;
		switch (attr.nla_type & NLA_TYPE_MASK) {
		case NLMSGERR_ATTR_MSG:
			x->text = (const char *)payload;
			x->text_length = strnlen(x->text, size);
			break;
		case NLMSGERR_ATTR_OFFS:
			x->offset = number;
			break;
		case NLMSGERR_ATTR_MISS_TYPE:
			x->missing = number;
			break;
		case NLMSGERR_ATTR_MISS_NEST:
			x->missing_nest = number;
			break;
		default:
			break;
		}
		at += (size_t)NLA_ALIGN(attr.nla_len);
	}
	return true;
}

/* --- from an offset to a path ---------------------------------------------------------------- */

struct path {
	char text[256];
	size_t length;
	const struct schema *nest; /* fields of what the attribute found holds; NULL where it holds
				      no attributes */
};

static void path_add(struct path *p, const char *key, int index)
{
	int n = snprintf(p->text + p->length, sizeof(p->text) - p->length,
			 index ? "%s%s[%d]" : "%s%s", p->length ? "." : "", key, index);
	if (n > 0 && p->length + (size_t)n < sizeof(p->text))
		p->length += (size_t)n;
}

static const struct field *row_of_type(const struct schema *schema, uint16_t type)
{
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++)
		if (!(f->flags & F_HEADER) &&
		    (f->attr == type || (f->type == FIELD_VIA && f->offset == type)))
			return f;
	return NULL;
}

/* The fields of what an attribute holds. */
static const struct schema *inside(const struct span *s, const struct field *f)
{
	const struct variant *v = f->type == FIELD_ENCAP   ? encap_of(s, f)
				  : f->type == FIELD_UNION ? union_of(s, f)
							   : NULL;
	return v ? v->schema
	       : f->type == FIELD_NEST || f->type == FIELD_PEER || f->type == FIELD_HOPS
		       ? sub_schema(f)
		       : NULL;
}

static bool walk(struct path *p, const struct schema *schema, const uint8_t *data, size_t length,
		 size_t offset);

static bool walk_hops(struct path *p, const struct field *f, const uint8_t *data, size_t length,
		      size_t offset)
{
	struct span outer = {.schema = &schema_route, .data = data, .length = length};
	struct hop_cursor c = {data, length, sub_schema(f), &outer};
	struct span hop;
	for (int i = 1; next_hop(&c, &hop); i++) {
		size_t first = (size_t)(hop.data - data);
		if (offset < first || offset >= first + hop.length)
			continue;
		path_add(p, f->key, i);
		walk(p, sub_schema(f), hop.data, hop.length, offset - first);
		return true;
	}
	path_add(p, f->key, 0);
	return true;
}

/* Goes on inside an attribute, `offset` bytes behind its header. */
static bool walk_into(struct path *p, const struct span *s, const struct field *f,
		      const uint8_t *inner, size_t size, size_t offset)
{
	if (f->type == FIELD_HOPS)
		return walk_hops(p, f, inner, size, offset);
	if (*f->key && !(f->flags & F_FLATTEN))
		path_add(p, f->key, 0);
	p->nest = inside(s, f);
	if (p->nest)
		walk(p, p->nest, inner, size, offset);
	return true;
}

/* Names the attribute that the byte at `offset` belongs to. */
static bool walk(struct path *p, const struct schema *schema, const uint8_t *data, size_t length,
		 size_t offset)
{
	struct span s = {.schema = schema, .data = data, .length = length};
	for (size_t at = (size_t)NLA_ALIGN(schema->header_size); at + NLA_HDRLEN <= length;) {
		struct nlattr attr;
		memcpy(&attr, data + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > length - at)
			return false;
		if (offset < at || offset >= at + attr.nla_len) {
			at += (size_t)NLA_ALIGN(attr.nla_len);
			continue;
		}
		const struct field *f = row_of_type(schema, attr.nla_type & NLA_TYPE_MASK);
		if (!f)
			return false;
		if (offset >= at + NLA_HDRLEN)
			return walk_into(p, &s, f, data + at + NLA_HDRLEN,
					 attr.nla_len - NLA_HDRLEN, offset - at - NLA_HDRLEN);
		if (*f->key)
			path_add(p, f->key, 0);
		p->nest = inside(&s, f);
		return true;
	}
	return false;
}

/* [] -> [path] and true, or [] and false: the field the kernel's offset points at */
bool push_field_path(lua_State *L, const struct schema *schema, const uint8_t *data, size_t length,
		     size_t offset)
{
	struct path p = {.length = 0};
	if (offset < NLMSG_HDRLEN || !walk(&p, schema, data, length, offset - NLMSG_HDRLEN) ||
	    p.length == 0)
		return false;
	lua_pushlstring(L, p.text, p.length);
	return true;
}

/* [] -> [path]: the field the kernel misses, in the request itself or in a nest of it */
void push_missing_path(lua_State *L, const struct schema *schema, const uint8_t *data,
		       size_t length, const struct extack *x)
{
	char number[32];
	struct path p = {.length = 0, .nest = schema};
	if (x->missing_nest >= NLMSG_HDRLEN) {
		p.nest = NULL;
		walk(&p, schema, data, length, x->missing_nest - NLMSG_HDRLEN);
	}
	const struct field *f = p.nest ? row_of_type(p.nest, (uint16_t)x->missing) : NULL;
	snprintf(number, sizeof(number), "attribute %u", x->missing);
	path_add(&p, f && *f->key ? f->key : number, 0);
	lua_pushlstring(L, p.text, p.length);
}
