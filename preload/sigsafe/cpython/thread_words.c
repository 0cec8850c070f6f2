#include "preload/sigsafe/cpython/thread.h"

#include <stddef.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/state_copy.h"
#include "preload/sigsafe/peek.h"

enum {
	CANDIDATES = 20,
	CALLERS = 4,
	WORDS_LEN_MAX = 16384, /* bytes of stack; the word is among the first 200 most often */
};

/* A thread state that runs Python now. */
struct candidate {
	uintptr_t state, frame;
	bool own; /* this thread made it */
};

struct candidates {
	const struct cpython_layout *layout;
	uintptr_t attached;
	bool attached_own;
	struct candidate list[CANDIDATES];
	size_t count;
};

static bool candidate_add(void *argument, uintptr_t state, const struct state_copy *copy)
{
	struct candidates *candidates = argument;
	uintptr_t frame = state_copy_word(copy, candidates->layout->thread.frame), id = 0;

	bool own;

	/* The rest of the structure was there a moment ago: a proof for the page will do. */
	peek_word(state + candidates->layout->thread.id, &id);
	own = id == (uintptr_t)__builtin_thread_pointer(); /* pthread_self() */
	if (state == candidates->attached)
		candidates->attached_own = own;
	if (frame)
		candidates->list[candidates->count++] = (struct candidate){ state, frame, own };
	return candidates->count < CANDIDATES;
}

/*
 * Are the frame's callers on the stack above, in order, as those of its own activations are? And is
 * it the newest one still? Frames are used again by any thread, and so old words on the stack can be
 * frames of another one that runs at this moment.
 */
static bool callers_follow(const struct cpython_layout *layout, const struct c_stack *stack,
			   uintptr_t at, const struct candidate *candidate)
{
	uintptr_t frame = candidate->frame, newest;

	for (unsigned i = 0; i < CALLERS; i++) {
		uintptr_t end = at + WORDS_LEN_MAX, caller;

		if (!peek_word(frame + layout->frame.previous, &caller))
			return false;
		if (!caller)
			break;
		do
			at += 8;
		while (at < end && c_stack_has(stack, at, 8) && load_word(at) != caller);
		if (at >= end || !c_stack_has(stack, at, 8))
			return false;
		frame = caller;
	}
	return peek_word(candidate->state + layout->thread.frame, &newest) &&
	       newest == candidate->frame;
}

/*
 * Before 3.10 nothing that a thread state points to lies on the C stack. But the innermost native
 * activation keeps its frame's address there, so the first word that is the newest frame of a
 * thread state tells; if this thread did not make that state (uwsgi makes all of them on one
 * thread), its callers must be there as well. But the collector has everybody's frames in its hands.
 * It runs attached: so the attached state goes before what is found earlier, and while it is one
 * that this thread made, no other thread's count (it may have no frame, as when it ends an
 * interpreter). With one interpreter the GIL-state API is right.
 */
uintptr_t thread_by_words(const struct runtime *runtime, const struct c_stack *stack)
{
	const struct cpython_layout *layout = runtime->layout;
	struct candidates candidates = { .layout = layout };
	uintptr_t interpreter = 0, next = 0, filter = 0, first = 0;

	peek_word(runtime->variables + layout->runtime.interpreters, &interpreter);
	peek_word(interpreter + layout->interpreter.next, &next);
	if (!next)
		return runtime->this_thread();
	peek_word(runtime->variables + layout->runtime.current_thread, &candidates.attached);
	state_copy_all(runtime, interpreter, candidate_add, &candidates);
	for (size_t i = 0; i < candidates.count; i++)
		filter |= (uintptr_t)1 << (candidates.list[i].frame >> 4 & 63);
	for (uintptr_t at = (stack->sp + 7) & ~(uintptr_t)7;
	     c_stack_has(stack, at, 8) && at - stack->sp < WORDS_LEN_MAX; at += 8) {
		uintptr_t word = load_word(at);

		if (!(filter >> (word >> 4 & 63) & 1))
			continue;
		for (size_t i = 0; i < candidates.count; i++) {
			const struct candidate *candidate = &candidates.list[i];
			bool attached = candidate->state == candidates.attached;

			if (candidate->frame != word || (first && !attached) ||
			    (!candidate->own && (candidates.attached_own ||
						 !callers_follow(layout, stack, at, candidate))))
				continue;
			if (attached)
				return candidate->state;
			first = candidate->state;
		}
	}
	return first;
}
