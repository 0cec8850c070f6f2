#include "preload/sample/held.h"

#include <sys/mman.h>

#include "preload/sigsafe/raw.h"

enum { NODES_KEPT_MAX = 16384 }; /* a tree that has grown to this is begun anew, whatever is kept in it */

static struct held *held_new(uint32_t tid)
{
	struct held *held = raw_mmap(NULL, sizeof(*held), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (raw_failed(held))
		return NULL;
	held->stacks = stacks_new(NULL, 0);
	if (!held->stacks) {
		raw_munmap(held, sizeof(*held));
		return NULL;
	}
	stacks_reset(held->stacks, tid);
	held->stacks->waits.apart = true;
	return held;
}

void held_free(struct held *held)
{
	if (!held)
		return;
	stacks_free(held->stacks);
	raw_munmap(held, sizeof(*held));
}

bool held_start(struct sample_thread *thread)
{
	struct handler_thread *handler = &thread->handler;

	if (handler->target)
		return false;
	if (!thread->held)
		thread->held = held_new(thread->tid);
	if (!thread->held)
		return false;
	python_touch(&handler->python);
	handler->held = thread->held->marks;
	handler->held_waits = thread->held->wait_tasks;
	handler->call.pc = 0;
	__atomic_store_n(&handler->target, thread->held->stacks, __ATOMIC_RELEASE);
	sample_clock_run(thread);
	return true;
}

struct held *held_stop(struct sample_thread *thread, bool pause)
{
	struct handler_thread *handler = &thread->handler;
	bool held = handler->held != NULL;

	sample_clock_leave(thread);
	if (!held)
		return NULL;
	__atomic_store_n(&handler->target, NULL, __ATOMIC_RELEASE);
	__asm__ volatile("" ::: "memory");
	handler->held = NULL;
	if (pause)
		sample_rest();
	kernel_ring_drain(&handler->kernel, thread->held->stacks, handler->keys);
	return thread->held;
}

/* The request's tree for this thread. */
static struct stacks *held_tree(struct sample_thread *thread, const struct held_to *to)
{
	struct stacks *tree = sample_tree(thread, to->list);

	if (tree) {
		tree->request = to->request;
		sample_list(to->list, tree);
	}
	return tree;
}

void held_give_sample(struct sample_thread *thread, uint32_t sample, const struct held_to *to)
{
	const struct stacks *from = thread->held->stacks;
	struct stacks *tree = held_tree(thread, to);

	if (tree)
		stacks_take(tree, from, &from->samples[sample],
			    from->samples[sample].flags | to->flags);
}

void held_give_wait(struct sample_thread *thread, uint32_t wait, const struct held_to *to)
{
	const struct stacks *from = thread->held->stacks;
	const struct wait_record *record = &from->waits.records[wait];
	struct stacks *tree = held_tree(thread, to);

	if (tree)
		waits_take(&tree->waits, &from->waits, record, stacks_copy(tree, from, record->node),
			   (uint8_t)(record->flags | to->flags));
}

void held_keep(struct held *held, uint32_t sample, uint64_t cpu_ns)
{
	uint32_t to = held->kept++;

	held->stacks->samples[to] = held->stacks->samples[sample];
	held->marks[to] = held->marks[sample];
	held->cpu_ns[to] = cpu_ns;
}

uint32_t held_end(struct held *held, uint32_t tid)
{
	struct stacks *stacks = held->stacks;
	uint32_t dropped = 0;

	if (stacks->n_nodes > NODES_KEPT_MAX || held->kept > HANDLER_HELD_MAX / 2) {
		dropped = held->kept;
		held->kept = 0;
	}
	if (held->kept == 0) {
		stacks_reset(stacks, tid);
		return dropped;
	}
	stacks->n_samples = held->kept;
	stacks->lost = stacks->incomplete = stacks->nested = stacks->kernel_lost = 0;
	waits_reset(&stacks->waits);
	return 0;
}
