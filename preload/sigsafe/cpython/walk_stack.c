#include "preload/sigsafe/cpython/walk.h"

#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/cpython/load.h"
#include "preload/sigsafe/peek.h"

enum {
	PAGE = 4096,
	CHUNK_LEN_MAX = 1 << 30,
	CHUNKS_AHEAD =
		2, /* a caller's frame lies in the same chunk or the one before; one may be empty */
};

/* The part of the data stack that may hold the next older frame: addresses fall along the chain. */
struct data_stack {
	uintptr_t chunk, low, limit, end;
};

struct walk {
	const struct runtime *runtime;
	const struct cpython_layout *layout;
	const struct c_stack *stack;
	uintptr_t state;
	struct data_stack data;
	uintptr_t last_shim;
	struct python_frame *frames;
	size_t max, n;
	size_t whole;	/* frames of native activations that were walked to their end */
	bool beginning; /* the newest frame has not begun, or is being resumed or suspended */
	uintptr_t coroutine; /* the outermost so far */
};

enum frame_kind {
	FRAME_BAD,
	FRAME_PYTHON,
	FRAME_SHIM,   /* marks a native activation and has no code of its own */
	FRAME_HIDDEN, /* the interpreter's own, between a class's caller and its __init__ */
};

struct frame {
	uintptr_t address, code, previous;
	int32_t lasti;
	uint8_t owner;
	bool entry;   /* the outermost of its native activation */
	bool running; /* not a generator that is just being resumed or suspended */
	uintptr_t coroutine; /* that it is part of, or 0 */
};

/* ---- the data stack ---- */

static bool chunk_open(struct data_stack *data, uintptr_t chunk, uintptr_t top)
{
	uintptr_t len, words;

	if (!load_plausible(chunk) || !peek_ok(chunk, CHUNK_DATA))
		return false;
	len = load_word(chunk + CHUNK_SIZE);
	if (len < CHUNK_DATA || len > CHUNK_LEN_MAX)
		return false;
	data->chunk = chunk;
	data->low = chunk + CHUNK_DATA;
	data->end = chunk + len;
	if (!top) {
		words = load_word(chunk + CHUNK_TOP);
		top = words <= (len - CHUNK_DATA) / 8 ? data->low + words * 8 : 0;
	}
	/* While a chunk is added or given back the top may still be, or already, in another one. */
	data->limit = top >= data->low && top <= data->end ? top : data->low;
	return true;
}

static bool data_stack_has(const struct data_stack *data, uintptr_t address, size_t len)
{
	return address >= data->low && address < data->limit && len <= data->limit - address;
}

static __attribute__((noinline)) bool data_stack_older(struct data_stack *data, uintptr_t address,
						       size_t len)
{
	struct data_stack at = *data;

	for (unsigned i = 0; at.chunk && i < CHUNKS_AHEAD; i++) {
		if (!chunk_open(&at, load_word(at.chunk + CHUNK_PREVIOUS), 0))
			return false;
		if (data_stack_has(&at, address, len)) {
			at.limit = address;
			*data = at;
			return true;
		}
	}
	return false;
}

/* Is there a frame at this address, older than the last one found here? Then it is the last one now. */
static inline bool data_stack_take(struct data_stack *data, uintptr_t address, size_t len)
{
	if (!data_stack_has(data, address, len))
		return data_stack_older(data, address, len);
	data->limit = address;
	return true;
}

/* ---- one frame ---- */

static bool generator_type(const struct walk *walk, uintptr_t type)
{
	for (size_t i = 0; i < RUNTIME_GENERATORS; i++)
		if (type == walk->runtime->generator_types[i])
			return true;
	return false;
}

/* Readable? A doubtful pointer is one that may be left over from something that is gone. */
static bool readable(uintptr_t address, size_t len, bool doubtful)
{
	return doubtful ? load_fresh(address, len)
			: load_plausible(address) && peek_ok(address, len);
}

static inline bool is_code(const struct walk *walk, uintptr_t address, bool doubtful)
{
	size_t len = walk->layout->code.instructions;
	uintptr_t type;

	if (!load_plausible(address) || (doubtful && !load_fresh(address, len)) ||
	    !peek_word(address + walk->layout->object.type, &type) || type != walk->runtime->code_type)
		return false;
	return address % PAGE <= PAGE - len || peek_ok(address, len);
}

static inline bool code_look(const struct walk *walk, struct frame *frame, bool doubtful)
{
	const struct cpython_layout *layout = walk->layout;
	uintptr_t start = frame->code + layout->code.instructions, units;
	intptr_t at;

	if (!is_code(walk, frame->code, doubtful) ||
	    (doubtful && !peek_ok(load_word(frame->code + layout->code.filename), 8)))
		return false;
	units = load_word(frame->code + layout->code.units) & INT32_MAX;
	at = (intptr_t)(load_word(frame->address + layout->frame.instruction) - start);
	/* A frame that has not begun stands one unit before its code in 3.11 and 3.12. */
	if (at < -2 || at > (intptr_t)units * 2)
		return false;
	frame->lasti = (int32_t)at;
	return true;
}

