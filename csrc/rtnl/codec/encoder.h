/*
 * Encodes Lua tables and views as messages.
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
	char link[16]; /* the name asked for last, and its number among these */
	uint32_t link_index;
	enum verb verb;
	bool held_only;	    /* what is sent changes what is there and makes nothing */
	int base;	    /* number of the change in a batch, for errors; 0: a single request */
	int family;	    /* AF_INET, AF_INET6, or 0 */
	int default_family; /* of what has no address; 0: IPv4 */
	int depth;
	struct step path[8];
	int *held; /* descriptors the message refers to, closed after it is sent; NULL: none wanted
		    */
	int refused;  /* errno of something the world lacks (a device, a namespace); 0 = fine */
	char ref[64]; /* the missing namespace */
	const char *missing; /* what: "device", "namespace", "room" in dumps, or what
			      * a deletion does not compare */
	bool without_line;   /* errors do not name the caller's line */
	jmp_buf *escape;     /* where a wrong field leads instead of raising; NULL: it raises. Keys
			      * that no field has are then passed over */
	bool unknown;	     /* such keys were met */
	uint64_t only;	     /* the fields that are written; 0: all that are given */
	uint64_t given;	     /* the fields that the input gives */
	bool may_drop; /* next hops for which the message has no room are counted, not raised */
	int dropped;
	struct key_cache keys;
	uint64_t route_fields[6];   /* of keys that defaults ask for */
	const struct buffer *parts; /* of the text being encoded */
};

bool is_list(lua_State *L, int n); /* [table] -> [table]: 1..n are all its keys */
void encode_message(struct encoder *e, const struct schema *schema, int value); /* a table */
void encode_part(struct encoder *e, const struct schema *schema, const struct buffer *parts,
		 const struct value *part); /* fields read from text */
void encode_view(struct encoder *e, const struct schema *schema, const uint8_t *data,
		 size_t length);
/* Of a route, where none is given: what has no gateway stays on the link. */
uint8_t scope_of_type(uint8_t type, bool has_hops); /* of IPv4 */
uint8_t default_scope(const struct span *s);
uint8_t default_table(uint8_t type);
/* Types whose next hops are none, whatever the kernel shows of them. */
bool is_blackhole_type(uint8_t type);

/* dump_limit: routes that the kernel cannot list */
void check_dump_limit(struct encoder *e, const struct schema *schema);
const char *push_over_limit(struct encoder *e); /* [] -> [text] */
int hops_over_limit(const uint8_t *data, size_t length);

#endif
