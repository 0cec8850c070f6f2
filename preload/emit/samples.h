/* The samples of a profile: stacks taken on the CPU, waits, and the other parts of the wall time. */
#ifndef REQPROF_EMIT_SAMPLES_H
#define REQPROF_EMIT_SAMPLES_H

#include "format/profile.h"
#include "preload/emit/locations.h"
#include "preload/emit/parts.h"

struct emit_samples {
	struct profile_writer *writer;
	const struct request *request;
	const struct parts *parts;
	int64_t period_ns, kernel_period_ns;
	uint64_t process_start_ns;
	void *locations_memory; /* LOCATIONS_BYTES */
	uint32_t *nodes;	/* STACKS_DEPTH_MAX of them, to work in */
};

void emit_samples_write(const struct emit_samples *samples, const char *route,
			const struct stacks *stacks);

#endif
