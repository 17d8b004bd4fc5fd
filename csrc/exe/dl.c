/*
 * Loading of C modules from files, for a static executable, in which there is none: it would need
 * the very C library that is not there. `require` says so; the modules inside are found before.
 * The linker puts these in place of libc's (--wrap).
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
