/*
 * Allocates the memory of the Lua state, for plugins, which run for milliseconds. Small pieces are
 * cut from blocks and kept in free lists by size, without headers, since Lua passes the old size.
 * Blocks are freed when the process exits.
 */
#define _GNU_SOURCE
#include "exe/allocator.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/export.h"

/* Pieces of one class have one size: 0 for 1 to 8 bytes, 1 for 9 to 16, ... */
static size_t class_of(size_t size)
{
	return (size - 1) / HEAP_GRAIN;
}

static void *cut(struct heap *heap, size_t class)
{
	size_t size = (class + 1) * HEAP_GRAIN;
	void *piece;

	if (heap->left < size) {
		/* all of it will be used: MAP_POPULATE saves a fault for each page */
		void *block = mmap(NULL, HEAP_BLOCK, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		if (block == MAP_FAILED)
			return NULL;
		heap->next = block;
		heap->left = HEAP_BLOCK;
	}
	piece = heap->next;
	heap->next += size;
	heap->left -= size;
	return piece;
}

static void *take(struct heap *heap, size_t size)
{
	size_t class = class_of(size);
	struct piece *piece = heap->freed[class];

	if (!piece)
		return cut(heap, class);
	heap->freed[class] = piece->next;
	return piece;
}

static void give_back(struct heap *heap, void *old, size_t size)
{
	size_t class = class_of(size);
	struct piece *piece = old;

	piece->next = heap->freed[class];
	heap->freed[class] = piece;
}

static void *acquire(struct heap *heap, size_t size)
{
	return size <= HEAP_SMALL ? take(heap, size) : malloc(size);
}

static void release(struct heap *heap, void *old, size_t size)
{
	if (size <= HEAP_SMALL)
		give_back(heap, old, size);
	else
		free(old);
}

/* A lua_Alloc. Lua relies on it that a piece can always be made smaller. */
void *heap_alloc(void *ud, void *old, size_t had, size_t wants)
{
	struct heap *heap = ud;
	void *new;

	if (!old) /* `had` is a type here, not a size */
		return wants ? acquire(heap, wants) : NULL;
	if (wants == 0) {
		if (had)
			release(heap, old, had);
		return NULL;
	}
	if (had > HEAP_SMALL && wants > HEAP_SMALL)
		return realloc(old, wants);
	if (had <= HEAP_SMALL && wants <= HEAP_SMALL && class_of(had) == class_of(wants))
		return old;
	new = acquire(heap, wants);
	if (!new)
		return wants < had ? old : NULL;
	memcpy(new, old, had < wants ? had : wants);
	release(heap, old, had);
	return new;
}
