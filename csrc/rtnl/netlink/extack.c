/*
 * Reads errors and extended ACKs. The offset of the offending attribute in the request is turned
 * into the path of its field.
 */
#define _GNU_SOURCE
#include "rtnl/netlink/extack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/export.h"

/* Finds errno and TLVs of an NLMSG_ERROR, or of an NLMSG_DONE, with which dumps fail. */
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
	for (const struct nlattr *a; (a = attr_at(data, length, at)); at += NLA_ALIGN(a->nla_len)) {
		size_t size = payload_length(a);
		uint32_t number = size == 4 ? (uint32_t)read_uint(payload(a), 4, false) : 0;
		switch (attr_type(a)) {
		case NLMSGERR_ATTR_MSG:
			x->text = (const char *)payload(a);
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
	}
	return true;
}

/* --- from an offset to a path ---------------------------------------------------------------- */

struct path {
	char text[256];
	size_t length;
	const struct schema *nest; /* of the attribute found; NULL where it holds no attributes */
};

static void path_add(struct path *p, const char *key, int index)
{
	int n = snprintf(p->text + p->length, sizeof(p->text) - p->length,
			 index ? "%s%s[%d]" : "%s%s", p->length ? "." : "", key, index);
	if (n > 0 && p->length + (size_t)n < sizeof(p->text))
		p->length += (size_t)n;
}

static const struct field *field_of_attr_type(const struct schema *schema, uint16_t type)
{
	for (const struct field *f = schema->fields; f->type != FIELD_NONE; f++)
		if (!(f->flags & F_HEADER) &&
		    (f->attr == type || (f->type == FIELD_VIA && f->offset == type)))
			return f;
	return NULL;
}

/* The schema of what an attribute holds, or NULL. */
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

/* Continues inside an attribute, `offset` bytes behind its header. */
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

/* Adds the path of the attribute at `offset`. */
static bool walk(struct path *p, const struct schema *schema, const uint8_t *data, size_t length,
		 size_t offset)
{
	struct span s = {.schema = schema, .data = data, .length = length};
	const struct nlattr *a;
	for (size_t at = NLA_ALIGN(schema->header_size); (a = attr_at(data, length, at));
	     at += NLA_ALIGN(a->nla_len)) {
		if (offset < at || offset >= at + a->nla_len)
			continue;
		const struct field *f = field_of_attr_type(schema, attr_type(a));
		if (!f)
			return false;
		if (offset >= at + NLA_HDRLEN)
			return walk_into(p, &s, f, payload(a), payload_length(a),
					 offset - at - NLA_HDRLEN);
		if (*f->key)
			path_add(p, f->key, 0);
		p->nest = inside(&s, f);
		return true;
	}
	return false;
}

/* [] -> [path] and true, or [] and false: the field at the kernel's offset */
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

/* [] -> [path]: the field that is missing in the request or in a nest of it */
void push_missing_path(lua_State *L, const struct schema *schema, const uint8_t *data,
		       size_t length, const struct extack *x)
{
	char number[32];
	struct path p = {.length = 0, .nest = schema};
	if (x->missing_nest >= NLMSG_HDRLEN) {
		p.nest = NULL;
		walk(&p, schema, data, length, x->missing_nest - NLMSG_HDRLEN);
	}
	const struct field *f = p.nest ? field_of_attr_type(p.nest, (uint16_t)x->missing) : NULL;
	snprintf(number, sizeof(number), "attribute %u", x->missing);
	path_add(&p, f && *f->key ? f->key : number, 0);
	lua_pushlstring(L, p.text, p.length);
}
