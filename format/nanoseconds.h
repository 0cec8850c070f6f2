/* Times as all of ours are told: in nanoseconds. Signal-safe. */
#ifndef REQPROF_FORMAT_NANOSECONDS_H
#define REQPROF_FORMAT_NANOSECONDS_H

#include <stdint.h>
#include <time.h>

/* A time of a clock or a file, not negative; good for 584 years. */
static inline uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

#endif
