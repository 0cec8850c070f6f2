#include "preload/sigsafe/cpython/hands.h"

#include <string.h>

#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/cpython/text.h"
#include "preload/sigsafe/peek.h"

enum {
	NAME_MAX_CHARS = 32,
	FILENAME_MAX_CHARS = 1024,
	VARIABLES_MAX = 64,
	TUPLE_SIZE = 16, /* in all versions with a GIL */
	TUPLE_ITEMS = 24,
	NEWEST = 5,  /* frames from a lock's release to the function that gives something away, at most */
	OLDEST = 8,  /* from a thread's first function to the one that works on an item */
	STEPS_MAX = 2048,
	FAR = 512, FAR_SHIFT = 55,
};

struct function {
	const char *name, *file, *variable;
};

static const char EXECUTOR[] = "/concurrent/futures/thread.py";
static const char ANYIO[] = "/anyio/_backends/_asyncio.py";

static const struct function gives[] = {
	{ "submit", EXECUTOR, "w" },
	{ "run_sync_in_worker_thread", ANYIO, "future" },
};
static const struct function works[] = {
	{ "run", EXECUTOR, "self" },
	{ "run", ANYIO, "future" },
};
enum { FUNCTIONS = 2 };

/* Where the functions are that release a lock on their behalf: conditions, queues, futures. */
static const char *const near_files[] = { EXECUTOR, ANYIO, "/concurrent/futures/_base.py", "/threading.py",
					  "/queue.py" };

/* What one that works on an item calls when that is done: its result is there for others from then on. */
static const char *const ends[] = { "set_result", "set_exception", "task_done" };

struct call {
	uintptr_t frame, code;
};

/* ---- names ---- */

static bool name_is(const struct cpython_layout *layout, uintptr_t object, const char *name)
{
	size_t len = strlen(name);
	struct text text = text_open(layout, object, NAME_MAX_CHARS);

	return text.ascii && text.chars == len && memcmp((const void *)text.data, name, len) == 0;
}

static bool file_ends(const struct cpython_layout *layout, uintptr_t object, const char *end)
{
	size_t len = strlen(end);
	struct text text = text_open(layout, object, FILENAME_MAX_CHARS);

	return text.width == 1 && text.chars >= len &&
	       memcmp((const char *)text.data + text.chars - len, end, len) == 0;
}

static uintptr_t code_word(const struct call *call, uint16_t offset)
{
	return load_word(call->code + offset);
}

/* The names of variables lie before the filename, with what kind they are (since 3.11), or what their cells are. */
static uintptr_t variable_names(const struct cpython_layout *layout, const struct call *call)
{
	return code_word(call, (uint16_t)(layout->code.filename -
					  (layout->chain == CHAIN_HEAP ? 32 : 16)));
}

static uintptr_t variable(const struct runtime *runtime, const struct call *call, const char *name)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t names = variable_names(layout, call), count, value;

	if (!load_plausible(names) || !peek_ok(names, TUPLE_ITEMS))
		return 0;
	count = load_word(names + TUPLE_SIZE);
	if (count > VARIABLES_MAX || !peek_ok(names, TUPLE_ITEMS + count * 8))
		return 0;
	for (uintptr_t i = 0; i < count; i++) {
		if (!name_is(layout, load_word(names + TUPLE_ITEMS + i * 8), name))
			continue;
		if (!peek_word(call->frame + layout->frame.size + i * 8, &value) ||
		    !load_plausible(value) || value == runtime->none)
			return 0;
		return value;
	}
	return 0;
}

/* ---- calls ---- */

static bool is_code(const struct runtime *runtime, uintptr_t code)
{
	return load_plausible(code) && peek_ok(code, runtime->layout->code.instructions) &&
	       load_word(code + runtime->layout->object.type) == runtime->code_type;
}

/* The variable's value if it is one of these functions. */
static uintptr_t call_matches(const struct runtime *runtime, const struct call *call,
			      const struct function *functions)
{
	const struct cpython_layout *layout = runtime->layout;

	for (size_t i = 0; i < FUNCTIONS; i++) {
		if (name_is(layout, code_word(call, layout->code.name), functions[i].name) &&
		    file_ends(layout, code_word(call, layout->code.filename), functions[i].file))
			return variable(runtime, call, functions[i].variable);
	}
	return 0;
}