static inline enum frame_kind frame_look(struct walk *walk, uintptr_t address, bool doubtful,
					 struct frame *frame)
{
	const struct cpython_layout *layout = walk->layout;
	bool on_data_stack, on_c_stack;
	uintptr_t generator = address - layout->generator.frame;

	if (!load_plausible(address))
		return FRAME_BAD;
	on_data_stack = data_stack_take(&walk->data, address, layout->frame.size);
	on_c_stack = !on_data_stack && c_stack_has(walk->stack, address, layout->frame.size);
	if (!on_data_stack && !on_c_stack &&
	    !readable(generator, layout->generator.frame + layout->frame.size, doubtful))
		return FRAME_BAD;

	*frame = (struct frame){
		.address = address,
		.code = load_word(address + layout->frame.code) & ~(uintptr_t)layout->tag_bits,
		.previous = load_word(address + layout->frame.previous),
		.owner = load_byte(address + layout->frame.owner),
		.running = true,
	};
	if (on_c_stack) {
		/* The entry frames of 3.13 have None for code a few instructions before they have an owner. */
		if (frame->owner != OWNER_ENTRY && frame->owner != OWNER_C_STACK &&
		    frame->code != walk->runtime->none)
			return FRAME_BAD;
		if (!layout->shims || address <= walk->last_shim)
			return FRAME_BAD;
		walk->last_shim = address;
		return FRAME_SHIM;
	}
	if (frame->owner == OWNER_THREAD) {
		if (!on_data_stack)
			return FRAME_BAD;
	} else if (frame->owner == OWNER_GENERATOR) {
		if (on_data_stack || !generator_type(walk, load_word(generator + layout->object.type)))
			return FRAME_BAD;
		frame->running = (int8_t)load_byte(generator + layout->generator.state) ==
				 layout->generator.executing;
		if (load_word(generator + layout->object.type) ==
		    walk->runtime->generator_types[RUNTIME_COROUTINE])
			frame->coroutine = generator;
	} else {
		return FRAME_BAD;
	}
	if (layout->frame.is_entry != CPYTHON_NOWHERE)
		frame->entry = load_byte(address + layout->frame.is_entry) == 1;
	if (!code_look(walk, frame, doubtful))
		return FRAME_BAD;
	if (layout->init_frames && load_word(frame->code + layout->code.filename) ==
					   load_word(frame->code + layout->code.name))
		return FRAME_HIDDEN;
	return FRAME_PYTHON;
}

/* The newest frame, unless that was taken off the data stack a moment ago and is linked still. */
static uintptr_t newest_frame(const struct walk *walk, uintptr_t address)
{
	const struct cpython_layout *layout = walk->layout;
	const struct data_stack *data = &walk->data;

	if (address && address == data->limit && layout->frame.size <= data->end - address)
		return load_word(address + layout->frame.previous);
	return address;
}

/* Where the data stack's frame at this address ends; 0 when its code is no code. */
static uintptr_t frame_end(const struct walk *walk, uintptr_t address)
{
	const struct cpython_layout *layout = walk->layout;
	uintptr_t code = load_word(address + layout->frame.code);
	size_t words;

	if (!is_code(walk, code, true))
		return 0;
	if (layout->code.frame_words != CPYTHON_NOWHERE)
		words = (uint32_t)load_int(code + layout->code.frame_words);
	else
		words = (size_t)(uint32_t)load_int(code + layout->code.stack_size) +
			(uint32_t)load_int(code + layout->code.locals) + layout->frame.size / 8u;
	return address + words * 8;
}

/*
 * A new frame is pushed right above its caller's, so where the caller ends there is proof that the
 * link, which may not be written yet, is right. (None for a caller inside a generator.)
 */
static bool link_proven(const struct walk *walk, const struct frame *frame)
{
	struct data_stack data = walk->data;

	return frame->owner == OWNER_THREAD && load_plausible(frame->previous) &&
	       data_stack_take(&data, frame->previous, walk->layout->frame.size) &&
	       data.chunk == walk->data.chunk && frame_end(walk, frame->previous) == frame->address;
}

/* ---- the chain ---- */

enum chain_end {
	CHAIN_ROOT, /* the thread's first frame was reached */
	CHAIN_CUT,  /* a frame was not whole, or max were not enough: those found are right */
	CHAIN_TORN, /* nothing is */
};

/* The record on the C stack of the next older native activation; 0 when there is none or it is not sane. */
static uintptr_t cframe_before(const struct walk *walk, uintptr_t cframe)
{
	const struct cpython_layout *layout = walk->layout;
	uintptr_t previous = load_word(cframe + layout->cframe.previous);

	if (previous == walk->state + layout->thread.root_cframe)
		return previous;
	return previous > cframe && previous % 8 == 0 &&
			       c_stack_has(walk->stack, previous, layout->cframe.previous + 8u)
		       ? previous
		       : 0;
}

