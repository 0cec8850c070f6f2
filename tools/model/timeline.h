/*
 * A request as it went by: for each of its threads what it did when, nothing overlapping.
 *
 * Waits have their exact place and length. A sample was taken at the end of the CPU time that it
 * stands for: it fills as much time before its moment as that, around waits. What has a length and
 * no place (waits that were added up, CPU time in the kernel that was not sampled, waiting for a
 * CPU, the rest) fills the gaps, spread evenly over the request: its order is not known.
 */
#ifndef REQPROF_TOOLS_MODEL_TIMELINE_H
#define REQPROF_TOOLS_MODEL_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "tools/model/model.h"

struct piece {
	int64_t start_ns, length_ns; /* since the request's start; length is not 0 */
	uint32_t sample;
};

struct thread_line {
	uint32_t thread;      /* 0 when the file does not tell */
	struct piece *pieces; /* in order; gaps between them: it did not work for the request */
	size_t n_pieces;
};

struct timeline {
	struct thread_line *threads; /* in order of their first piece */
	size_t n_threads;
};

/*
 * With one thread and nothing overlapping (request->overlap_ns 0) the pieces fill the wall time
 * without a gap, and those of a sample add up to its wall time exactly. With several, waits and CPU
 * time have the length that they had, as far as that fits.
 */
struct timeline *timeline_make(const struct model *m, uint32_t request);
void timeline_free(struct timeline *t);

#endif
