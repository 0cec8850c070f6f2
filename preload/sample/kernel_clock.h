/*
 * What sees a thread in the kernel: a second perf event beside its clock, of the kernel's half of
 * its CPU time only, that signals nobody and so interrupts nothing. The kernel itself walks its
 * stack at each tick and puts it into a ring that we read afterwards.
 */
#ifndef REQPROF_SAMPLE_KERNEL_CLOCK_H
#define REQPROF_SAMPLE_KERNEL_CLOCK_H

#include <stdint.h>

#include "preload/sample/clock.h"
#include "preload/sigsafe/kernel_ring.h"

enum kernel_clock_state {
	KERNEL_OFF,	 /* not wanted */
	KERNEL_SAMPLED,
	KERNEL_NO_CLOCK, /* the thread's own is no perf event */
	KERNEL_REFUSED,	 /* the event: perf_event_paranoid above 1 without CAP_PERFMON, seccomp */
	KERNEL_NO_RING,	 /* its ring: more memory than the user may lock */
};

struct kernel_clock {
	enum kernel_clock_state state;
	int error; /* -errno of what was refused */
};

/* For the calling thread, with its clock, which it follows: runs and stops when that does. */
void kernel_clock_open(struct kernel_clock *kernel, struct kernel_ring *ring,
		       const struct clock *clock, uint32_t rate);
/* Before its clock is closed. */
void kernel_clock_close(struct kernel_clock *kernel, struct kernel_ring *ring);

#endif
