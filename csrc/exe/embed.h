/*
 * The Lua modules embedded in the executable at build time, sorted by name. By offsets, since
 * pointers would be relocated at every start.
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
extern const char embedded_commit[]; /* the commit that was built; may be empty */

extern const bool is_static; /* whether the executable has the C library inside */

#endif
