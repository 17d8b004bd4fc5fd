/*
 * Encodes Lua tables, parsed text and views as messages.
 */
#ifndef ECMP_RTNL_CODEC_ENCODER_H
#define ECMP_RTNL_CODEC_ENCODER_H

#include "rtnl/base/buffer.h"
#include "rtnl/base/key_index.h"
#include "rtnl/netlink/attr.h"

#include <lua.h>
#include <setjmp.h>

struct value;

enum verb {
	VERB_ADD,
	VERB_DEL,
	VERB_GET,
	VERB_DUMP,
	VERB_PRINT
};

struct step {
	const char *key;
	int index;
};

struct encoder {
	lua_State *L;
	struct buffer *out;
	size_t start;  /* of the message's fixed header in the buffer */
	int room;      /* stack index up to which values may be pushed */
	int names;     /* absolute stack index */
	char link[16]; /* the interface looked up last, and its index */
	uint32_t link_index;
	enum verb verb;
	bool existing_only; /* the request creates nothing */
	int base;	    /* number of the request in its batch, for errors; 0: no batch */
	int family;	    /* AF_INET, AF_INET6, or 0 */
	int default_family; /* where the input has no address; 0: IPv4 */
	int depth;
	struct step path[8];
	int *netns_fds; /* descriptors in the message, closed after it is sent; NULL: none opened */
	int missing_errno;   /* ENODEV for a missing device, and so on; 0: nothing is missing */
	const char *missing; /* "device", "namespace", "room" in a dump message, or what a deletion
			      * does not compare */
	char missing_netns[64];
	bool without_line; /* errors do not name the caller's line */
	jmp_buf *escape;   /* where a wrong field leads instead of raising; NULL: it raises. Keys
			    * that no field has are then passed over */
	bool unknown;	   /* such keys were met */
	uint64_t only;	   /* the fields to write; 0: all of the input */
	uint64_t given;	   /* the fields of the input */
	bool may_drop;	   /* count next hops that exceed the attribute instead of raising */
	int dropped;
	struct key_cache keys;
	uint64_t route_fields[6];   /* bits of the keys that defaults look at */
	const struct buffer *parts; /* the parsed text being encoded */
};

bool is_list(lua_State *L, int n); /* [table] -> [table]: 1..n are all its keys */
void encode_message(struct encoder *e, const struct schema *schema, int value); /* a table */
void encode_part(struct encoder *e, const struct schema *schema, const struct buffer *parts,
		 const struct value *part); /* fields read from text */
void encode_view(struct encoder *e, const struct schema *schema, const uint8_t *data,
		 size_t length);
/* The scope of a route that has none: link where there is no gateway. */
uint8_t scope_of_type(uint8_t type, bool has_hops); /* of IPv4 */
uint8_t default_scope(const struct span *s);
uint8_t default_table(uint8_t type);
/* Types whose next hops are none, whatever the kernel shows of them. */
bool is_blackhole_type(uint8_t type);

/* dump_limit: routes too large for a dump message */
void check_dump_limit(struct encoder *e, const struct schema *schema);
const char *push_over_limit(struct encoder *e); /* [] -> [text] */
int hops_over_limit(const uint8_t *data, size_t length);

#endif
