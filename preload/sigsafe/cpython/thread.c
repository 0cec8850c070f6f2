#include "preload/sigsafe/cpython/thread.h"

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

static uintptr_t readable_state(const struct runtime *runtime, uintptr_t state)
{
	return load_plausible(state) && peek_ok(state, runtime->layout->thread.size) ? state : 0;
}

uintptr_t thread_find(const struct runtime *runtime, struct python_thread *memory,
		      const struct c_stack *stack)
{
	switch (runtime->layout->thread_rule) {
	case THREAD_BY_CFRAME:
		return thread_by_cframe(runtime, memory, stack);
	case THREAD_BY_API:
		return readable_state(runtime, runtime->this_thread());
	case THREAD_BY_WORDS:
		return readable_state(runtime, thread_by_words(runtime, stack));
	default:
		return 0;
	}
}
