/*
 * Growing buffers and error messages of connections.
 */
#define _GNU_SOURCE
#include "pool/pool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/export.h"

bool pool_bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (len > bytes->size - bytes->len) {
		size_t size = bytes->size ? bytes->size : 1024;
		char *grown;

		while (size - bytes->len < len)
			size *= 2;
		grown = realloc(bytes->data, size);
		if (!grown)
			return false;
		bytes->data = grown;
		bytes->size = size;
	}
	if (len > 0)
		memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
	return true;
}

void pool_bytes_drop(struct bytes *bytes, size_t len)
{
	bytes->len -= len;
	if (bytes->len > 0)
		memmove(bytes->data, bytes->data + len, bytes->len);
}

void pool_bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){0};
}

bool pool_fail(struct connection *c, int error, const char *format, ...)
{
	va_list words;

	va_start(words, format);
	vsnprintf(c->problem, sizeof(c->problem), format, words);
	va_end(words);
	c->error = error;
	return false;
}
