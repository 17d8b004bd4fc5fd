/*
 * What the files of the printer share.
 */
#ifndef ECMP_RTNL_PRINT_H
#define ECMP_RTNL_PRINT_H

#include "rtnl/text/printer.h"

void print_raw(struct print *p, const char *text, size_t length);
const char *field_word(const struct field *f);		 /* the word of a field */
void print_list(struct print *p, const char *separator); /* [list] -> [] */

/* print_value: fields of one value */
typedef void print_fn(struct print *p, const struct span *s, const struct field *f);

print_fn print_single, print_hex, print_time, print_realm, print_switch, print_timer, print_range,
	print_bits, print_labels, print_names;

#endif
