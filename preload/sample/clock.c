#include "preload/sample/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

const char *clock_name(enum clock_kind kind)
{
	static const char *const names[] = { "none", "perf-user", "thread-timer" };

	return names[kind];
}

/*
 * A software event needs no hardware counter, which most virtual machines lack. exclude_kernel: a
 * tick in the kernel is dropped, so the signal comes when the thread runs its own code, and a tick
 * stands for a period of user time. No ring: the signal alone carries what we need.
 */
static int clock_open_perf(struct clock *clock, int signal)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = (uint64_t)clock_period_ns(clock->rate),
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.wakeup_events = 1,
		/* That of the event that joins it: see kernel_clock.c. */
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
	};
	struct f_owner_ex owner = { F_OWNER_TID, raw_gettid() };
	int fd = raw_perf_event_open(&attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	int result;

	if (fd < 0)
		return fd;
	result = ours_take(fd, &clock->fd);
	if (result < 0)
		return result;
	result = raw_fcntl(clock->fd, F_SETOWN_EX, (long)&owner);
	if (result == 0)
		result = raw_fcntl(clock->fd, F_SETSIG, signal);
	if (result == 0)
		result = raw_fcntl(clock->fd, F_SETFL, O_ASYNC | O_NONBLOCK);
	if (result < 0)
		ours_close(&clock->fd);
	return result;
}

/*
 * Timers on a thread's CPU clock are looked at when the scheduler ticks, and only then. So this one
 * is always overdue, and expires at every tick that finds the thread running: ticks know nothing of
 * the thread, which makes short stretches of work count in proportion, too. Lower rates take every
 * n-th of them. The coarse clock's step is one tick.
 */
static void clock_plan_timer(struct clock *clock)
{
	struct timespec tick;
	uint32_t ticks = 100; /* the lowest that kernels are built with */

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_nsec > 0)
		ticks = 1000000000u / (uint32_t)tick.tv_nsec;
	clock->every = clock->asked < ticks ? (ticks + clock->asked / 2) / clock->asked : 1;
	clock->rate = ticks / clock->every;
}

static int clock_open_timer(struct clock *clock, int signal)
{
	/* The kernel's struct sigevent; glibc hides the thread id in a union that not all versions name. */
	struct sigevent event;
	int tid = raw_gettid();

	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = signal;
	memcpy((char *)&event + offsetof(struct sigevent, sigev_notify) + sizeof(int), &tid,
	       sizeof(tid));
	clock_plan_timer(clock);
	return (int)raw_syscall3(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, (long)&event,
				 (long)&clock->timer);
}

void clock_open(struct clock *clock, uint32_t rate, int signal)
{
	*clock = (struct clock){ .fd = -1, .asked = rate, .rate = rate, .every = 1 };
	clock->error = signal ? clock_open_perf(clock, signal) : -EBUSY;
	if (clock->error == 0)
		clock->kind = CLOCK_PERF_USER;
	else if (signal && clock_open_timer(clock, signal) == 0)
		clock->kind = CLOCK_THREAD_TIMER;
}

void clock_close(struct clock *clock)
{
	if (clock->kind == CLOCK_PERF_USER)
		ours_close(&clock->fd);
	else if (clock->kind == CLOCK_THREAD_TIMER)
		raw_syscall3(SYS_timer_delete, clock->timer, 0, 0);
	clock->kind = CLOCK_NONE;
	clock->running = false;
}

/* A microsecond of CPU: overdue at any tick. 0 stops it. */
static void clock_set_timer(struct clock *clock, long ns)
{
	struct itimerspec next = { .it_value = { .tv_nsec = ns }, .it_interval = { .tv_nsec = ns } };

	raw_syscall4(SYS_timer_settime, clock->timer, 0, (long)&next, 0);
}

void clock_run(struct clock *clock)
{
	if (clock->running)
		return;
	clock->running = true;
	if (clock->kind == CLOCK_PERF_USER)
		raw_ioctl(clock->fd, PERF_EVENT_IOC_ENABLE, 0);
	else if (clock->kind == CLOCK_THREAD_TIMER)
		clock_set_timer(clock, 1000);
}

void clock_stop(struct clock *clock)
{
	if (!clock->running)
		return;
	clock->running = false;
	if (clock->kind == CLOCK_PERF_USER)
		raw_ioctl(clock->fd, PERF_EVENT_IOC_DISABLE, 0);
	else if (clock->kind == CLOCK_THREAD_TIMER)
		clock_set_timer(clock, 0);
}
