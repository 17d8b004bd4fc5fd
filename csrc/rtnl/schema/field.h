/*
 * The rows: one line describes one field of one kernel message, in both directions.
 *
 * Encoding, decoding, comparing, printing, parsing and the reading of extended ACKs all walk these
 * rows and know nothing else about messages. A new attribute is a new row; a new way for bytes and
 * values to correspond is a new kind. Rows stand in the order in which iproute2 prints them.
 */
#ifndef ECMP_RTNL_SCHEMA_H
#define ECMP_RTNL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How the bytes of a field and a Lua value correspond. */
enum kind {
	K_NONE,	  /* end of the rows */
	K_INT,	  /* unsigned integer of `size` bytes; with `words`, a word where one is known */
	K_SIGNED, /* signed integer of 4 bytes */
	K_SCALED, /* unsigned integer stored times `mask` */
	K_HEX,	  /* like K_INT, printed as 0x..; may be written as text */
	K_BIT,	  /* boolean: the bits `mask` of an integer of `size` bytes */
	K_BITS,	  /* list of words: the bits of an integer, `words` holding masks */
	K_FLAG,	  /* boolean: an attribute without payload */
	K_BOOL, /* boolean: an integer of `size` bytes, 0 or 1, that is printed either way (on, off)
		 */
	K_STRING,  /* text, zero terminated on the wire */
	K_FAMILY,  /* 4 or 6: the first byte of the header */
	K_ADDRESS, /* address of the message's family */
	K_PREFIX,  /* address with its length in the header byte at `offset` */
	K_VIA,	   /* gateway: this attribute, or RTA_VIA when its family is not the route's */
	K_LLADDR,  /* hardware address */
	K_IFINDEX, /* interface: a name in Lua, an index on the wire */
	K_WEIGHT,  /* from 1, one less on the wire; a member of a group has 16 bits of it */
	K_TABLE, /* routing table: header byte at `offset`, or the attribute when it does not fit */
	K_NEST,	 /* nested attributes: a table, or with F_HOIST fields of the table itself */
	K_HOPS,	 /* list of rtnexthop */
	K_GROUP, /* list of nexthop_grp */
	K_ENCAP, /* lightweight tunnel: a table whose `type` selects the rows */
	K_UNION, /* attributes whose rows the field `type` selects (link kinds) */
	K_PEER,	 /* a header and its attributes inside an attribute (the other end of a veth) */
	K_SEGMENTS, /* segment list of a routing header of type `mask`, 4 where that is 0; seg6: and
		       the mode before it */
	K_HMAC,	    /* seg6: number of the key that signs the segments, behind them */
	K_COUNT,    /* seg6local: counters are kept; the kernel wants them with the request, zero */
	K_LABELS,   /* mpls label stack */
	K_REALM,    /* routing realm: a number, or "from/to" */
	K_NAMES,    /* list of texts: one attribute each, inside a nest */
	K_STRUCTS, /* list of structures: one attribute each, inside a nest; rows like a header's */
	K_RANGE,   /* two integers of `size` bytes: "first-last" */
	K_MEMBER,  /* a 4-byte member at `offset` of a structure of `whole` bytes; divided by `mask`
		    */
	K_UNITS,   /* unsigned integer, on the wire in units of `mask` */
	K_RATIO,   /* "1/3": two integers, in this attribute and in the one of number `offset` */
	K_BYTES,   /* all that a nest holds, as hexadecimal digits */
	K_OPTION,  /* 0 or 1: the bit `mask` of an integer, behind which stands one that says which
		      bits  are meant */
	K_TTL,	   /* K_INT, or "inherit" where the attribute of number `offset` says so */
	K_TIMER,   /* hundredths of a second */
	K_BRIDGE_ID, /* "8000.2:0:0:0:1:1": priority and hardware address */
	K_NETNS,     /* a namespace given by path, name or pid; a descriptor on the wire */
};

