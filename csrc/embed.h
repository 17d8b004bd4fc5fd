/*
 * The Lua modules inside the executable, sorted by name; the table is made at build time.
 */
#ifndef ECMP_EMBED_H
#define ECMP_EMBED_H

#include <stddef.h>

struct embedded {
	const char *name;
	const unsigned char *code;
	size_t size;
};

extern const struct embedded embedded[];
extern const size_t embedded_count;

#endif
