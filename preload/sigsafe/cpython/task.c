#include "preload/sigsafe/cpython/task.h"

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

enum { CHUNKS_MAX = 64 };

/* The oldest piece of a data stack stays where it is as long as its greenlet lives. */
static uintptr_t oldest_chunk(const struct cpython_layout *layout, uintptr_t state)
{
	uintptr_t chunk, previous;

	if (layout->thread.chunk == CPYTHON_NOWHERE)
		return 0;
	chunk = load_word(state + layout->thread.chunk);
	for (unsigned i = 0; i < CHUNKS_MAX && load_plausible(chunk); i++) {
		if (!peek_word(chunk + CHUNK_PREVIOUS, &previous) || !previous)
			break;
		chunk = previous;
	}
	return chunk;
}

void task_look(const struct runtime *runtime, uintptr_t state, struct python_task *task)
{
	const struct cpython_layout *layout = runtime->layout;
	uint64_t context = load_word(state + layout->thread.context);

	task->stack = oldest_chunk(layout, state);
	task->number = context * UINT64_C(0x9e3779b97f4a7c15) + task->stack + 1;
}

bool task_suspended(const struct runtime *runtime, uintptr_t coroutine)
{
	const struct cpython_layout *layout = runtime->layout;

	if (layout->chain != CHAIN_STACK ||
	    !load_fresh(coroutine, layout->generator.frame + layout->frame.size))
		return false;
	return load_word(coroutine + layout->object.type) ==
		       runtime->generator_types[RUNTIME_COROUTINE] &&
	       (int8_t)load_byte(coroutine + layout->generator.state) ==
		       layout->generator.suspended;
}