/* The oldest frame of a native activation: its link must agree with the one the activation keeps. */
static bool activation_end(struct walk *walk, uintptr_t *cframe, const struct frame *frame,
			   uintptr_t entry)
{
	if (*cframe) {
		uintptr_t before = cframe_before(walk, *cframe);

		if (!before || load_word(before + walk->layout->cframe.frame) != frame->previous)
			return false;
		*cframe = before;
	}
	if (walk->n > walk->whole)
		walk->frames[walk->n - 1].entry = entry;
	walk->whole = walk->n;
	return true;
}

/* Adds a frame's code to what was found; CHAIN_ROOT while there is nothing against going on. */
static enum chain_end frame_add(struct walk *walk, const struct frame *frame)
{
	const struct cpython_layout *layout = walk->layout;
	bool newest = walk->n == 0;

	if (!newest && !frame->running)
		return CHAIN_TORN;
	if (frame->coroutine)
		walk->coroutine = frame->coroutine;
	if (walk->n == walk->max)
		return CHAIN_CUT;
	walk->frames[walk->n++] = (struct python_frame){
		.code = codes_intern(layout, frame->code),
		.lasti = frame->lasti,
		.address = frame->address,
	};
	if (!newest)
		return CHAIN_ROOT;
	walk->beginning = layout->late_link && (frame->lasti < 0 || !frame->running);
	return walk->beginning && !frame->entry && !link_proven(walk, frame) ? CHAIN_CUT
									     : CHAIN_ROOT;
}

/* Nothing from the last native activation on can be believed, but for a newest frame that has not
 * begun: it is right whatever its link. */
static enum chain_end chain_torn(struct walk *walk)
{
	walk->n = walk->whole == 0 && walk->beginning ? 1 : walk->whole;
	return walk->n ? CHAIN_CUT : CHAIN_TORN;
}

static enum chain_end walk_chain(struct walk *walk, uintptr_t cframe, uintptr_t address)
{
	const struct cpython_layout *layout = walk->layout;
	uintptr_t base = layout->thread.base_frame
				 ? load_word(walk->state + layout->thread.base_frame)
				 : 0;
	size_t steps = 0;
	struct frame frame;

	for (address = newest_frame(walk, address); address && address != base;
	     address = frame.previous) {
		/* What runs keeps its callers alive. */
		bool doubtful = walk->n == 0 || (walk->n == 1 && walk->beginning);
		enum frame_kind kind = frame_look(walk, address, doubtful, &frame);
		uintptr_t entry = kind == FRAME_SHIM ? address : cframe;
		enum chain_end end;

		if (kind == FRAME_BAD || ++steps > 2 * walk->max + 2)
			return chain_torn(walk);
		if (kind == FRAME_PYTHON) {
			end = frame_add(walk, &frame);
			if (end != CHAIN_ROOT)
				return end == CHAIN_TORN ? chain_torn(walk) : end;
		}
		if (kind == FRAME_SHIM || frame.entry) {
			if (!activation_end(walk, &cframe, &frame, entry))
				return chain_torn(walk);
		} else if (!frame.previous || frame.previous == base) {
			return chain_torn(walk);
		}
	}
	return CHAIN_ROOT;
}

enum python_result walk_stack_frames(const struct runtime *runtime, uintptr_t state,
				     const struct c_stack *stack, struct python_frame *frames,
				     size_t max, size_t *n, uintptr_t *coroutine)
{
	const struct cpython_layout *layout = runtime->layout;
	struct walk walk = {
		.runtime = runtime,
		.layout = layout,
		.stack = stack,
		.state = state,
		.frames = frames,
		.max = max,
	};
	uintptr_t cframe = 0, address;
	enum chain_end end;

	*n = 0;
	*coroutine = 0;
	if (layout->thread.cframe != CPYTHON_NOWHERE) {
		cframe = load_word(state + layout->thread.cframe);
		if (cframe != state + layout->thread.root_cframe &&
		    !c_stack_has(stack, cframe, layout->cframe.previous + 8u))
			return PYTHON_BROKEN;
		address = load_word(cframe + layout->cframe.frame);
		/* A record that is not written yet, or a greenlet's that runs no Python yet? */
		if (!address && cframe != state + layout->thread.root_cframe &&
		    cframe_before(&walk, cframe) != state + layout->thread.root_cframe)
			return PYTHON_BROKEN;
	} else {
		address = load_word(state + layout->thread.frame);
	}
	chunk_open(&walk.data, load_word(state + layout->thread.chunk),
		   load_word(state + layout->thread.top));
	end = walk_chain(&walk, cframe, address);
	*n = walk.n;
	if (end == CHAIN_TORN)
		return PYTHON_BROKEN;
	if (end == CHAIN_CUT)
		return PYTHON_CUT;
	*coroutine = walk.coroutine;
	return walk.n ? PYTHON_OK : PYTHON_NONE;
}
