/*
 * What the wall time of a request is made of, from what was sampled, timed and counted. All in
 * nanoseconds; wall = user + kernel + wait + runnable + rest - overlap, exactly.
 */
#ifndef REQPROF_EMIT_PARTS_H
#define REQPROF_EMIT_PARTS_H

#include <stdint.h>

#include "preload/sigsafe/stacks.h"
#include "preload/track/request.h"

struct parts {
	int64_t wall, user, kernel, cpu, wait, runnable, rest, overlap;
	/* Of wait: for the GIL, for a thread to work for it, and for our own preparations. */
	int64_t gil, idle, prepared;
	uint64_t samples, incomplete, lost, nested;
	uint64_t kernel_samples, kernel_lost;
	uint64_t tail; /* samples after the end of the response: not the request's */
	uint64_t waits, waits_lost, trips;
};

/* period_ns: user CPU time that a sample stands for. */
void parts_of(const struct request *r, const struct stacks *stacks, int64_t period_ns,
	      struct parts *parts);

/* Of a wait, what lies before the end of the response. */
uint64_t parts_wait_ns(const struct request *r, const struct wait_record *wait);

#endif
