#include "preload/sigsafe/stacks.h"

#include <sys/mman.h>

#include "preload/sigsafe/raw.h"

enum {
	HEADER_BYTES = 4096,
	SAMPLES_BYTES = STACKS_SAMPLES_MAX * sizeof(struct stack_sample),
	NODES_BYTES = STACKS_NODES_MAX * sizeof(struct stack_node),
	INDEX_BYTES = STACKS_SLOTS_MAX * sizeof(uint32_t),
	STACKS_BYTES = HEADER_BYTES + SAMPLES_BYTES + NODES_BYTES + INDEX_BYTES + WAITS_BYTES,
	KEEP_NODES = 16384, /* what a reused tree may keep in memory: 256 KiB of nodes */
	KEEP_WAITS = 2048,
};

struct stacks *stacks_new(void)
{
	char *memory = raw_mmap(NULL, STACKS_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct stacks *s = (struct stacks *)memory;

	if (raw_failed(memory))
		return NULL;
	s->samples = (struct stack_sample *)(memory + HEADER_BYTES);
	s->nodes = (struct stack_node *)(memory + HEADER_BYTES + SAMPLES_BYTES);
	s->index = (uint32_t *)(memory + HEADER_BYTES + SAMPLES_BYTES + NODES_BYTES);
	waits_place(&s->waits, memory + HEADER_BYTES + SAMPLES_BYTES + NODES_BYTES + INDEX_BYTES);
	stacks_reset(s, 0);
	return s;
}

void stacks_free(struct stacks *s)
{
	if (s)
		raw_munmap(s, STACKS_BYTES);
}

void stacks_reset(struct stacks *s, uint32_t tid)
{
	if (s->n_nodes > s->nodes_high)
		s->nodes_high = s->n_nodes;
	if (s->waits.count > s->waits_high)
		s->waits_high = s->waits.count;
	if (s->nodes_high > KEEP_NODES || s->waits_high > KEEP_WAITS) {
		raw_madvise(s->samples, STACKS_BYTES - HEADER_BYTES, MADV_DONTNEED);
		s->nodes_high = s->waits_high = 0;
	}
	waits_reset(&s->waits);
	s->next = NULL;
	s->tid = tid;
	s->n_samples = s->lost = s->incomplete = s->nested = s->kernel_lost = 0;
	s->slots = STACKS_SLOTS_MIN;
	s->nodes[STACKS_ROOT] = (struct stack_node){ .slot = UINT32_MAX };
	s->n_nodes = 1;
}

/* Murmur3's finalizer: every bit of the key and the parent reaches the low bits. */
static uint32_t stacks_hash(uint64_t key, uint32_t parent)
{
	uint64_t h = key ^ (uint64_t)parent * UINT64_C(0x9e3779b97f4a7c15);

	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	return (uint32_t)h;
}

static bool stacks_slot_used(const struct stacks *s, uint32_t slot)
{
	uint32_t node = s->index[slot];

	return node < s->n_nodes && s->nodes[node].slot == slot;
}

static void stacks_place(struct stacks *s, uint32_t node)
{
	uint32_t slot = stacks_hash(s->nodes[node].key, s->nodes[node].parent) & (s->slots - 1);

	while (stacks_slot_used(s, slot))
		slot = (slot + 1) & (s->slots - 1);
	s->index[slot] = node;
	s->nodes[node].slot = slot;
}

/* Doubles the index. Old entries stop counting as soon as their nodes have been taken off them. */
static void stacks_grow(struct stacks *s)
{
	s->slots *= 2;
	for (uint32_t node = 1; node < s->n_nodes; node++)
		s->nodes[node].slot = UINT32_MAX;
	for (uint32_t node = 1; node < s->n_nodes; node++)
		stacks_place(s, node);
}

/* The child of parent for this frame, made if need be; STACKS_ROOT when there is no room. */
static uint32_t stacks_child(struct stacks *s, uint32_t parent, uint64_t key)
{
	uint32_t slot = stacks_hash(key, parent) & (s->slots - 1);
	uint32_t node;

	while (stacks_slot_used(s, slot)) {
		node = s->index[slot];
		if (s->nodes[node].key == key && s->nodes[node].parent == parent)
			return node;
		slot = (slot + 1) & (s->slots - 1);
	}
	if (s->n_nodes == STACKS_NODES_MAX)
		return STACKS_ROOT;
	node = s->n_nodes++;
	s->nodes[node] = (struct stack_node){ key, parent, slot };
	s->index[slot] = node;
	if (s->n_nodes * 2 > s->slots && s->slots < STACKS_SLOTS_MAX)
		stacks_grow(s);
	return node;
}

uint32_t stacks_node(struct stacks *s, const uint64_t *keys, size_t depth)
{
	uint32_t node = STACKS_ROOT;

	for (size_t i = depth; i-- > 0;) {
		node = stacks_child(s, node, keys[i]);
		if (node == STACKS_ROOT)
			break;
	}
	return node;
}

bool stacks_add(struct stacks *s, const uint64_t *keys, size_t depth, uint64_t at_ns,
		uint32_t flags)
{
	uint32_t node;

	if (s->n_samples == STACKS_SAMPLES_MAX) {
		s->lost++;
		return false;
	}
	node = stacks_node(s, keys, depth);
	if (node == STACKS_ROOT && depth > 0) {
		s->lost++;
		return false;
	}
	s->samples[s->n_samples++] = (struct stack_sample){ at_ns, node, flags };
	s->incomplete += (flags & STACK_INCOMPLETE) != 0;
	return true;
}
