/*
 * Closes descriptors without losing errno, and reads or writes whole buffers.
 */
#ifndef ECMP_COMMON_IO_H
#define ECMP_COMMON_IO_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

/* Closes a descriptor where there is one; returns `result` with errno as it was. */
static inline int close_keeping_errno(int fd, int result)
{
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return result;
}

/* Reads `length` bytes, whatever signals come; false at the end of input or with errno set. */
static inline bool read_whole(int fd, void *bytes, size_t length)
{
	for (char *at = bytes; length;) {
		ssize_t n = read(fd, at, length);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		at += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

#endif
