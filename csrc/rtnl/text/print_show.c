/*
 * Prints links, addresses and rules as `ip OBJECT show` does. All other objects are printed field
 * by field (print.c).
 */
#include "rtnl/text/print.h"

#include "rtnl/base/rt_names.h"
#include "rtnl/codec/decoder.h"
#include "rtnl/netlink/ifname.h"

#include <lauxlib.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "common/export.h"

/* [] -> [value] and true, or [] and false */
static bool push_value(struct print *p, const struct span *s, const char *key)
{
	bool known;
	lua_pushstring(p->L, key);
	bool there = push_key(p->L, s, -1, p->names, &known);
	lua_remove(p->L, there ? -2 : -1);
	return there;
}

/* The same, a number by its name in /etc/iproute2. */
static bool push_named(struct print *p, const struct span *s, const char *key, enum word_list words)
{
	if (!push_value(p, s, key))
		return false;
	if (lua_isinteger(p->L, -1))
		rt_name_swap(p->L, words);
	return true;
}

/* " WORD VALUE" where the field is present */
static void show_value(struct print *p, const struct span *s, const char *text, const char *key)
{
	if (!push_value(p, s, key))
		return;
	if (text)
		print_word(p, text);
	print_value(p, "");
}

/* A field as print.c prints it. */
static void show_field(struct print *p, const struct span *s, const char *key)
{
	const struct field *f = s->schema->fields;
	while (f->type != FIELD_NONE && !(*f->key && same_text(f->key, key)))
		f++;
	if (f->type != FIELD_NONE)
		print_field(p, s, f);
}

static void begin_line(struct print *p, const char *indent)
{
	print_text(p, "\n");
	print_text(p, indent);
}

static uint32_t flags_of(const struct span *s)
{
	return ((const struct ifinfomsg *)(const void *)s->data)->ifi_flags;
}

/* --- links: 3: v1@p1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 ... ------------------------- */

/* [] -> []: @p1, @if7 where the other end is in another namespace, @NONE */
static void show_lower(struct print *p, const struct span *s)
{
	const struct nlattr *a = find_attr(s, IFLA_LINK);
	if (!a || payload_length(a) != 4)
		return;
	uint32_t lower = (uint32_t)read_uint(payload(a), 4, false);
	print_text(p, "@");
	if (lower == 0)
		print_text(p, "NONE");
	else if (find_attr(s, IFLA_LINK_NETNSID))
		print_text(p, lua_pushfstring(p->L, "if%d", (int)lower)); /* in another namespace */
	else
		print_text(p, ifnames_name(p->L, p->names, lower));
	if (lower)
		lua_pop(p->L, 1);
}

static void show_flags(struct print *p, const struct span *s)
{
	lua_State *L = p->L;
	uint32_t flags = flags_of(s);
	bool first = true;
	print_text(p, ": <");
	if (flags & IFF_UP && !(flags & IFF_RUNNING)) {
		print_text(p, "NO-CARRIER");
		first = false;
	}
	if (push_value(p, s, "flags")) {
		for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
			if (strcmp(lua_tostring(L, -1), "RUNNING") != 0) {
				print_text(p, first ? "" : ",");
				print_text(p, lua_tostring(L, -1));
				first = false;
			}
			lua_pop(L, 1);
		}
		lua_pop(L, 2);
	}
	print_text(p, p->lower_down ? ",M-DOWN>" : ">");
}

/* `brief`: as the first line of `ip addr show`, which leaves out the mode */
static void show_link_line(struct print *p, const struct span *s, bool brief)
{
	show_value(p, s, NULL, "index");
	print_text(p, ":");
	show_value(p, s, NULL, "name");
	show_lower(p, s);
	show_flags(p, s);
	show_value(p, s, "mtu", "mtu");
	if (p->family != 6) { /* `ip -6 addr` lists links by AF_INET6, with fewer attributes */
		show_value(p, s, "qdisc", "qdisc");
		show_value(p, s, "master", "master");
	}
	show_value(p, s, "state", "operstate");
	if (!brief)
		show_value(p, s, "mode", "linkmode");
	if (p->family != 6)
		show_field(p, s, "group");
	if (push_value(p, s, "txqueuelen")) {
		bool any = lua_tointeger(p->L, -1) != 0;
		lua_pop(p->L, 1);
		if (any)
			show_value(p, s, "qlen", "txqueuelen");
	}
}

/* The permanent hardware address, where the current one differs. */
static void show_permanent(struct print *p, const struct span *s)
{
	const struct nlattr *a = find_attr(s, IFLA_PERM_ADDRESS), *b = find_attr(s, IFLA_ADDRESS);
	if (!a || (b && a->nla_len == b->nla_len &&
		   memcmp(payload(a), payload(b), payload_length(a)) == 0))
		return;
	show_value(p, s, "permaddr", "permaddr");
}

