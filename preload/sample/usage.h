/*
 * What the kernel counts for a thread, read at both ends of its work for a request.
 */
#ifndef REQPROF_SAMPLE_USAGE_H
#define REQPROF_SAMPLE_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	bool queued_known;     /* false: no /proc, or a kernel without schedstats */
	uint64_t queued_ns;    /* ready to run, while no CPU was free */
	uint64_t faults;       /* page faults, minor and major */
	uint64_t major_faults; /* those that waited for a disk */
	uint64_t preempted;    /* involuntary context switches */
};

/* A thread's own /proc/thread-self/schedstat; zero means not opened yet. */
struct usage_source {
	int fd; /* registered in ours.h, which may move it */
	bool tried, known;
	uint64_t switches, queued_ns; /* what it said when the thread had been switched so often */
};

/* The calling thread's sums since it began. A system call, two if the thread was switched since the last time. */
void usage_read(struct usage_source *source, struct usage *usage);
void usage_close(struct usage_source *source);
/* now - before, or zeroes where that is not known. */
struct usage usage_since(const struct usage *before, const struct usage *now);

#endif
