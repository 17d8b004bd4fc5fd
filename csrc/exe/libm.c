/*
 * Loads libm on the first call of a function that Lua uses of it, or with the first C module from a
 * file. Plugins use none; loading libm costs a twelfth of the time and a sixth of the memory of
 * their start.
 */
#define _GNU_SOURCE
#include "exe/embed.h"

#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "common/export.h"

const bool is_static = false;

/* Exits as the dynamic linker does for a missing library. */
_Noreturn static void miss(const char *name)
{
	fprintf(stderr, "ecmp: %s: libm.so.6 is missing\n", name);
	_exit(127);
}

/* It may be loaded already, or be part of a C library other than glibc. */
static void *find(const char *name)
{
	void *found = dlsym(RTLD_NEXT, name);
	void *libm = found ? NULL : dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);

	if (libm)
		found = dlsym(libm, name);
	if (!found)
		miss(name);
	return found;
}

__attribute__((visibility("default"))) void *__real_dlopen(const char *path, int mode);
void *__wrap_dlopen(const char *path, int mode);

/* Replaces dlopen (--wrap), by which Lua loads C modules: some use libm without linking it, since
 * the lua interpreter does. */
void *__wrap_dlopen(const char *path, int mode)
{
	static bool loaded;
	if (!loaded)
		__real_dlopen("libm.so.6", RTLD_NOW | RTLD_GLOBAL);
	loaded = true;
	return __real_dlopen(path, mode);
}

/* clang-format off */
#define OF_ONE(name) \
	double name(double x) \
	{ \
		static double (*found)(double); \
		if (!found) \
			*(void **)&found = find(#name); \
		return found(x); \
	}
#define OF_TWO(name) \
	double name(double x, double y) \
	{ \
		static double (*found)(double, double); \
		if (!found) \
			*(void **)&found = find(#name); \
		return found(x, y); \
	}
/* clang-format on */

OF_ONE(acos)
OF_ONE(asin)
OF_ONE(ceil)
OF_ONE(cos)
OF_ONE(cosh)
OF_ONE(exp)
OF_ONE(floor)
OF_ONE(log)
OF_ONE(log10)
OF_ONE(log2)
OF_ONE(sin)
OF_ONE(sinh)
OF_ONE(sqrt)
OF_ONE(tan)
OF_ONE(tanh)
OF_TWO(atan2)
OF_TWO(fmin)
OF_TWO(fmod)
OF_TWO(pow)
