/*
 * The allocator of the Lua state.
 */
#ifndef ECMP_ALLOCATOR_H
#define ECMP_ALLOCATOR_H

#include <stddef.h>

enum {
	HEAP_GRAIN = 8,
	HEAP_SMALL = 512,
	HEAP_BLOCK = 64 * 1024,
};

/* a freed piece in the list of its size */
struct piece {
	struct piece *next;
};

struct heap {
	struct piece *freed[HEAP_SMALL / HEAP_GRAIN];
	char *next; /* the unused rest of the newest block */
	size_t left;
};

void *heap_alloc(void *heap, void *old, size_t had, size_t wants);

#endif
