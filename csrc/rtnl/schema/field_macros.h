/*
 * How rows are written down. Rows stand in the order iproute2 prints them; duplicate keys stand
 * side by side, the writable one first, and reading takes the first that is present.
 */
#ifndef ECMP_RTNL_ROWS_H
#define ECMP_RTNL_ROWS_H

#include "rtnl/schema/field.h"

#define ROW(k, kind_, attr_, ...)                                                                  \
	{                                                                                          \
		.key = (k), .kind = (kind_), .attr = (attr_), __VA_ARGS__                          \
	}
#define HEADER(k, kind_, type, member, ...)                                                        \
	{                                                                                          \
		.key = (k), .kind = (kind_), .offset = offsetof(type, member),                     \
		.size = sizeof(((type *)0)->member), __VA_ARGS__                                   \
	}
#define MEMBER(k, attr_, type, member, ...)                                                        \
	{                                                                                          \
		.key = (k), .kind = K_MEMBER, .attr = (attr_), .offset = offsetof(type, member),   \
		.size = sizeof(((type *)0)->member), .whole = sizeof(type), __VA_ARGS__            \
	}
#define END                                                                                        \
	{                                                                                          \
		.kind = K_NONE                                                                     \
	}

#define NOT_SENT (F_READONLY | F_VOLATILE)

#endif
