#include "preload/sigsafe/cpython/debug_offsets.h"

#include "preload/sigsafe/peek.h"

enum {
	COOKIE_AT = 0,
	VERSION_AT = 8,
	FREE_THREADED_AT = 16,
	STRUCTURE_LEN_MAX = 64 << 20, /* _PyRuntime itself has some 350 kB */
	OBJECT_LEN = 16, /* the header of objects that only one thread changes at a time */
	OBJECT_LEN_FREE_THREADED = 32,
	REFERENCES_FREE_THREADED = 12, /* in that: the owner's count */
};

static const uint64_t cookie = 0x7970677562656478; /* xdebugpy */

/* One group of words while it is read; after a word that cannot be right it is bad for good. */
struct group {
	uintptr_t at;
	uint64_t structure_len;
	bool bad;
};

static struct group group_open(uintptr_t variables, uint16_t offset)
{
	struct group group = { .at = variables + offset };

	group.bad = !peek_word(group.at, &group.structure_len) || group.structure_len == 0 ||
		    group.structure_len > STRUCTURE_LEN_MAX;
	return group;
}

/* The group's word of this number (0 is the size): where a member of len bytes lies. */
static uint16_t group_word(struct group *group, unsigned number, unsigned len)
{
	uint64_t offset = 0;

	if (!group->bad &&
	    (!peek_word(group->at + number * 8u, &offset) || offset + len > group->structure_len ||
	     offset % len != 0 || offset >= CPYTHON_NOWHERE))
		group->bad = true;
	return group->bad ? 0 : (uint16_t)offset;
}

static bool runtime_take(struct cpython_layout *layout, uintptr_t variables)
{
	struct group runtime = group_open(variables, layout->given.runtime);
	struct group interpreter = group_open(variables, layout->given.interpreter);

	layout->runtime.interpreters = group_word(&runtime, 2, 8);
	layout->interpreter.id = group_word(&interpreter, 1, 8);
	layout->interpreter.next = group_word(&interpreter, 2, 8);
	layout->interpreter.threads = group_word(&interpreter, 3, 8);
	return !runtime.bad && !interpreter.bad;
}

static bool thread_take(struct cpython_layout *layout, uintptr_t variables)
{
	struct group thread = group_open(variables, layout->given.thread);
	unsigned id = layout->given.thread_id;
	/* It has no word of its own, but only words lie between the two. */
	int context = layout->thread.context - layout->thread.id;

	layout->thread.next = group_word(&thread, 2, 8);
	layout->thread.interpreter = group_word(&thread, 3, 8);
	layout->thread.frame = group_word(&thread, 4, 8);
	if (layout->thread.base_frame)
		layout->thread.base_frame = group_word(&thread, 5, 8);
	layout->thread.id = group_word(&thread, id, 8);
	layout->thread.context = (uint16_t)(layout->thread.id + context);
	layout->thread.chunk = group_word(&thread, id + 2, 8);
	layout->thread.top = (uint16_t)(layout->thread.chunk + 8);
	if (thread.structure_len >= CPYTHON_NOWHERE)
		return false;
	layout->thread.size = (uint16_t)thread.structure_len;
	return !thread.bad && layout->thread.top + 8u <= thread.structure_len;
}

static bool frame_take(struct cpython_layout *layout, uintptr_t variables)
{
	struct group frame = group_open(variables, layout->given.frame);

	layout->frame.previous = group_word(&frame, 1, 8);
	layout->frame.code = group_word(&frame, 2, 8);
	layout->frame.instruction = group_word(&frame, 3, 8);
	/* What is read of a frame lies before its variables. */
	layout->frame.size = group_word(&frame, 4, 8);
	layout->frame.owner = group_word(&frame, 5, 1);
	return !frame.bad && layout->frame.owner < layout->frame.size &&
	       layout->frame.previous < layout->frame.size &&
	       layout->frame.code < layout->frame.size &&
	       layout->frame.instruction < layout->frame.size;
}

