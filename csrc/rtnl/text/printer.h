/*
 * Prints messages as ip(8) does.
 */
#ifndef ECMP_RTNL_TEXT_PRINTER_H
#define ECMP_RTNL_TEXT_PRINTER_H

#include "rtnl/base/buffer.h"
#include "rtnl/netlink/attr.h"

#include <lua.h>

struct print {
	lua_State *L;
	struct buffer *out;
	int names;	 /* absolute stack index */
	bool details;	 /* as `ip -d` */
	bool one_line;	 /* next hops on the same line */
	bool any_table;	 /* name the table when it is not main */
	bool request;	 /* as a request: defaults are left out */
	bool brief;	 /* a link as the heading of `ip addr` */
	int family;	 /* of these addresses, 4 or 6; 0 for both, with the hardware address */
	bool lower_down; /* the lower device is down (M-DOWN) */
	int nexthops;	 /* stack index of the texts of next-hop objects by id, or 0 */
};

void print_object(struct print *p, const struct span *s); /* as `ip OBJECT show` */
void print_span(struct print *p, const struct span *s);	  /* field by field */
void print_field(struct print *p, const struct span *s, const struct field *f);

/* print_buffer: appends words and numbers */
void print_chars(struct print *p, const char *text, size_t length);
void print_word(struct print *p, const char *text);
void print_text(struct print *p, const char *text);
void print_number(struct print *p, long long value);
void print_value(struct print *p, const char *unit); /* [value] -> []: as a word */
void print_value_text(struct print *p);		     /* [value] -> []: without a blank before it */
void print_hex_number(struct print *p, lua_Integer n);
void print_push(struct print *p); /* [] -> [string], and empties the buffer */

#endif
