/*
 * The clock of samples and waits. Signal-safe, and no system call: the vdso answers. libc's own function is
 * asked once it is known: another library's of that name (libfaketime's) may take locks and read files,
 * and shows a time that no CPU has spent.
 */
#ifndef REQPROF_SIGSAFE_MONOTONIC_H
#define REQPROF_SIGSAFE_MONOTONIC_H

#include <stdint.h>
#include <time.h>

#include "format/nanoseconds.h"

/* Written once, before any thread is watched; until then whatever is called clock_gettime. */
extern int (*monotonic_clock)(clockid_t clock, struct timespec *now);

/* CLOCK_MONOTONIC, ns. */
static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	monotonic_clock(CLOCK_MONOTONIC, &now);
	return nanoseconds(&now);
}

#endif