/* object_len: what the headers of objects have more or less than the table's moves what it has no word for. */
static bool code_take(struct cpython_layout *layout, uintptr_t variables, unsigned object_len)
{
	struct group code = group_open(variables, layout->given.code);

	layout->code.filename = group_word(&code, 1, 8);
	layout->code.name = group_word(&code, 2, 8);
	layout->code.qualname = group_word(&code, 3, 8);
	layout->code.line_table = group_word(&code, 4, 8);
	layout->code.first_line = group_word(&code, 5, 4);
	layout->code.instructions = group_word(&code, 9, 1);
	layout->code.units = (uint16_t)object_len;
	layout->code.stack_size = layout->code.locals = layout->code.frame_words = CPYTHON_NOWHERE;
	layout->code_basicsize = layout->code.instructions;
	return !code.bad;
}

static bool text_take(struct cpython_layout *layout, uintptr_t variables)
{
	struct group text = group_open(variables, layout->given.text);

	layout->text.state = group_word(&text, 1, 4);
	layout->text.length = group_word(&text, 2, 8);
	layout->text.ascii = group_word(&text, 3, 8);
	/* Text that is not ASCII has two words more: length and address as UTF-8. */
	layout->text.compact = layout->text.pointer = (uint16_t)(layout->text.ascii + 16);
	layout->text_basicsize = (uint16_t)text.structure_len;
	return !text.bad && layout->text.pointer + 8u == text.structure_len;
}

static bool generator_take(struct cpython_layout *layout, uintptr_t variables, int moved)
{
	struct group generator;

	if (!layout->given.generator) {
		layout->generator.frame = (uint16_t)(layout->generator.frame + moved);
		layout->generator.state = (uint16_t)(layout->generator.state + moved);
	} else {
		generator = group_open(variables, layout->given.generator);
		layout->generator.frame = group_word(&generator, 2, 8);
		layout->generator.state = group_word(&generator, 3, 1);
		if (generator.bad)
			return false;
	}
	layout->generator_basicsize = (uint16_t)(layout->generator.frame + layout->frame.size);
	return true;
}

static bool objects_take(struct cpython_layout *layout, uintptr_t variables, bool free_threaded)
{
	unsigned len = free_threaded ? OBJECT_LEN_FREE_THREADED : OBJECT_LEN;
	struct group object = group_open(variables, layout->given.object);
	int moved = (int)len - OBJECT_LEN;

	layout->object.type = group_word(&object, 1, 8);
	layout->object.references = free_threaded ? REFERENCES_FREE_THREADED : 0;
	layout->lock_semaphores = layout->lock_semaphores && !free_threaded;
	layout->type_basicsize = (uint16_t)(layout->type_basicsize + moved);
	layout->bytes.length = (uint16_t)len;
	layout->bytes.data = (uint16_t)(len + 16);
	return !object.bad && object.structure_len == len && code_take(layout, variables, len) &&
	       text_take(layout, variables) && generator_take(layout, variables, moved);
}

const char *debug_offsets_apply(struct cpython_layout *layout, uintptr_t variables,
				uint64_t version)
{
	uint64_t found, said_version, free_threaded;

	if (!peek_word(variables + COOKIE_AT, &found) ||
	    !peek_word(variables + VERSION_AT, &said_version) ||
	    !peek_word(variables + FREE_THREADED_AT, &free_threaded) || found != cookie)
		return "it does not describe its structures";
	if (said_version != version || free_threaded > 1)
		return "it describes the structures of another version";
	/* Each thread may run its own copy of the instructions, and we could not try one. */
	if (free_threaded && layout->tag_bits)
		return "a free-threaded build of a version after 3.13";
	if (!runtime_take(layout, variables) || !thread_take(layout, variables) ||
	    !frame_take(layout, variables) || !objects_take(layout, variables, free_threaded != 0))
		return "what it says of its structures cannot be right";
	return NULL;
}
