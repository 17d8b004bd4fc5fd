/*
 * The Lua modules inside the executable; made at build time. Sorted by name, and without addresses,
 * which would have to be put in when the program starts.
 */
#ifndef ECMP_EMBED_H
#define ECMP_EMBED_H

#include <stdbool.h>
#include <stddef.h>

struct embedded {
	char name[40];
	unsigned offset, size; /* of its bytecode in embedded_code */
};

extern const unsigned char embedded_code[];
extern const struct embedded embedded[];
extern const size_t embedded_count;
extern const char embedded_commit[]; /* what was built; empty where nobody knows */

extern const bool is_static; /* whether the executable has the C library inside */

#endif
