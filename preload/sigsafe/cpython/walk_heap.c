#include "preload/sigsafe/cpython/walk.h"

#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

enum { OBJECT_TYPE = 8 }; /* in these versions */
enum { DEPTH_MAX = 20000 }; /* frames that are counted; far beyond any recursion limit that works */

static bool is_object(uintptr_t address, size_t len, uintptr_t type)
{
	return load_plausible(address) && peek_ok(address, len) &&
	       load_word(address + OBJECT_TYPE) == type;
}

/* The record of the next older native activation on the C stack; 0 when this was the oldest. */
static uintptr_t cframe_before(const struct cpython_layout *layout, const struct c_stack *stack,
			       uintptr_t cframe)
{
	uintptr_t previous = load_word(cframe + layout->cframe.previous);

	return previous > cframe && previous % 8 == 0 &&
			       c_stack_has(stack, previous, layout->cframe.previous + 8u)
		       ? previous
		       : 0;
}

static size_t cframes_count(const struct cpython_layout *layout, const struct c_stack *stack,
			    uintptr_t cframe)
{
	size_t count = 0;

	for (; cframe && count < DEPTH_MAX; count++)
		cframe = cframe_before(layout, stack, cframe);
	return count;
}

/*
 * Each frame has a native activation of its own. Where one is being entered its record is there
 * before its frame, where it is left the frame stays longer: so the oldest of both belong together.
 */
static void entries_add(const struct cpython_layout *layout, const struct c_stack *stack,
			uintptr_t state, struct python_frame *frames, size_t n, size_t depth)
{
	uintptr_t cframe = load_word(state + layout->thread.cframe);
	size_t count, i = 0;

	if (!c_stack_has(stack, cframe, layout->cframe.previous + 8u))
		return;
	count = cframes_count(layout, stack, cframe);
	if (count == depth + 1)
		cframe = cframe_before(layout, stack, cframe);
	else if (count + 1 == depth)
		i = 1;
	else if (count != depth)
		return;
	for (; i < n && cframe; i++) {
		frames[i].entry = cframe;
		cframe = cframe_before(layout, stack, cframe);
	}
}

enum python_result walk_heap_frames(const struct runtime *runtime, uintptr_t state,
				    const struct c_stack *stack, struct python_frame *frames,
				    size_t max, size_t *n)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t at = load_word(state + layout->thread.frame);
	size_t depth = 0;
	bool torn = false;

	for (*n = 0; at && depth < DEPTH_MAX; depth++) {
		uintptr_t code;

		torn = !is_object(at, layout->frame.size, runtime->frame_type);
		if (torn)
			break;
		if (*n < max) {
			code = load_word(at + layout->frame.code);
			torn = !is_object(code, layout->code.instructions, runtime->code_type);
			if (torn)
				break;
			frames[(*n)++] = (struct python_frame){
				.code = codes_intern(layout, code),
				.lasti = load_int(at + layout->frame.instruction) *
					 layout->instruction_unit,
				.address = at,
			};
		}
		at = load_word(at + layout->frame.previous);
	}
	if (!torn && !at && layout->thread.cframe != CPYTHON_NOWHERE)
		entries_add(layout, stack, state, frames, *n, depth);
	if (*n == 0)
		return torn ? PYTHON_BROKEN : PYTHON_NONE;
	return torn || at || depth > max ? PYTHON_CUT : PYTHON_OK;
}
