/*
 * Replaces dlopen in a static executable (--wrap), which cannot load C modules from files: they
 * need the shared C library. `require` reports that; embedded modules are found first.
 */
#include "exe/embed.h"

#include <stddef.h>

#include "common/export.h"

const bool is_static = true;

void *__wrap_dlopen(const char *path, int mode);
char *__wrap_dlerror(void);

void *__wrap_dlopen(const char *path, int mode)
{
	(void)path;
	(void)mode;
	return NULL;
}

char *__wrap_dlerror(void)
{
	return "this executable is static and loads no C modules from files";
}