static void show_hardware(struct print *p, const struct span *s)
{
	begin_line(p, "    link/");
	if (push_value(p, s, "link_type")) {
		if (lua_isinteger(p->L, -1)) {
			print_text(p, "[");
			print_value_text(p);
			print_text(p, "]");
		} else {
			print_value_text(p);
		}
	}
	show_value(p, s, NULL, "address");
	if (p->family == 6) /* see show_link_line */
		return;
	show_value(p, s, flags_of(s) & IFF_POINTOPOINT ? "peer" : "brd", "broadcast");
	show_permanent(p, s);
	show_value(p, s, "link-netnsid", "link_netnsid");
	if (push_value(p, s, "protodown")) {
		if (lua_toboolean(p->L, -1))
			print_word(p, "protodown on");
		lua_pop(p->L, 1);
	}
}

static void show_altnames(struct print *p, const struct span *s)
{
	lua_State *L = p->L;
	if (!push_value(p, s, "altnames"))
		return;
	for (lua_Integer i = 1; lua_rawgeti(L, -1, i) == LUA_TSTRING; i++) {
		begin_line(p, "    altname");
		print_value(p, "");
	}
	lua_pop(L, 2);
}

/* The fields of the link's type or port on a line of their own, after the name of the type. */
static void show_type(struct print *p, const struct span *info, const char *key, const char *suffix)
{
	if (!push_value(p, info, key))
		return;
	begin_line(p, "   ");
	lua_pushstring(p->L, suffix);
	lua_concat(p->L, 2);
	print_value(p, "");
	for (const struct field *f = info->schema->fields; f->type != FIELD_NONE; f++)
		if (f->type == FIELD_UNION && same_text(f->key, key))
			print_field(p, info, f);
}

/* The fields of the link's type and port. */
static void show_types(struct print *p, const struct span *s)
{
	struct span info;
	const struct field *f = s->schema->fields;
	while (f->type != FIELD_NEST || f->attr != IFLA_LINKINFO)
		f++;
	if (!span_of_nest(s, f, &info))
		return;
	show_type(p, &info, "type", "");
	show_type(p, &info, "port", "_slave");
}

/* What `ip -d` adds. */
static void show_details(struct print *p, const struct span *s)
{
	static const char *const counts[] = {
		"numtxqueues",	"numrxqueues",	"gso_max_size", "gso_max_segs",
		"tso_max_size", "tso_max_segs", "gro_max_size",
	};
	show_field(p, s, "promiscuity");
	if (find_attr(s, IFLA_ALLMULTI))
		print_text(p, " "); /* ip(8) has a blank on either side */
	show_field(p, s, "allmulti");
	show_field(p, s, "minmtu");
	show_field(p, s, "maxmtu");
	show_types(p, s);
	if (!p->brief)
		show_value(p, s, "addrgenmode", "addrgenmode");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		show_field(p, s, counts[i]);
}

static void show_link(struct print *p, const struct span *s)
{
	bool inet6 = p->family == 6;
	show_link_line(p, s, p->brief);
	if (!p->brief || !p->family || p->details)
		show_hardware(p, s);
	if (inet6)
		return;
	if (p->details)
		show_details(p, s);
	if ((!p->brief || p->details) && push_value(p, s, "alias")) {
		begin_line(p, "    alias");
		print_value(p, "");
	}
	show_altnames(p, s);
}

/* --- addresses:     inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0 ------------------------ */

static void show_lifetime(struct print *p, const struct span *s, const char *key)
{
	if (!push_value(p, s, key))
		return;
	print_word(p, key);
	print_value(p, lua_isinteger(p->L, -1) ? "sec" : "");
}

/* A flag; an address that is not permanent is "dynamic". */
static void show_addr_flag(struct print *p, const struct span *s, const struct field *f)
{
	bool set = push_field(p->L, s, f, p->names);
	if (set)
		lua_pop(p->L, 1);
	if (f->mask == IFA_F_PERMANENT) {
		if (!set)
			print_word(p, "dynamic");
	} else if (set) {
		bool temporary = f->mask == IFA_F_SECONDARY && s->family == AF_INET6;
		print_word(p, temporary ? "temporary" : field_word(f));
	}
}

/* The fields behind the address, except the interface, printed in the heading, and the lifetimes,
 * printed on the next line. */
static void show_addr_field(struct print *p, const struct span *s, const struct field *f)
{
	switch (f->type) {
	case FIELD_FAMILY:
	case FIELD_PREFIX:
	case FIELD_IFINDEX:
	case FIELD_MEMBER:
		return;
	case FIELD_BIT:
		show_addr_flag(p, s, f);
		return;
	case FIELD_STRING:
		show_value(p, s, NULL, f->key); /* the label, without its keyword */
		return;
	default:
		print_field(p, s, f);
	}
}

