/*
 * The stacks sampled on one thread for one request: a tree of frames, rooted at the thread's first
 * frame, in which common beginnings stand once, and one record a sample. Written by the signal
 * handler of the thread that works for the request, read when that has stopped; never by two at a
 * time. All memory is reserved when it is made and touched as it fills; resetting costs nothing,
 * since an entry of the hash index counts only if its node points back at it.
 */
#ifndef REQPROF_SIGSAFE_STACKS_H
#define REQPROF_SIGSAFE_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/waits.h"

enum {
	STACKS_NODES_MAX = 131072,
	STACKS_SAMPLES_MAX = 65536, /* a minute of CPU at 997 samples a second */
	STACKS_SLOTS_MIN = 1024,
	STACKS_SLOTS_MAX = 2 * STACKS_NODES_MAX,
	STACKS_DEPTH_MAX = 448,
	STACKS_ROOT = 0,
};

/* A frame as a key: top bit set for Python. */
#define STACKS_KEY_PYTHON (UINT64_C(1) << 63)
#define STACKS_KEY_EXACT (UINT64_C(1) << 62) /* native, kernel: the pc itself, not a return address */
#define STACKS_KEY_KERNEL (UINT64_C(1) << 61)
#define STACKS_KEY_ADDRESS ((UINT64_C(1) << 57) - 1) /* an address without the bits that its half decides */

/* (No address of the user's half has more bits; a pc that is none must not become a key of another kind.) */
static inline uint64_t stacks_key_native(uintptr_t pc, bool exact)
{
	return (pc & STACKS_KEY_ADDRESS) | (exact ? STACKS_KEY_EXACT : 0);
}
/* Addresses of the kernel have all upper bits set: they are left out, and put back. */
static inline uint64_t stacks_key_kernel(uint64_t pc, bool exact)
{
	return (pc & STACKS_KEY_ADDRESS) | STACKS_KEY_KERNEL | (exact ? STACKS_KEY_EXACT : 0);
}
static inline bool stacks_is_kernel(uint64_t key)
{
	return (key & (STACKS_KEY_PYTHON | STACKS_KEY_KERNEL)) == STACKS_KEY_KERNEL;
}
static inline uint64_t stacks_kernel_pc(uint64_t key)
{
	return (key & STACKS_KEY_ADDRESS) | ~STACKS_KEY_ADDRESS;
}
static inline uint64_t stacks_key_python(uint32_t code, int32_t lasti)
{
	return STACKS_KEY_PYTHON | (uint64_t)(code & 0x7fffffffu) << 32 | (uint32_t)lasti;
}

struct stack_node {
	uint64_t key;
	uint32_t parent;
	uint32_t slot; /* of the index, whose entry names this node */
};

enum stack_flags {
	STACK_TRUNCATED = 1, /* the native walk ended early */
	STACK_UNMERGED = 2,  /* Python frames stand rootward of all native ones */
	STACK_NO_PYTHON = 4, /* Python frames were there and could not be read */
	STACK_INCOMPLETE = STACK_TRUNCATED | STACK_UNMERGED | STACK_NO_PYTHON,
	STACK_KERNEL = 8,    /* the kernel's stack, taken by the kernel: no frame of the program's */
	STACK_INFERRED = 16, /* whose work it was is inferred */
};

struct stack_sample {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	uint32_t node;
	uint32_t flags;
};

/* Its beginning, to where `waits` says how many there are, is struct live_tree of format/live.h. */
struct stacks {
	struct stacks *next; /* of the same request, or in the pool */
	uint32_t tid;
	uint32_t n_nodes;
	uint32_t n_samples;
	uint32_t slots; /* a power of two */
	uint32_t lost;  /* samples that found no room */
	uint32_t incomplete; /* samples that lack something */
	uint32_t nested;     /* ticks that came inside the handler */
	uint32_t kernel_lost; /* the kernel's stacks that found no room in their ring */
	uint32_t request;    /* what the live file knows it by: see live.h; 0: not in there */
	uint32_t samples_kept, nodes_kept, waits_kept, texts_kept; /* see shared.h */
	/* The thread is in a call that may block, since then; by whoever times it (sample/wait.c). */
	uint64_t waiting_ns;
	uint32_t waiting_node, waiting_flags, waiting_kind; /* where, if that was looked at */
	struct waits waits; /* what the thread waited for meanwhile; not the handler's */
	uint32_t nodes_high; /* most nodes ever used: memory that has been touched */
	uint32_t waits_high; /* most waits */
	struct stack_sample *samples;
	struct stack_node *nodes;
	uint32_t *index;
	struct shared_part samples_part, nodes_part;
	bool shared; /* it stands in the live file */
};

enum {
	STACKS_HEADER_BYTES = 4096,
	STACKS_SAMPLES_BYTES = STACKS_SAMPLES_MAX * sizeof(struct stack_sample),
	STACKS_NODES_BYTES = STACKS_NODES_MAX * sizeof(struct stack_node),
	STACKS_SHARED_BYTES = STACKS_HEADER_BYTES + STACKS_SAMPLES_BYTES + STACKS_NODES_BYTES +
			      WAITS_SHARED_BYTES,
};

/*
 * Reserves one (about 5 MiB of address space, a few pages touched). shared: STACKS_SHARED_BYTES at
 * `offset` of the live file, page-aligned, of which the first page may be touched; NULL: it stands
 * in private memory. NULL when memory is refused. Not from a handler.
 */
struct stacks *stacks_new(void *shared, uint64_t offset);
/* Returns the shared memory that it stood in, if it did: the caller's again. NULL is fine. */
void *stacks_free(struct stacks *s);
/* Empty again, for this thread. Gives memory back that only an unusually long request needed. */
void stacks_reset(struct stacks *s, uint32_t tid);
/* Is some of it in private memory that should not be? Then it is not worth keeping. */
bool stacks_torn(const struct stacks *s);

/* From the handler: keys leaf first. False (and counted) when there is no room. */
bool stacks_add(struct stacks *s, const uint64_t *keys, size_t depth, uint64_t at_ns,
		uint32_t flags);
/* The same without a sample: the node of this stack, STACKS_ROOT when there is no room (not counted). The
 * thread's own handler must be kept out meanwhile. */
uint32_t stacks_node(struct stacks *s, const uint64_t *keys, size_t depth);
/* The same stack as `node` of another tree. Outside the handlers of both. */
uint32_t stacks_copy(struct stacks *s, const struct stacks *from, uint32_t node);
/* A sample from another tree, its flags changed to these. False, and counted, when there is no room. */
bool stacks_take(struct stacks *s, const struct stacks *from, const struct stack_sample *sample,
		 uint32_t flags);

#endif
