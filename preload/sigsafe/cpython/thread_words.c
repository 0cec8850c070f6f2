#include "preload/sigsafe/cpython/thread.h"

#include <stddef.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/state_copy.h"
#include "preload/sigsafe/peek.h"

enum {
	CANDIDATES = 20,
	WORDS_LEN_MAX = 16384, /* bytes of stack; the word is among the first 200 most often */
};

/* A thread state that runs Python now. */
struct candidate {
	uintptr_t state, frame;
	bool own; /* this thread made it */
};

struct candidates {
	const struct cpython_layout *layout;
	struct candidate list[CANDIDATES];
	size_t count;
};

static bool candidate_add(void *argument, uintptr_t state, const struct state_copy *copy)
{
	struct candidates *candidates = argument;
	uintptr_t frame = state_copy_word(copy, candidates->layout->thread.frame), id = 0;

	if (!frame)
		return true;
	/* The rest of the structure was there a moment ago: a proof for the page will do. */
	peek_word(state + candidates->layout->thread.id, &id);
	candidates->list[candidates->count++] = (struct candidate){
		.state = state,
		.frame = frame,
		.own = id == (uintptr_t)__builtin_thread_pointer(), /* pthread_self() */
	};
	return candidates->count < CANDIDATES;
}

/* Does the stack above have the frame's caller too, as that of its own activations does? */
static bool caller_follows(const struct cpython_layout *layout, const struct c_stack *stack,
			   uintptr_t at, uintptr_t frame)
{
	uintptr_t caller = 0, end = at + WORDS_LEN_MAX;

	if (!peek_word(frame + layout->frame.previous, &caller))
		return false;
	if (!caller)
		return true;
	for (at += 8; c_stack_has(stack, at, 8) && at < end; at += 8)
		if (load_word(at) == caller)
			return true;
	return false;
}

/*
 * Before 3.10 nothing that a thread state points to lies on the C stack. But the innermost native
 * activation keeps its frame's address there, so the first word that is the newest frame of a
 * thread state tells. Only the collector has everybody's frames in its hands: so of states that
 * this thread did not make (uwsgi makes all of them on one thread) the caller is looked for as well.
 * The collector runs attached, though, and then any word counts. With one interpreter the GIL-state
 * API is right.
 */
uintptr_t thread_by_words(const struct runtime *runtime, const struct c_stack *stack)
{
	const struct cpython_layout *layout = runtime->layout;
	struct candidates candidates = { .layout = layout };
	uintptr_t interpreter = 0, next = 0, attached = 0, filter = 0, first = 0;

	peek_word(runtime->variables + layout->runtime.interpreters, &interpreter);
	peek_word(interpreter + layout->interpreter.next, &next);
	if (!next)
		return runtime->this_thread();
	peek_word(runtime->variables + layout->runtime.current_thread, &attached);
	state_copy_all(runtime, interpreter, candidate_add, &candidates);
	for (size_t i = 0; i < candidates.count; i++)
		filter |= (uintptr_t)1 << (candidates.list[i].frame >> 4 & 63);
	for (uintptr_t at = (stack->sp + 7) & ~(uintptr_t)7;
	     c_stack_has(stack, at, 8) && at - stack->sp < WORDS_LEN_MAX; at += 8) {
		uintptr_t word = load_word(at);

		if (!(filter >> (word >> 4 & 63) & 1))
			continue;
		for (size_t i = 0; i < candidates.count; i++) {
			if (candidates.list[i].frame != word)
				continue;
			if (candidates.list[i].state == attached)
				return attached;
			if (!first &&
			    (candidates.list[i].own || caller_follows(layout, stack, at, word)))
				first = candidates.list[i].state;
		}
	}
	return first;
}
