/*
 * For the drivers of the bench: the counter of the processor and medians; and, under callgrind, what
 * is counted, one dump for each thing (tests/bench/counts.py reads them). Include once.
 */
#ifndef REQPROF_BENCH_TIMING_H
#define REQPROF_BENCH_TIMING_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <valgrind/callgrind.h>
#include <x86intrin.h>

struct series {
	size_t count;
	uint64_t ticks[20000];
};

static inline uint64_t timing_now(void)
{
	unsigned cpu;

	return __rdtscp(&cpu);
}

static inline void series_add(struct series *s, uint64_t ticks)
{
	if (s->count < sizeof(s->ticks) / sizeof(s->ticks[0]))
		s->ticks[s->count++] = ticks;
}

static inline int series_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline double series_ticks_a_ns(void)
{
	struct timespec a, b;
	uint64_t begin = timing_now();
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &a);
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = (b.tv_sec - a.tv_sec) * INT64_C(1000000000) + b.tv_nsec - a.tv_nsec;
	} while (ns < 50000000);
	return (double)(timing_now() - begin) / (double)ns;
}

/* In nanoseconds. */
static inline double series_median(struct series *s)
{
	static double ticks_a_ns;

	if (ticks_a_ns == 0)
		ticks_a_ns = series_ticks_a_ns();
	if (s->count == 0)
		return 0;
	qsort(s->ticks, s->count, sizeof(s->ticks[0]), series_compare);
	return (double)s->ticks[s->count / 2] / ticks_a_ns;
}

/* Runs `call` `times` times; callgrind's dump of this is named `what TIMES`. */
#define COUNT(what, times, call)                                            \
	do {                                                                \
		for (int i_ = 0; i_ < 20; i_++) { /* warm */                \
			call;                                               \
		}                                                           \
		CALLGRIND_ZERO_STATS;                                       \
		for (int i_ = 0; i_ < (times); i_++) {                      \
			CALLGRIND_TOGGLE_COLLECT;                           \
			call;                                               \
			CALLGRIND_TOGGLE_COLLECT;                           \
		}                                                           \
		CALLGRIND_DUMP_STATS_AT(what);                              \
	} while (0)

#endif
