/* Sums over the requests of a model: all of them, and by route. */
#ifndef REQPROF_TOOLS_MODEL_TOTALS_H
#define REQPROF_TOOLS_MODEL_TOTALS_H

#include <stddef.h>
#include <stdint.h>

#include "tools/model/interval.h"
#include "tools/model/model.h"

/*
 * wall = user + kernel + wait + runnable + rest, exactly: parts of the wall time, with CPU time
 * dealt out as tools/model/spread.h does.
 */
struct totals {
	uint32_t requests;
	int64_t wall_ns;
	int64_t user_ns, kernel_ns, wait_ns, runnable_ns, rest_ns;
	int64_t python_ns;	   /* of user_ns: Python code, tools/model/language.h */
	int64_t gil_ns;		   /* of wait_ns: for the GIL */
	int64_t kernel_sampled_ns; /* of kernel_ns: what has a stack */
	int64_t overlap_ns;	   /* how much more the parts were: several threads at a time */
	int64_t sampled_ns;	   /* samples in user code times their period */
	int64_t ticked_ns;	   /* of wall_ns: what samples stand for, user and kernel */
	int64_t ticked_cpu_ns;	   /* the same as CPU time */
	int64_t samples;	   /* stacks taken on the CPU in user code */
	int64_t kernel_samples;	   /* stacks taken in the kernel */
	double ticks;	/* how many there would be, had the kernel's time been sampled too */
	int64_t cpu_ns; /* exact thread CPU time, user and kernel */
	int64_t incomplete, lost;
	int64_t wait_count, round_trips;
	int64_t faults, major_faults, preempted;
	int64_t children, threads_started;
	uint32_t gil_free;    /* requests whose Python is built without the GIL */
	int64_t queued_ns;
	uint32_t queued;      /* requests of which queued_ns is known */
	uint32_t waits_off;   /* requests whose waits were not measured */
	uint32_t not_split;   /* of these: from before there was a split */
	uint32_t no_runnable; /* requests of which the kernel told no run-queue delay */
	uint32_t overlapped;  /* requests with several threads at a time */
	int64_t inferred;     /* samples whose request was inferred, or shared */
	int64_t wall_min_ns, wall_max_ns;
};

void totals_of(const struct model *m, struct totals *t);
/*
 * User CPU time as a share of the time on the CPU, user and kernel: that time is exact, which part of
 * it was user code is sampled.
 */
struct interval totals_user_interval(const struct totals *t);

struct route_totals {
	const char *method,
		*route; /* of the model's strings; the path where a request has no route */
	struct totals totals;
};

/* By falling wall time. The caller frees *out. */
size_t totals_by_route(const struct model *m, struct route_totals **out);

#endif
