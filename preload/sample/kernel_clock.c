#include "preload/sample/kernel_clock.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <time.h>

#include "preload/ours.h"
#include "preload/sigsafe/raw.h"

/*
 * The ring counts as locked memory: by itself against the user's perf_event_mlock_kb a CPU (516),
 * then RLIMIT_MEMLOCK. 32 KiB hold about a hundred stacks, a second of kernel time at the usual rate.
 */
enum { PAGE_BYTES = 4096, RING_BYTES = 8 * PAGE_BYTES };

/* kernel_ring.c reads the records that these attributes make. A waking of readers is never wanted. */
static int kernel_clock_event(int group, uint32_t rate)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = (uint64_t)clock_period_ns(rate),
		.sample_type = PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN,
		.exclude_user = 1,
		.exclude_hv = 1,
		.exclude_callchain_user = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = 1u << 31,
	};

	return raw_perf_event_open(&attr, 0, -1, group, PERF_FLAG_FD_CLOEXEC);
}

/*
 * The mapping keeps the event alive, so that its descriptor is closed at once. A forked child does
 * not have the mapping.
 */
static void kernel_clock_map(struct kernel_clock *kernel, struct kernel_ring *ring, int fd)
{
	void *mapping;

	kernel->error = ours_take_here(fd, &fd);
	if (kernel->error < 0) {
		kernel->state = KERNEL_REFUSED;
		return;
	}
	mapping = raw_mmap(NULL, PAGE_BYTES + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ours_close(&fd);
	if (raw_failed(mapping)) {
		kernel->state = KERNEL_NO_RING;
		kernel->error = (int)(intptr_t)mapping;
		return;
	}
	kernel->state = KERNEL_SAMPLED;
	kernel_ring_start(ring, mapping, PAGE_BYTES, RING_BYTES);
}

void kernel_clock_open(struct kernel_clock *kernel, struct kernel_ring *ring,
		       const struct clock *clock, uint32_t rate)
{
	*kernel = (struct kernel_clock){ .state = KERNEL_OFF };
	if (!rate)
		return;
	if (clock->kind == CLOCK_PERF_USER)
		kernel_clock_map(kernel, ring, kernel_clock_event(clock->fd, rate));
	else
		kernel->state = KERNEL_NO_CLOCK;
}

void kernel_clock_close(struct kernel_clock *kernel, struct kernel_ring *ring)
{
	if (ring->page)
		raw_munmap(ring->page, PAGE_BYTES + RING_BYTES);
	*ring = (struct kernel_ring){ 0 };
	kernel->state = KERNEL_OFF;
}