enum {
	F_HEADER = 1 << 0,    /* in the fixed header, at `offset` */
	F_READONLY = 1 << 1,  /* what the kernel tells; refused in requests, left out of what is
				 given back */
	F_VOLATILE = 1 << 2,  /* not compared: changes by itself */
	F_HOIST = 1 << 3,     /* K_NEST: its fields are fields of the outer table */
	F_BE = 1 << 4,	      /* network byte order */
	F_QUERY = 1 << 5,     /* only in lookups: refused elsewhere */
	F_SILENT = 1 << 6,    /* never printed */
	F_DETAIL = 1 << 7,    /* printed in details only */
	F_BARE = 1 << 8,      /* printed without its word */
	F_DEFAULT0 = 1 << 9,  /* zero on the wire means "not given" */
	F_NESTED = 1 << 10,   /* the kernel wants NLA_F_NESTED */
	F_ABSENT0 = 1 << 11,  /* the kernel leaves it out when it is zero: absent reads as zero */
	F_ALONE = 1 << 13,    /* K_BOOL: in text, the word alone means on */
	F_NEGATIVE = 1 << 12, /* negative on the wire means "not given" */
	F_APART = 1 << 15, /* refused where a new object is made: left out of what is given back */
	F_MADE = 1 << 14,  /* K_ADDRESS: "+" or "-" too, for what the prefix makes of it */
};

/* K_BOOL with F_ALONE: `mask` says when text shows it; both where it is zero. */
enum {
	SHOW_ON = 1,
	SHOW_OFF
};

struct word {
	const char *name;
	uint32_t value;
};

struct schema;

struct field {
	const char *key; /* what scripts write, read, and see in errors; NULL: text alone tells it,
			    or fields of its own do */
	enum kind kind;
	uint16_t attr;	 /* attribute number; unused in the header */
	uint16_t offset; /* in the header (F_HEADER, K_PREFIX, K_TABLE) or the structure (K_MEMBER)
			  */
	uint16_t flags;
	uint8_t size;  /* bytes of an integer */
	uint8_t whole; /* K_MEMBER: bytes of the structure around it; K_UNITS: most units */
	uint32_t mask; /* K_BIT: which bits; K_SCALED: the factor */
	const struct schema *sub;	/* K_NEST, K_HOPS, K_PEER, K_STRUCTS */
	const struct word *words;	/* K_INT, K_BITS */
	const struct variant *variants; /* K_ENCAP, K_UNION: rows by type */
	const char *show; /* the word before the value in text; the key where this is NULL */
	const char *unit; /* written behind the number in text; K_RANGE: between
			   * the two; K_ADDRESS: the word for one of a multicast group */
};

struct schema {
	const char *name;	  /* "route", "next hop", "link", ... as errors say it */
	uint16_t head;		  /* bytes of the fixed header */
	const struct field *rows; /* ends with K_NONE */
};

/* One alternative of a union: its word, its number where the wire has one, its rows. */
struct variant {
	const char *name;
	uint16_t number;
	const struct schema *schema;
};

extern const struct variant encaps[], encap_other;
#define ENCAPS "mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm"

/* One kind of kernel object: its rows and the message numbers of its verbs. */
struct object {
	const char *name; /* "route", as in `nl.route` and `ip route` */
	const struct schema *schema;
	uint16_t add, del, get; /* RTM_NEW*, RTM_DEL*, RTM_GET* */
};

/* For messages: an address, a route. */
static inline const char *article(const struct schema *schema)
{
	char first = *schema->name;
	return first == 'a' || first == 'e' || first == 'i' || first == 'o' ? "an" : "a";
}

extern const struct object rtnl_objects[];
extern const struct schema schema_route, schema_hop, schema_member, schema_link, schema_addr,
	schema_nexthop, schema_rule, schema_neigh, schema_portvlan;

/* Whether two words are one; most are told by their first letter. */
static inline bool same_text(const char *a, const char *b)
{
	return *a == *b && strcmp(a, b) == 0;
}

const struct variant *link_kind(const char *name);
const struct object *object_by_name(const char *name);
const struct object *object_by_type(uint16_t type);
const struct variant *variant_by_name(const struct variant *list, const char *name);
const struct variant *variant_by_number(const struct variant *list, uint16_t number);
const char *word_by_value(const struct word *list, uint32_t value);
const struct word *word_by_name(const struct word *list, const char *name);

/* The words of numbers, as /etc/iproute2 ships them. */
extern const struct word words_table[], words_proto[], words_scope[], words_type[], words_pref[],
	words_locks[], words_dsfield[], words_tunnel_tos[], words_realm[], words_group[],
	words_ipproto[];

#endif
