/*
 * What the files of ecmp.rtnl share: the arena messages are built in, the encoder, the reader, the
 * view.
 *
 *   schema, words, text  <-  encode, decode, print, parse, extack  <-  view  <-  socket, batch  <-
 * module
 */
#ifndef ECMP_RTNL_H
#define ECMP_RTNL_H

#include "rtnl/schema/field.h"

#include <lauxlib.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <lua.h>
#include <string.h>
#include <sys/socket.h>

#define RTNL_SOCKET "ecmp.rtnl.socket"
#define RTNL_VIEW   "ecmp.rtnl.view"

/* --- arena: growing memory that Lua owns, so that no error can leak it ----------------------- */

struct arena {
	lua_Alloc alloc; /* the state's own allocator: its limits hold here too */
	void *ud;
	uint8_t *base;
	size_t length, capacity;
};

struct arena *arena_new(lua_State *L); /* [] -> [arena] */
void arena_grow(lua_State *L, struct arena *a, size_t need);
void arena_free(struct arena *a);
void arena_register(lua_State *L);

/* Room at the end, counted in, to be filled by the caller. */
static inline uint8_t *arena_room(lua_State *L, struct arena *a, size_t more)
{
	if (a->capacity - a->length < more)
		arena_grow(L, a, a->length + more);
	uint8_t *room = a->base + a->length;
	a->length += more;
	return room;
}

/* The same, zeroed. */
static inline uint8_t *arena_reserve(lua_State *L, struct arena *a, size_t more)
{
	return memset(arena_room(L, a, more), 0, more);
}

/* --- text <-> bytes of addresses ------------------------------------------------------------- */

