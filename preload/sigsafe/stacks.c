#include "preload/sigsafe/stacks.h"

#include <sys/mman.h>

#include "preload/sigsafe/raw.h"

enum {
	INDEX_BYTES = STACKS_SLOTS_MAX * sizeof(uint32_t),
	OWN_BYTES = INDEX_BYTES + WAITS_OWN_BYTES, /* what only the process itself needs */
	KEEP_NODES = 16384, /* what a reused tree may keep in memory: 256 KiB of nodes */
	KEEP_WAITS = 2048,
};

static void *stacks_reserve(size_t bytes)
{
	void *memory = raw_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return raw_failed(memory) ? NULL : memory;
}

/* What stands in the live file is made ready bit by bit; private memory is ready. */
static void stacks_part(struct stacks *s, struct shared_part *part, void *start, uint32_t size,
			uint64_t offset, uint32_t *kept)
{
	*part = (struct shared_part){ .start = start, .size = size, .ready = size };
	if (!s->shared)
		return;
	part->offset = offset + (uint64_t)((char *)start - (char *)s);
	part->ready = 0;
	part->kept = kept;
	*kept = 0;
}

struct stacks *stacks_new(void *shared, uint64_t offset)
{
	char *memory = shared ? shared : stacks_reserve(STACKS_SHARED_BYTES);
	char *own = stacks_reserve(OWN_BYTES);
	struct stacks *s = (struct stacks *)memory;

	if (!memory || !own) {
		if (own)
			raw_munmap(own, OWN_BYTES);
		if (memory && !shared)
			raw_munmap(memory, STACKS_SHARED_BYTES);
		return NULL;
	}
	*s = (struct stacks){ .shared = shared != NULL };
	s->samples = (struct stack_sample *)(memory + STACKS_HEADER_BYTES);
	s->nodes = (struct stack_node *)((char *)s->samples + STACKS_SAMPLES_BYTES);
	s->index = (uint32_t *)own;
	waits_place(&s->waits, (char *)s->nodes + STACKS_NODES_BYTES, own + INDEX_BYTES);
	stacks_part(s, &s->samples_part, s->samples, STACKS_SAMPLES_BYTES, offset,
		    &s->samples_kept);
	stacks_part(s, &s->nodes_part, s->nodes, STACKS_NODES_BYTES, offset, &s->nodes_kept);
	stacks_part(s, &s->waits.records_part, s->waits.records, WAITS_RECORDS_BYTES, offset,
		    &s->waits_kept);
	stacks_part(s, &s->waits.texts_part, s->waits.texts, WAITS_TEXT_BYTES, offset,
		    &s->texts_kept);
	stacks_reset(s, 0);
	return s;
}

void *stacks_free(struct stacks *s)
{
	if (!s)
		return NULL;
	raw_munmap(s->index, OWN_BYTES);
	if (s->shared)
		return s;
	raw_munmap(s, STACKS_SHARED_BYTES);
	return NULL;
}

bool stacks_torn(const struct stacks *s)
{
	return s->shared && (shared_left(&s->samples_part) || shared_left(&s->nodes_part) ||
			     shared_left(&s->waits.records_part) || shared_left(&s->waits.texts_part));
}

static void stacks_empty(struct stacks *s, struct shared_part *part)
{
	if (s->shared)
		shared_empty(part);
	else
		raw_madvise(part->start, part->size, MADV_DONTNEED);
}

void stacks_reset(struct stacks *s, uint32_t tid)
{
	s->request = 0; /* first: what follows is no request's */
	s->waiting_ns = 0;
	if (s->n_nodes > s->nodes_high)
		s->nodes_high = s->n_nodes;
	if (s->waits.count > s->waits_high)
		s->waits_high = s->waits.count;
	if (s->nodes_high > KEEP_NODES || s->waits_high > KEEP_WAITS) {
		stacks_empty(s, &s->samples_part);
		stacks_empty(s, &s->nodes_part);
		stacks_empty(s, &s->waits.records_part);
		stacks_empty(s, &s->waits.texts_part);
		raw_madvise(s->index, OWN_BYTES, MADV_DONTNEED);
		s->nodes_high = s->waits_high = 0;
	}
	waits_reset(&s->waits);
	s->next = NULL;
	s->tid = tid;
	s->n_samples = s->lost = s->incomplete = s->nested = s->kernel_lost = 0;
	s->slots = STACKS_SLOTS_MIN;
	shared_need(&s->nodes_part, sizeof(struct stack_node));
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
	shared_need(&s->nodes_part, (s->n_nodes + 1) * (uint32_t)sizeof(*s->nodes));
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

uint32_t stacks_copy(struct stacks *s, const struct stacks *from, uint32_t node)
{
	uint64_t keys[STACKS_DEPTH_MAX];
	size_t depth = 0;

	for (; node != STACKS_ROOT && depth < STACKS_DEPTH_MAX; node = from->nodes[node].parent)
		keys[depth++] = from->nodes[node].key;
	return stacks_node(s, keys, depth);
}

static bool stacks_add_node(struct stacks *s, uint32_t node, uint64_t at_ns, uint32_t flags)
{
	shared_need(&s->samples_part, (s->n_samples + 1) * (uint32_t)sizeof(*s->samples));
	s->samples[s->n_samples++] = (struct stack_sample){ at_ns, node, flags };
	s->incomplete += (flags & STACK_INCOMPLETE) != 0;
	return true;
}

bool stacks_take(struct stacks *s, const struct stacks *from, const struct stack_sample *sample,
		 uint32_t flags)
{
	uint32_t node;

	if (s->n_samples == STACKS_SAMPLES_MAX) {
		s->lost++;
		return false;
	}
	node = stacks_copy(s, from, sample->node);
	if (node == STACKS_ROOT && sample->node != STACKS_ROOT) {
		s->lost++;
		return false;
	}
	return stacks_add_node(s, node, sample->at_ns, flags);
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
	return stacks_add_node(s, node, at_ns, flags);
}
