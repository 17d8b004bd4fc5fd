/*
 * Describes the fields of rtnetlink messages: header members and attributes.
 *
 * Encoding, decoding, comparing, printing, parsing and reading extended ACKs all walk these fields
 * and know nothing else about messages. A new attribute is a new field; a new way to encode a value
 * is a new type. Fields stand in the order in which iproute2 prints them.
 */
#ifndef ECMP_RTNL_FIELD_H
#define ECMP_RTNL_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* How a field is encoded, and what its Lua value is. */
enum field_type {
	FIELD_NONE, /* end of the fields */
	FIELD_INT,  /* unsigned integer of `size` bytes; with `words`, a word where one is known */
	FIELD_SIGNED,  /* signed integer of 4 bytes */
	FIELD_SCALED,  /* unsigned integer stored times `mask` */
	FIELD_HEX,     /* like FIELD_INT, printed as 0x..; may be written as text */
	FIELD_BIT,     /* boolean: the bits `mask` of an integer of `size` bytes */
	FIELD_BITS,    /* list of words: the bits of an integer, `words` holding masks */
	FIELD_FLAG,    /* boolean: an attribute without payload */
	FIELD_BOOL,    /* boolean: an integer of `size` bytes, 0 or 1; printed as on or off */
	FIELD_STRING,  /* text, zero terminated on the wire */
	FIELD_FAMILY,  /* 4 or 6: the first byte of the header */
	FIELD_ADDRESS, /* address of the message's family */
	FIELD_PREFIX,  /* address with its length in the header byte at `offset` */
	FIELD_VIA,     /* gateway: this attribute, or RTA_VIA when its family is not the route's */
	FIELD_LLADDR,  /* hardware address */
	FIELD_IFINDEX, /* interface: a name in Lua, an index on the wire */
	FIELD_WEIGHT,  /* from 1, one less on the wire; a member of a group has 16 bits of it */
	FIELD_TABLE,   /* routing table: header byte at `offset`, above 255 the attribute */
	FIELD_NEST,  /* nested attributes: a table, or with F_FLATTEN fields of the table itself */
	FIELD_HOPS,  /* list of rtnexthop */
	FIELD_GROUP, /* list of nexthop_grp */
	FIELD_ENCAP, /* lightweight tunnel: a table whose `type` selects the fields */
	FIELD_UNION, /* attributes whose fields the field `type` selects (link types) */
	FIELD_PEER,  /* a header and its attributes inside an attribute (the other end of a veth) */
	FIELD_SEGMENTS, /* segment list of a routing header of type `mask`, 4 where that is 0;
			 * seg6: with the mode before it */
	FIELD_HMAC,	/* seg6: id of the HMAC key, in a TLV behind the segments */
	FIELD_COUNT,	/* seg6local: counters are kept; a request carries them as zeros */
	FIELD_LABELS,	/* mpls label stack */
	FIELD_REALM,	/* routing realm: a number, or "from/to" */
	FIELD_NAMES,	/* list of texts: one attribute each, inside a nest */
	FIELD_STRUCTS,	/* list of structures: one attribute each, inside a nest */
	FIELD_RANGE,	/* two integers of `size` bytes: "first-last" */
	FIELD_MEMBER,	/* 4 bytes at `offset` of a structure of `whole` bytes, divided by `mask` */
	FIELD_UNITS,	/* unsigned integer, on the wire in units of `mask` */
	FIELD_RATIO,  /* "1/3": two integers, in this attribute and in the one of number `offset` */
	FIELD_BYTES,  /* the payload of a nest as hexadecimal digits */
	FIELD_OPTION, /* 0 or 1: the bit `mask` of an integer, followed by an integer that selects
		       * the bits to set (struct br_boolopt_multi) */
	FIELD_TTL,    /* FIELD_INT, or "inherit" where the attribute of number `offset` is set */
	FIELD_TIMER,  /* hundredths of a second */
	FIELD_BRIDGE_ID, /* "8000.2:0:0:0:1:1": priority and hardware address */
	FIELD_NETNS,	 /* a namespace given by path, name or pid; a descriptor on the wire */
};

