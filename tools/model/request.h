/*
 * One request: the facts that its profile file states, as read from the file's comments. Texts are
 * raw bytes from the wire or the file: escape before showing (tools/base/escape.h). Texts are never
 * NULL ("" when absent) and live as long as the string pool they were read into.
 */
#ifndef REQPROF_TOOLS_MODEL_REQUEST_H
#define REQPROF_TOOLS_MODEL_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

struct profile_in;
struct strings;

struct request {
	const char *file; /* path as opened */
	const char *id, *method, *path, *route, *role, *end;
	const char *clock, *clock_why, *python, *protocol, *peer, *upstream, *exe;
	const char *traceparent, *request_id;
	const char *interrupted_in; /* the Python function that it was killed in */
	bool proxy; /* role is proxy */
	bool interrupted; /* the process was killed in the middle */
	int status; /* 0: no response was seen */
	int pid, tid, threads, rate;
	int64_t start_ns; /* unix time */
	/*
	 * wall = user + kernel + wait + runnable + rest - overlap. Files from before waits were
	 * measured say so little that kernel is 0 and all but user is rest; split is false then.
	 */
	bool split;
	int64_t wall_ns, user_ns, kernel_ns, wait_ns, runnable_ns, rest_ns, overlap_ns;
	int64_t cpu_ns;	   /* exact thread CPU time, user and kernel */
	int64_t gil_ns;	   /* of wait_ns */
	int64_t queued_ns; /* before its first byte was read; -1: not known */
	int64_t wait_count, round_trips, faults, major_faults, preempted;
	int64_t children, threads_started; /* by the request */
	const char *children_started; /* "PID:NAME PID:NAME", the first of them */
	bool gil_free; /* its Python is built without the GIL */
	const char *kernel_why; /* its time in the kernel was not sampled; "" it was, or that is not known */
	bool waits_off;	     /* waits were not measured: they are in rest_ns */
	bool runnable_known; /* the kernel told the run-queue delay */
	int64_t period_ns; /* user CPU time that a sample stands for */
	int64_t samples, incomplete, lost;
	/* Its samples in struct model; both 0 until they are loaded. */
	uint32_t first_sample, n_samples;
};

/*
 * Fills *r from a profile read with or without PROFILE_READ_FACTS. 0, or -1 with *reason (static
 * text) when this is no reqprof profile, or one of a later version.
 */
int request_read(struct request *r, const struct profile_in *in, const char *file,
		 struct strings *pool, const char **reason);

/* For qsort: by start, then by file. */
int request_compare_starts(const void *a, const void *b);

#endif
