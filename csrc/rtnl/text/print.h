/*
 * The inside of the printer: what its files share.
 */
#ifndef ECMP_RTNL_PRINT_H
#define ECMP_RTNL_PRINT_H

#include "rtnl/text/printer.h"

void print_raw(struct print *p, const char *text, size_t length);
const char *shown_as(const struct field *f);		 /* the word of a field */
void print_list(struct print *p, const char *separator); /* [list] -> [] */

/* values: kinds of one value */
typedef void print_fn(struct print *p, const struct span *s, const struct field *f);

print_fn print_plain, print_hex, print_time, print_realm, print_switch, print_timer, print_range,
	print_bits, print_labels, print_names;

#endif