enum {
	F_HEADER = 1 << 0,   /* in the fixed header, at `offset` */
	F_READONLY = 1 << 1, /* only the kernel sets it: refused in requests, left out of copies */
	F_VOLATILE = 1 << 2, /* changes without a request: not compared */
	F_FLATTEN = 1 << 3,  /* FIELD_NEST: its fields are fields of the outer table */
	F_BE = 1 << 4,	     /* network byte order */
	F_QUERY = 1 << 5,    /* in lookups only: left out of copies */
	F_SILENT = 1 << 6,   /* never printed */
	F_DETAIL = 1 << 7,   /* printed in details only */
	F_POSITIONAL = 1 << 8, /* printed without its keyword */
	F_DEFAULT0 = 1 << 9,   /* zero on the wire means absent */
	F_NESTED = 1 << 10,    /* the kernel wants NLA_F_NESTED */
	F_ABSENT0 = 1 << 11,   /* the kernel leaves it out when it is zero: absent reads as zero */
	F_FLAG = 1 << 13,      /* FIELD_BOOL: in text, the word alone means on */
	F_NEGATIVE = 1 << 12,  /* negative on the wire means absent */
	F_CHANGE_ONLY = 1 << 15, /* the kernel refuses it in RTM_NEW* of a new object: left out of
				  * copies */
	F_SIGN = 1 << 14, /* FIELD_ADDRESS: "+" or "-" sets or clears the host bits of the prefix */
};

/* FIELD_BOOL with F_FLAG: `mask` is the value that is printed; 0: either. */
enum {
	SHOW_ON = 1,
	SHOW_OFF
};

struct word {
	char name[16];
	uint32_t value;
};

/* The lists of words, in enum_names.c. */
enum word_list {
	WORDS_NONE,
	WORDS_FAMILY,
	WORDS_TABLE,
	WORDS_PROTO,
	WORDS_SCOPE,
	WORDS_TYPE,
	WORDS_PREF,
	WORDS_DSFIELD,
	WORDS_REALM,
	WORDS_TUNNEL_TOS,
	WORDS_GROUP,
	WORDS_IPPROTO,
	WORDS_LOCKS,
	WORDS_FEATURES,
	WORDS_GROUP_TYPE,
	WORDS_ACTION,
	WORDS_NUD,
	WORDS_OPERSTATE,
	WORDS_VLAN_PROTOCOL,
	WORDS_MACVLAN_MODE,
	WORDS_IPVLAN_MODE,
	WORDS_IPVLAN_FLAGS,
	WORDS_TTL,
	WORDS_DF,
	WORDS_AGEING,
	WORDS_LIMIT,
	WORDS_PORT_STATE,
	WORDS_FWD_MASK,
	WORDS_FLAGS,
	WORDS_LINK_TYPE,
	WORDS_LINKMODE,
	WORDS_ADDRGENMODE,
	WORDS_SEG6_MODE,
	WORDS_SEG6_ACTION,
	WORDS_FLAVORS,
	WORDS_IOAM6_MODE,
	WORDS_LISTS /* how many there are */
};

/* The schemas that fields of others refer to. */
/* clang-format off */
#define SUB_SCHEMAS(X)                                                                             \
	X(hop) X(member) X(metrics) X(resilient) X(bucket_nest) X(link) X(linkinfo) X(props)       \
	X(inet6) X(families) X(vlan_info) X(bridge_spec) X(flavors) X(endpoint) X(ioam6_trace)     \
	X(bpf_in) X(bpf_out) X(bpf_xmit) X(group_stats) X(stats_entry)
/* clang-format on */
#define SUB_NUMBER(name)      SUB_##name,
#define SUB_DECLARATION(name) extern const struct schema schema_##name;

enum sub_schema {
	SUB_NONE,
	SUB_SCHEMAS(SUB_NUMBER)
};

