#include "preload/sigsafe/kernel_ring.h"

#include <linux/perf_event.h>

/* A record as the event's attributes make it: see kernel_clock_open. Words of 8 bytes. */
enum {
	SAMPLE_TIME = 1, /* after the header, CLOCK_MONOTONIC */
	SAMPLE_DEPTH = 2,
	SAMPLE_STACK = 3,
	LOST_COUNT = 2, /* of PERF_RECORD_LOST, after the event's id */
	WORD = sizeof(uint64_t),
};

void kernel_ring_start(struct kernel_ring *ring, void *mapping, size_t page_bytes, size_t data_bytes)
{
	*ring = (struct kernel_ring){
		.page = mapping,
		.size = data_bytes,
		.data = (const char *)mapping + page_bytes,
	};
}

static uint64_t kernel_ring_head(const struct kernel_ring *ring)
{
	return __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
}

void kernel_ring_skip(struct kernel_ring *ring)
{
	if (!ring->page)
		return;
	ring->tail = kernel_ring_head(ring);
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}

bool kernel_ring_fills(const struct kernel_ring *ring)
{
	return ring->page && kernel_ring_head(ring) - ring->tail > ring->size / 2;
}

/* Records may go over the end and on at the beginning; words never do. All lengths are multiples of theirs. */
static uint64_t kernel_ring_word(const struct kernel_ring *ring, uint64_t word)
{
	return *(const uint64_t *)(ring->data + ((ring->tail + word * WORD) & (ring->size - 1)));
}

static void kernel_ring_sample(const struct kernel_ring *ring, uint64_t words, struct stacks *to,
			       uint64_t *keys)
{
	uint64_t count = words > SAMPLE_STACK ? kernel_ring_word(ring, SAMPLE_DEPTH) : 0;
	size_t depth = 0;

	if (count > words - SAMPLE_STACK)
		count = 0;
	for (uint64_t i = 0; i < count && depth < STACKS_DEPTH_MAX; i++) {
		uint64_t pc = kernel_ring_word(ring, SAMPLE_STACK + i);

		/* Not an address, but whose the ones that follow are. */
		if (pc >= (uint64_t)PERF_CONTEXT_MAX)
			continue;
		keys[depth] = stacks_key_kernel(pc, depth == 0);
		depth++;
	}
	if (depth)
		stacks_add(to, keys, depth, kernel_ring_word(ring, SAMPLE_TIME), STACK_KERNEL);
}

void kernel_ring_drain(struct kernel_ring *ring, struct stacks *to, uint64_t *keys)
{
	uint64_t head;

	if (!ring->page)
		return;
	for (head = kernel_ring_head(ring); head - ring->tail >= WORD;) {
		struct perf_event_header header;
		uint64_t word = kernel_ring_word(ring, 0);

		__builtin_memcpy(&header, &word, sizeof(header));
		if (header.size < WORD || header.size % WORD || header.size > head - ring->tail) {
			ring->tail = head; /* not a record: nothing here can be trusted */
			break;
		}
		if (header.type == PERF_RECORD_SAMPLE)
			kernel_ring_sample(ring, header.size / WORD, to, keys);
		else if (header.type == PERF_RECORD_LOST && header.size / WORD > LOST_COUNT)
			to->kernel_lost += (uint32_t)kernel_ring_word(ring, LOST_COUNT);
		ring->tail += header.size;
	}
	__atomic_store_n(&ring->page->data_tail, ring->tail, __ATOMIC_RELEASE);
}