/* Bytes of an address, family AF_INET or AF_INET6. */
static inline size_t address_size(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

int text_to_ip4(const char *text, size_t length, uint8_t out[4]); /* characters read, or 0 */
int text_to_ip6(const char *text, size_t length, uint8_t out[16]);
size_t ip_to_text(int family, const uint8_t *bytes, char out[48]); /* RFC 5952 */
int text_to_lladdr(const char *text, size_t length, uint8_t *out,
		   size_t room); /* bytes written, or -1 */

/* --- names of links: one Lua table for one operation
 * -------------------------------------------------------- * names[index] = "eth0" and
 * names["eth0"] = index; names[0] is the socket that can be asked, or nil, and then unknown names
 * get numbers of their own, so that text can be printed and compared without a kernel. */

enum {
	INVENTED = 0x40000000 /* no kernel has reached these */
};

void names_new(lua_State *L, int socket); /* [] -> [names]; socket 0: no kernel */
void names_heard(lua_State *L, int names, int table);
uint32_t names_index(lua_State *L, int names, const char *name,
		     bool *found);				 /* errno says why not */
const char *names_name(lua_State *L, int names, uint32_t index); /* [] -> [name or number] */

/* --- encode ---------------------------------------------------------------------------------- */

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

/* A key once found: where the string lies and which row of which schema it names. */
struct known_key {
	const void *key;
	const struct schema *schema;
	int row;
};

enum {
	KNOWN_KEYS = 64
};

struct key_cache {
	struct known_key known[KNOWN_KEYS];
};

/* Where a key is known. Keys of rows are never collected, so their addresses tell them. */
static inline struct known_key *known_place(struct key_cache *c, const struct schema *schema,
					    const void *key)
{
	size_t place = ((uintptr_t)key >> 4 ^ (uintptr_t)schema >> 5) % KNOWN_KEYS;
	struct known_key *known = &c->known[place];
	if (known->key && (known->key != key || known->schema != schema))
		known = &c->known[place ^ 1]; /* taken by another key */
	return known;
}

struct encoder {
	lua_State *L;
	struct arena *out;
	size_t start; /* of the message's fixed header in the arena */
	int room;     /* stack index up to which values may be pushed */
	int names;    /* absolute stack index */
	enum verb verb;
	bool held_only; /* what is sent changes what is there and makes nothing */
	int base;	/* number of the change in a batch, for errors; 0: a single request */
	int family;	/* AF_INET, AF_INET6, or 0 */
	int depth;
	struct step path[8];
	int *held; /* descriptors the message refers to, closed after it is sent; NULL: none wanted
		    */
	int refused;  /* errno of something the world lacks (a device, a namespace); 0 = fine */
	char ref[64]; /* the namespace that was lacking */
	const char *lacking; /* what: "device", "namespace", "room" in dumps, or what
			      * a deletion does not compare */
	bool may_drop; /* next hops for which the message has no room are counted, not raised */
	int dropped;
	struct key_cache keys;
	uint64_t route_rows[6];	   /* of keys that defaults ask for */
	const struct arena *parts; /* of the text being encoded */
};

struct value;

enum {
	HELD_MAX = 4
};

bool is_list(lua_State *L, int n); /* [table] -> [table]: 1..n are all its keys */
void encode_message(struct encoder *e, const struct schema *schema, int value); /* a table */
void encode_part(struct encoder *e, const struct schema *schema, const struct arena *parts,
		 const struct value *part); /* fields read from text */
void check_fit(struct encoder *e, const struct schema *schema);
const char *push_unfit(struct encoder *e); /* [] -> [text] */
int hops_beyond(const uint8_t *data, size_t length);
int route_beyond(lua_State *L);
void encode_view(struct encoder *e, const struct schema *schema, const uint8_t *data,
		 size_t length);
void index_register(lua_State *L);			    /* key -> row tables of every schema */
void push_index(lua_State *L, const struct schema *schema); /* [] -> [key -> row] */
int index_lookup(lua_State *L, const struct schema *schema, int key); /* row number, or -1 */
const char *nearest_key(lua_State *L, const struct schema *schema, const char *key);
const char *nearest_word(lua_State *L, int words, const char *key);
__attribute__((noreturn)) void
throw_at_caller(lua_State *L); /* [message] -> raises, with the caller's line */

/* --- decode ---------------------------------------------------------------------------------- */

/* A stretch of header and attributes with the rows to read it by. */
struct stretch {
	const struct schema *schema;
	const uint8_t *data;
	size_t length;
	int family;
	const struct stretch *outer;
};

/* The attribute at `at`, or NULL. Attributes are 4-byte aligned in every message we keep, so the
 * header may be read in place. */
static inline const struct nlattr *attr_at(const uint8_t *data, size_t length, size_t at)
{
	const struct nlattr *a = (const struct nlattr *)(const void *)(data + at);
	if (at + NLA_HDRLEN > length || a->nla_len < NLA_HDRLEN || a->nla_len > length - at)
		return NULL;
	return a;
}

static inline uint16_t attr_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

static inline const uint8_t *payload(const struct nlattr *a)
{
	return (const uint8_t *)a + NLA_HDRLEN;
}

static inline size_t payload_length(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

enum {
	ADDRESS_TEXT = 64 /* room for any address and its length */
};

const struct nlattr *find_attr(const struct stretch *s, uint16_t type);
uint64_t attrs_of(const struct stretch *s);
uint8_t unsaid_scope(const struct stretch *s); /* of a route */
bool is_absent(const struct field *f, uint64_t attrs);
size_t address_text(const struct stretch *s, const struct field *f, char text[ADDRESS_TEXT]);
bool push_field(lua_State *L, const struct stretch *s, const struct field *f,
		int names); /* pushes 0 or 1 */
void push_stretch(lua_State *L, const struct stretch *s,
		  int names); /* [] -> [table of all it holds] */
bool push_key(lua_State *L, const struct stretch *s, int key, int names, bool *known);
bool push_row(lua_State *L, const struct stretch *s, int row, int key, int names, bool *known);
int stretch_family(const uint8_t *data, size_t length);
uint64_t read_uint(const uint8_t *data, size_t size, bool big);
uint32_t table_number(const struct stretch *s, uint16_t attr, size_t offset);
bool attr_uint(const struct nlattr *a, const struct field *f, uint64_t *value);
const struct variant *encap_of(const struct stretch *s, const struct field *f);
bool inlines(const struct stretch *s); /* of a seg6 or seg6local encap */
const struct variant *union_of(const struct stretch *s, const struct field *f);
bool stretch_of_nest(const struct stretch *s, const struct field *f, struct stretch *inner);

struct hop_cursor {
	const uint8_t *data;
	size_t left;
	const struct schema *schema;
	const struct stretch *outer;
};

struct hop_cursor hops_of(const struct stretch *s, const struct field *f);
bool next_hop(struct hop_cursor *c, struct stretch *hop);
bool next_struct(const struct stretch *s, const struct field *f, size_t *at, struct stretch *one);

/* --- print and parse ------------------------------------------------------------------------- */

struct print {
	lua_State *L;
	struct arena *out;
	int names;	/* absolute stack index */
	bool details;	/* as `ip -d` */
	bool one_line;	/* hops behind each other instead of on lines of their own */
	bool any_table; /* name the table when it is not main */
	bool request;	/* only what was given: defaults are left out */
	bool brief;	/* a link as `ip addr` heads its addresses */
	int family; /* of these addresses, 4 or 6, or 0 for both: then the hardware address stands
		       there too */
	bool lower_down; /* the link below this one is not up (M-DOWN) */
	int nexthops;	 /* stack index of the texts of next-hop objects by id, or 0 */
};

void print_object(struct print *p, const struct stretch *s);  /* as `ip OBJECT show` */
void print_stretch(struct print *p, const struct stretch *s); /* row by row */
void print_field(struct print *p, const struct stretch *s, const struct field *f);
void print_word(struct print *p, const char *text);
void print_text(struct print *p, const char *text);
void print_value(struct print *p, const char *unit); /* [value] -> []: as a word */
void print_value_text(struct print *p);		     /* [value] -> []: without a blank before it */
void print_hex_number(struct print *p, lua_Integer n);
void print_push(struct print *p); /* [] -> [string], and empties the arena */
/* Reads the words typed after `ip OBJECT add` into a part in `bytes`. [] -> [], or false and
 * [message] */
bool parse_words(lua_State *L, struct arena *bytes, const struct object *object, const char *text,
		 size_t length, struct value *part);

int site_set(lua_State *L);				/* Lua: rtnl.site */
void site_swap(lua_State *L, const struct word *words); /* [value] -> [value] */

/* --- extended ACK ---------------------------------------------------------------------------- */

struct extack {
	const char *text; /* the kernel's sentence, or NULL */
	size_t text_length;
	uint32_t offset;       /* of the offending attribute in the request; 0: none given */
	uint32_t missing;      /* number of an attribute the kernel misses; 0: none */
	uint32_t missing_nest; /* offset of the nest it belongs in */
};

bool read_extack(const struct nlmsghdr *reply, struct extack *x, int *error);
bool push_field_path(lua_State *L, const struct schema *schema, const uint8_t *data, size_t length,
		     size_t offset);
void push_missing_path(lua_State *L, const struct schema *schema, const uint8_t *data,
		       size_t length, const struct extack *x);
int push_errno(lua_State *L, const char *request, const char *text,
	       int error); /* -> nil, message, code */

/* --- views ----------------------------------------------------------------------------------- */

/* What a route that is wanted does not say, whatever its header holds; among a view's flags. */
enum {
	ANY_PROTO = 1 << 14,
	ANY_SCOPE = 1 << 15
};

struct view {
	const struct object *object;
	uint32_t length;
	uint16_t type;	/* RTM_* */
	uint16_t flags; /* NLM_F_*, ANY_* */
	uint8_t data[];
};

static inline struct stretch view_stretch(const struct view *v)
{
	return (struct stretch){v->object->schema, v->data, v->length,
				stretch_family(v->data, v->length), NULL};
}

void view_kind(lua_State *L, const struct object *object, int names); /* [] -> [metatable] */
void view_new(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	      const uint8_t *data, size_t length, int kind);
void view_push(lua_State *L, const struct object *object, uint16_t type, uint16_t flags,
	       const uint8_t *data, size_t length, int names);
struct view *view_test(lua_State *L, int index);
struct view *check_view(lua_State *L);	  /* the first argument */
void view_names(lua_State *L, int index); /* [] -> [names] of a view */
bool same_views(lua_State *L, const struct view *a, const struct view *b);
void push_text(lua_State *L, struct print p, const struct stretch *s); /* [] -> [text] */
int view_text(lua_State *L);					       /* Lua: view:text */
int views_text(lua_State *L);					       /* Lua: rtnl.text */
void view_register(lua_State *L);

/* --- socket ---------------------------------------------------------------------------------- */

void socket_register(lua_State *L);
int socket_open(lua_State *L); /* Lua: rtnl.open */
bool socket_link(lua_State *L, int socket, uint32_t *index,
		 char name[16]); /* asks for the other of the two */

#endif
