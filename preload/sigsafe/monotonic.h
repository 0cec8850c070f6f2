/* The clock of samples and waits. Signal-safe, and no system call: the vdso answers. */
#ifndef REQPROF_SIGSAFE_MONOTONIC_H
#define REQPROF_SIGSAFE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC, ns. */
static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
