/*
 * What makes a thread's ticks: a perf event that counts the thread's time on the CPU and signals it
 * only in user mode (so no system call is ever interrupted), or, where perf events are denied, a
 * timer on the thread's CPU clock. Each clock belongs to one thread and is used by it alone.
 */
#ifndef REQPROF_SAMPLE_CLOCK_H
#define REQPROF_SAMPLE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum clock_kind { CLOCK_NONE, CLOCK_PERF_USER, CLOCK_THREAD_TIMER };

struct clock {
	enum clock_kind kind;
	int error;             /* of perf_event_open, when kind is not CLOCK_PERF_USER: -errno */
	int fd;                /* perf event, -1 none; registered in ours.h, which may move it */
	int timer;             /* kernel timer id */
	uint32_t asked;        /* ticks per second of CPU that were wanted */
	uint32_t rate;         /* and that it gives: a thread timer ticks no faster than the scheduler */
	uint32_t every;        /* of the signals it sends, each n-th is a sample */
	bool running;
};

/* Opens the calling thread's clock, stopped. signal: signal_number(). Falls back by itself. */
void clock_open(struct clock *clock, uint32_t rate, int signal);
void clock_close(struct clock *clock);
/*
 * Both do nothing when it is so already. A perf event's period goes on where it was stopped, so that
 * short requests are sampled without bias. clock_stop may be called in the signal handler.
 */
void clock_run(struct clock *clock);
void clock_stop(struct clock *clock);

static inline int64_t clock_period_ns(uint32_t rate)
{
	return 1000000000 / rate;
}

/* "perf-user", "thread-timer", "none" */
const char *clock_name(enum clock_kind kind);

#endif
