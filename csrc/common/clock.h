/*
 * Deadlines: moments of CLOCK_MONOTONIC in seconds.
 */
#ifndef ECMP_COMMON_CLOCK_H
#define ECMP_COMMON_CLOCK_H

#include <time.h>

static inline double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The time left as poll(2) takes it: milliseconds, rounded up. A negative deadline never comes. One
 * weeks away exceeds an int, so callers ask again. */
static inline int clock_remaining(double deadline)
{
	double left = (deadline - clock_seconds()) * 1e3;

	if (deadline < 0)
		return -1;
	return left <= 0 ? 0 : left > 1e9 ? 1000000000 : (int)left + ((int)left < left);
}

#endif