static bool call_ends(const struct runtime *runtime, const struct call *call)
{
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (name_is(runtime->layout, code_word(call, runtime->layout->code.name), ends[i]))
			return true;
	return false;
}

static uintptr_t newest_frame(const struct runtime *runtime, uintptr_t state)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t frame;

	if (layout->chain == CHAIN_HEAP || layout->thread.cframe == CPYTHON_NOWHERE)
		return load_word(state + layout->thread.frame);
	return peek_word(load_word(state + layout->thread.cframe) + layout->cframe.frame, &frame) ? frame
												   : 0;
}

/* The next older Python call from this frame on; *frame: where to go on. False: there is none. */
static bool call_next(const struct runtime *runtime, uintptr_t *frame, struct call *call)
{
	const struct cpython_layout *layout = runtime->layout;

	for (unsigned i = 0; i < 2 * NEWEST; i++) {
		uintptr_t at = *frame;

		if (!load_plausible(at) || !peek_ok(at, layout->frame.size))
			return false;
		*frame = load_word(at + layout->frame.previous);
		call->frame = at;
		call->code = load_word(at + layout->frame.code) & ~(uintptr_t)layout->tag_bits;
		if (is_code(runtime, call->code))
			return true;
	}
	return false;
}

/*
 * Is its function in none of those files? Most locks are released by a program's own functions, and each release
 * asks: what was found so is remembered, by address. (Code that takes a dead one's place would be taken for it; that
 * of the library's modules is there before.)
 */
static bool call_is_far(const struct cpython_layout *layout, const struct call *call)
{
	static uintptr_t far[FAR]; /* atomic */
	uintptr_t *known = &far[call->code * UINT64_C(0x9e3779b97f4a7c15) >> FAR_SHIFT];

	if (__atomic_load_n(known, __ATOMIC_RELAXED) == call->code)
		return true;
	for (size_t i = 0; i < sizeof(near_files) / sizeof(near_files[0]); i++)
		if (file_ends(layout, code_word(call, layout->code.filename), near_files[i]))
			return false;
	__atomic_store_n(known, call->code, __ATOMIC_RELAXED);
	return true;
}

enum python_hands hands_look(const struct runtime *runtime, uintptr_t state, uintptr_t *item)
{
	uintptr_t frame = newest_frame(runtime, state);
	struct call call, callee = { 0 };

	for (unsigned i = 0; i < NEWEST && call_next(runtime, &frame, &call); i++) {
		if (i == 0 && call_is_far(runtime->layout, &call))
			return PYTHON_HANDS_NOTHING;
		*item = call_matches(runtime, &call, gives);
		if (*item)
			return PYTHON_GIVES;
		*item = callee.code ? call_matches(runtime, &call, works) : 0;
		if (*item)
			return call_ends(runtime, &callee) ? PYTHON_ENDS : PYTHON_HANDS_NOTHING;
		callee = call;
	}
	return PYTHON_HANDS_NOTHING;
}

uintptr_t hands_item(const struct runtime *runtime, uintptr_t state)
{
	uintptr_t frame = newest_frame(runtime, state), oldest[OLDEST] = { 0 }, item = 0;
	struct call call;
	unsigned n = 0;

	for (; n < STEPS_MAX && call_next(runtime, &frame, &call); n++)
		oldest[n % OLDEST] = call.frame;
	for (unsigned i = 0; i < OLDEST && i < n && !item; i++) {
		call.frame = oldest[(n - 1 - i) % OLDEST];
		call.code = load_word(call.frame + runtime->layout->frame.code) &
			    ~(uintptr_t)runtime->layout->tag_bits;
		item = call_matches(runtime, &call, works);
	}
	return item;
}

uintptr_t hands_item_of(const struct runtime *runtime, const struct python_frame *frames, size_t n)
{
	const struct cpython_layout *layout = runtime->layout;
	uintptr_t item = 0;

	for (size_t i = n; i-- > 0 && n - i <= OLDEST && !item;) {
		struct call call = { .frame = frames[i].address };

		call.code = load_word(call.frame + layout->frame.code) & ~(uintptr_t)layout->tag_bits;
		if (is_code(runtime, call.code))
			item = call_matches(runtime, &call, works);
	}
	return item;
}