/* With a peer the prefix length belongs to the peer. */
static void show_prefix(struct print *p, const struct span *s)
{
	lua_State *L = p->L;
	bool peer = push_value(p, s, "peer");
	if (peer)
		lua_pop(L, 1);
	if (!push_value(p, s, "address"))
		return;
	const char *text = lua_tostring(L, -1), *slash = strchr(text, '/');
	if (peer && slash) {
		lua_pushlstring(L, text, (size_t)(slash - text));
		lua_replace(L, -2);
	}
	print_value(p, "");
	show_value(p, s, "peer", "peer");
}

static void show_addr(struct print *p, const struct span *s)
{
	print_text(p, s->family == AF_INET6 ? "    inet6" : "    inet");
	show_prefix(p, s);
	for (const struct field *f = s->schema->fields; f->type != FIELD_NONE; f++)
		show_addr_field(p, s, f);
	if (!find_attr(s, IFA_CACHEINFO))
		return;
	begin_line(p, "      ");
	show_lifetime(p, s, "valid_lft");
	show_lifetime(p, s, "preferred_lft");
}

/* --- rules: 32766:	from all lookup main ------------------------------------------------------
 */

static void show_mark(struct print *p, const struct span *s)
{
	lua_Integer mark = 0, mask = UINT32_MAX;
	if (!find_attr(s, FRA_FWMARK) && !find_attr(s, FRA_FWMASK))
		return;
	if (push_value(p, s, "fwmark")) {
		mark = lua_tointeger(p->L, -1);
		lua_pop(p->L, 1);
	}
	if (push_value(p, s, "fwmask")) {
		mask = lua_tointeger(p->L, -1);
		lua_pop(p->L, 1);
	}
	print_word(p, "fwmark");
	print_hex_number(p, mark);
	if (mask == UINT32_MAX)
		return;
	print_text(p, "/");
	print_hex_number(p, mask);
}

/* The table, or another action. */
static void show_action(struct print *p, const struct span *s)
{
	const struct fib_rule_hdr *r = (const struct fib_rule_hdr *)(const void *)s->data;
	if (push_named(p, s, "table", WORDS_TABLE)) {
		print_word(p, "lookup");
		print_value(p, "");
		show_field(p, s, "suppress_prefixlength");
		show_field(p, s, "suppress_ifgroup");
	}
	show_field(p, s, "realm");
	if (r->action == FR_ACT_GOTO) {
		show_value(p, s, "goto", "goto");
		if (r->flags & FIB_RULE_UNRESOLVED)
			print_word(p, "[unresolved]");
	} else if (r->action != FR_ACT_TO_TBL) {
		show_value(p, s, NULL, "action");
	}
}

/* The protocol: "kernel" and "unspec" in details only. */
static void show_origin(struct print *p, const struct span *s)
{
	const struct nlattr *a = find_attr(s, FRA_PROTOCOL);
	uint8_t proto = a && payload_length(a) == 1 ? *payload(a) : RTPROT_UNSPEC;
	if (proto == RTPROT_UNSPEC && a && p->details)
		print_word(p, "proto unspec");
	else if (proto != RTPROT_KERNEL || p->details)
		show_field(p, s, "proto");
}

static void show_interface(struct print *p, const struct span *s, const char *key,
			   uint32_t detached)
{
	const struct fib_rule_hdr *r = (const struct fib_rule_hdr *)(const void *)s->data;
	show_value(p, s, key, key);
	if (r->flags & detached)
		print_word(p, "[detached]");
}

static void show_rule(struct print *p, const struct span *s)
{
	const struct fib_rule_hdr *r = (const struct fib_rule_hdr *)(const void *)s->data;
	show_value(p, s, NULL, "priority");
	print_text(p, ":\t");
	if (r->flags & FIB_RULE_INVERT)
		print_word(p, "not");
	if (find_attr(s, FRA_SRC))
		show_value(p, s, "from", "from");
	else
		print_word(p, "from all");
	show_value(p, s, "to", "to");
	show_field(p, s, "tos");
	show_mark(p, s);
	show_interface(p, s, "iif", FIB_RULE_IIF_DETACHED);
	show_interface(p, s, "oif", FIB_RULE_OIF_DETACHED);
	if (push_value(p, s, "l3mdev")) {
		lua_pop(p->L, 1);
		print_word(p, "lookup [l3mdev-table]");
	}
	show_field(p, s, "uidrange");
	show_field(p, s, "ipproto");
	show_field(p, s, "sport");
	show_field(p, s, "dport");
	show_field(p, s, "tun_id");
	show_action(p, s);
	show_origin(p, s);
}

/* Appends the object as `ip OBJECT show` prints it; a request, as it would be typed. */
void print_object(struct print *p, const struct span *s)
{
	static const struct {
		const struct schema *schema;
		void (*show)(struct print *p, const struct span *s);
	} shows[] = {
		{&schema_link, show_link}, {&schema_addr, show_addr}, {&schema_rule, show_rule}};

	luaL_checkstack(p->L, 12, "too many values");
	for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]) && !p->request; i++) {
		if (shows[i].schema == s->schema) {
			shows[i].show(p, s);
			return;
		}
	}
	print_span(p, s);
}
