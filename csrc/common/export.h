/*
 * Hides what a file defines from all but the module that it is part of: in a host program a
 * function of the same name would take its place otherwise. Included behind all other headers,
 * since the functions of other libraries are not to be hidden.
 */
#ifndef ECMP_COMMON_EXPORT_H
#define ECMP_COMMON_EXPORT_H

/* What Lua looks for: luaopen_NAME. */
#define EXPORT __attribute__((visibility("default")))

#pragma GCC visibility push(hidden)

#endif
