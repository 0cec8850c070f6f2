/*
 * The ring into which a thread's kernel-only perf event (preload/sample/kernel_clock.h) puts the
 * kernel's stacks, without any signal. Emptied by the thread itself: by its tick handler while the
 * thread works for a request, in case that fills it, and by the sample room when that has stopped;
 * never by both at a time, since the handler leaves it alone when there is no target.
 */
#ifndef REQPROF_SIGSAFE_KERNEL_RING_H
#define REQPROF_SIGSAFE_KERNEL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/stacks.h"

struct perf_event_mmap_page;

struct kernel_ring {
	struct perf_event_mmap_page *page; /* the event's mapping; NULL: no ring */
	uint64_t size; /* of what follows it at `data`: a power of two */
	const char *data;
	uint64_t tail; /* up to where it has been read */
};

/* Takes a fresh mapping: one page, then a power of two of them. */
void kernel_ring_start(struct kernel_ring *ring, void *mapping, size_t page_bytes, size_t data_bytes);

/* Forgets what is in it: it is nobody's. */
void kernel_ring_skip(struct kernel_ring *ring);

/* Is half of it in use? */
bool kernel_ring_fills(const struct kernel_ring *ring);

/* Moves all that is in it to `to`, as samples with STACK_KERNEL; what the kernel says that it had
 * no room for is counted there. keys: room for STACKS_DEPTH_MAX of them. Safe in a handler. */
void kernel_ring_drain(struct kernel_ring *ring, struct stacks *to, uint64_t *keys);

#endif