/* The lists of variants: encap_types, link_types, port_types. */
enum variant_list {
	VARIANTS_NONE,
	ENCAP_TYPES,
	LINK_TYPES,
	PORT_TYPES
};

/* Without pointers, which a position independent executable relocates at every start: texts are
 * stored inline, lists and schemas are numbers. */
struct field {
	char key[30];	 /* in Lua tables and errors; empty: printed only, or its nested fields have
			  * keys */
	uint16_t attr;	 /* attribute number; unused in the header */
	uint16_t offset; /* in the header (F_HEADER, FIELD_PREFIX, FIELD_TABLE) or the structure
			  * (FIELD_MEMBER) */
	uint16_t flags;
	uint32_t mask; /* FIELD_BIT: which bits; FIELD_SCALED: the factor */
	uint8_t type;  /* enum field_type */
	uint8_t size;  /* bytes of an integer */
	uint8_t whole; /* FIELD_MEMBER: bytes of the structure around it; FIELD_UNITS: most units */
	uint8_t sub;   /* enum sub_schema: FIELD_NEST, FIELD_HOPS, FIELD_PEER, FIELD_STRUCTS */
	uint8_t words; /* enum word_list: FIELD_INT, FIELD_BITS */
	uint8_t variants; /* enum variant_list: FIELD_ENCAP, FIELD_UNION: fields by type */
	char show[20];	  /* the word before the value in text; the key where this is empty */
	char unit[6];	  /* written behind the number in text; FIELD_RANGE: between the two;
			   * FIELD_ADDRESS: the word for one of a multicast group */
};

struct schema {
	const char *name;	    /* "route", "next hop", "link", ... as in errors */
	uint16_t header_size;	    /* bytes of the fixed header */
	const struct field *fields; /* ends with FIELD_NONE */
};

/* One type of a type-selected field: its word, its number where the wire has one, its fields. */
struct variant {
	const char *name;
	uint16_t number;
	const struct schema *schema;
};

extern const struct variant encap_types[], link_types[], port_types[], encap_other;
#define ENCAPS "mpls, ip, ip6, seg6, seg6local, rpl, ioam6, bpf, xfrm"

/* One type of kernel object: its fields and its message types. */
struct object {
	const char *name; /* "route", as in `nl.route` and `ip route` */
	const struct schema *schema;
	uint16_t add, del, get; /* RTM_NEW*, RTM_DEL*, RTM_GET* */
};

/* The article for messages: an address, a route. */
static inline const char *article(const struct schema *schema)
{
	char first = *schema->name;
	return first == 'a' || first == 'e' || first == 'i' || first == 'o' ? "an" : "a";
}

extern const struct object rtnl_objects[];
extern const struct schema schema_route, schema_flow, schema_addr, schema_nexthop, schema_rule,
	schema_neigh, schema_portvlan;
SUB_SCHEMAS(SUB_DECLARATION)

/* Compares two words; most differ in their first letter. */
static inline bool same_text(const char *a, const char *b)
{
	return *a == *b && strcmp(a, b) == 0;
}

/* Whether the field before has the same key: IPv4 and IPv6 attributes of one field, or a second
 * place that the kernel reports it in. */
static inline bool repeats_key(const struct field *fields, const struct field *f)
{
	return f > fields && *f->key && same_text(f[-1].key, f->key);
}

/* The schema of what a field holds; NULL where it holds no fields. */
extern const struct schema *const sub_schemas[];
static inline const struct schema *sub_schema(const struct field *f)
{
	return sub_schemas[f->sub];
}

const struct object *object_by_name(const char *name);
const struct object *object_by_type(uint16_t type);
const struct variant *variants_of(const struct field *f);
const struct variant *variant_by_name(const struct field *f, const char *name);
const struct variant *variant_by_number(const struct field *f, uint16_t number);

/* The words that iproute2 has for numbers; a list ends with an empty name. */
const struct word *words_of(enum word_list list);
const char *word_by_value(enum word_list list, uint32_t value);
const struct word *word_by_name(enum word_list list, const char *name);

#endif
