/*
 * Macros that define fields. They stand in the order iproute2 prints them; fields of one key
 * stand side by side, the writable one first, and reading takes the first that is present.
 */
#ifndef ECMP_RTNL_FIELD_MACROS_H
#define ECMP_RTNL_FIELD_MACROS_H

#include "rtnl/schema/field.h"

#define FIELD(k, type_, attr_, ...)                                                                \
	{                                                                                          \
		.key = k, .type = (type_), .attr = (attr_), __VA_ARGS__                            \
	}
#define HEADER(k, type_, header, member, ...)                                                      \
	{                                                                                          \
		.key = k, .type = (type_), .offset = offsetof(header, member),                     \
		.size = sizeof(((header *)0)->member), __VA_ARGS__                                 \
	}
#define MEMBER(k, attr_, structure, member, ...)                                                   \
	{                                                                                          \
		.key = k, .type = FIELD_MEMBER, .attr = (attr_),                                   \
		.offset = offsetof(structure, member), .size = sizeof(((structure *)0)->member),   \
		.whole = sizeof(structure), __VA_ARGS__                                            \
	}
#define END                                                                                        \
	{                                                                                          \
		.type = FIELD_NONE                                                                 \
	}

#define NOT_SENT (F_READONLY | F_VOLATILE)

#endif
