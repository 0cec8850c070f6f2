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

/* Timers on a thread's CPU clock expire at scheduler ticks only, and the coarse clock's step is one. */
static uint32_t clock_timer_rate(uint32_t rate)
{
	struct timespec tick;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0 || tick.tv_nsec <= 0)
		return rate;
	return rate < 1000000000u / (uint32_t)tick.tv_nsec ? rate :
							      1000000000u / (uint32_t)tick.tv_nsec;
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
	clock->rate = clock_timer_rate(clock->rate);
	clock->left_ns = (uint64_t)clock_period_ns(clock->rate);
	return (int)raw_syscall3(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, (long)&event,
				 (long)&clock->timer);
}

void clock_open(struct clock *clock, uint32_t rate, int signal)
{
	*clock = (struct clock){ .fd = -1, .asked = rate, .rate = rate };
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
}

static void clock_set_timer(struct clock *clock, uint64_t first_ns, uint64_t *left_ns)
{
	uint64_t period = (uint64_t)clock_period_ns(clock->rate);
	struct itimerspec next = { .it_value = { .tv_sec = (time_t)(first_ns / 1000000000u),
						 .tv_nsec = (long)(first_ns % 1000000000u) } };
	struct itimerspec old = { 0 };

	if (first_ns)
		next.it_interval = (struct timespec){ .tv_sec = (time_t)(period / 1000000000u),
						      .tv_nsec = (long)(period % 1000000000u) };
	raw_syscall4(SYS_timer_settime, clock->timer, 0, (long)&next, (long)&old);
	if (left_ns)
		*left_ns = (uint64_t)old.it_value.tv_sec * 1000000000u +
			   (uint64_t)old.it_value.tv_nsec;
}

void clock_run(struct clock *clock)
{
	if (clock->kind == CLOCK_PERF_USER)
		raw_ioctl(clock->fd, PERF_EVENT_IOC_ENABLE, 0);
	else if (clock->kind == CLOCK_THREAD_TIMER)
		clock_set_timer(clock, clock->left_ns ? clock->left_ns : 1, NULL);
}

void clock_stop(struct clock *clock)
{
	if (clock->kind == CLOCK_PERF_USER)
		raw_ioctl(clock->fd, PERF_EVENT_IOC_DISABLE, 0);
	else if (clock->kind == CLOCK_THREAD_TIMER)
		clock_set_timer(clock, 0, &clock->left_ns);
}
