/*
 * Where CPython keeps what a stack walk reads: one table per minor version, byte offsets in release
 * builds with a GIL on x86-64. A new version is a header v3_NN.h with its table and a row in
 * layout.c. The walkers ask the table, never the version.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_LAYOUT_H
#define REQPROF_SIGSAFE_CPYTHON_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

/* How the handler learns which thread state is the interrupted thread's. */
enum cpython_thread_rule {
	THREAD_BY_CFRAME, /* its cframe lies on this thread's C stack */
	THREAD_BY_API,	  /* PyGILState_GetThisThreadState is right, with sub-interpreters too */
	THREAD_BY_WORDS,  /* its frame's address is found on this thread's C stack */
};

/* How frames are linked. */
enum cpython_chain {
	CHAIN_HEAP,  /* frame objects, one per call and per native activation of the eval loop */
	CHAIN_STACK, /* frames in the thread's data stack and inside generators */
};

enum { CPYTHON_NOWHERE = 0xffff }; /* an offset that this version does not have */

struct cpython_layout {
	uint8_t minor;
	uint8_t thread_rule; /* enum cpython_thread_rule */
	uint8_t chain;	     /* enum cpython_chain */
	uint8_t line_format; /* enum code_line_format */
	/* A pointer to an instance's values and one to its dictionary, one of them NULL, lie before it
	 * (cpython/transport.h; others are not looked into). */
	bool values_before;

	/* The compiler may publish a new frame before its link to the caller is written: a newest
	 * frame that has not begun needs proof of who called it. */
	bool late_link;
	bool shims;	  /* entry frames on the C stack mark native activations */
	bool init_frames; /* calls of classes have a frame without source, all three names the same */
	/* Asking for the thread state may allocate a thread's first time: that has to be outside the handler. */
	bool touch;
	/* Each of its locks is a semaphore, and every release of one a call of libc's (cpython/hands.h). */
	bool lock_semaphores;
	uint8_t tag_bits; /* low bits of a frame's code pointer that are not address */

	uint8_t instruction_unit; /* bytes that a frame's instruction number stands for (CHAIN_HEAP) */

	struct {
		uint16_t type, references;
	} object;
	/* What types say of themselves (the word that says it, and what it is); a build where they
	 * differ is not the one described here. */
	uint16_t type_basicsize;
	uint16_t code_basicsize, generator_basicsize, text_basicsize, frame_basicsize;

	struct {
		uint16_t interpreters, next_id, current_thread;
	} runtime;
	struct {
		uint16_t next, threads, id;
	} interpreter;
	struct {
		uint16_t next, interpreter, id, context, frame, cframe, root_cframe, chunk, top,
			size;
		uint16_t base_frame; /* address of the oldest frame of all, an empty one; 0: none */
	} thread;
	struct {
		uint16_t frame, previous;
	} cframe;
	struct {
		uint16_t previous, code, instruction, owner, is_entry, size;
	} frame;
	struct {
		uint16_t frame, state; /* frame: of the embedded frame in the generator object */
		int8_t executing, suspended; /* suspended: in an await */
	} generator;
	struct {
		uint16_t units, stack_size, locals, frame_words, first_line, filename, name,
			qualname, line_table, instructions;
	} code;
	struct {
		uint16_t length, state, ascii, compact, pointer;
	} text;
	struct {
		uint16_t length, data;
	} bytes;

	/* Where in _Py_DebugOffsets its groups of words begin; 0 in runtime when there is no such thing. */
	struct {
		uint16_t runtime, interpreter, thread, frame, code, object, text, generator;
		uint8_t thread_id; /* which word of the thread's group */
	} given;
};

/* Owners of a frame (CHAIN_STACK). */
enum {
	OWNER_THREAD = 0,
	OWNER_GENERATOR = 1,
	OWNER_FRAME_OBJECT = 2,
	OWNER_ENTRY = 3, /* shim frames, on the C stack: the mark of a native activation */
	OWNER_C_STACK = 4,
};

/* State word of a string. */
enum { TEXT_KIND_SHIFT = 2, TEXT_KIND_MASK = 7, TEXT_COMPACT = 1 << 5, TEXT_ASCII = 1 << 6 };

/* Of chunks of the data stack, the same in all versions that have them. */
enum { CHUNK_PREVIOUS = 0, CHUNK_SIZE = 8, CHUNK_TOP = 16, CHUNK_DATA = 24 };

/* A type object's dictionary: set once it is ready. In 3.8 to 3.10. */
enum { TYPE_DICT = 264 };

/* The table for 3.minor; NULL when there is none. */
const struct cpython_layout *layout_find(unsigned major, unsigned minor);

#endif
