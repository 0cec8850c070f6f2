/*
 * CPython 3.13: Include/cpython/{pystate,code,genobject,unicodeobject}.h and
 * Include/internal/pycore_{runtime,interp,frame}.h of 3.13.0 to 3.13.18. The table is of builds with the
 * GIL; what _Py_DebugOffsets says of the build at hand goes before it. The thread state has the newest frame itself; a call of a class puts a frame of its own before __init__'s.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_13_H
#define REQPROF_SIGSAFE_CPYTHON_V3_13_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_13 = {
	.minor = 13,
	.thread_rule = THREAD_BY_API,
	.chain = CHAIN_STACK,
	.line_format = LINES_LOCATIONS,
	.lock_semaphores = true,
	.shims = true,
	.init_frames = true,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 200,
	.generator_basicsize = 144,
	.text_basicsize = 64,
	.runtime = { .interpreters = 632,
		     .next_id = CPYTHON_NOWHERE,
		     .current_thread = CPYTHON_NOWHERE },
	.interpreter = { .next = 7264, .threads = 7344, .id = 7272 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 152,
		    .context = 208,
		    .frame = 72,
		    .cframe = CPYTHON_NOWHERE,
		    .root_cframe = CPYTHON_NOWHERE,
		    .chunk = 232,
		    .top = 240,
		    .size = 304 },
	.cframe = { .frame = CPYTHON_NOWHERE, .previous = CPYTHON_NOWHERE },
	.frame = { .previous = 8,
		   .code = 0,
		   .instruction = 56,
		   .owner = 70,
		   .is_entry = CPYTHON_NOWHERE,
		   .size = 72 },
	.generator = { .frame = 72, .state = 67, .executing = 0, .suspended = -1 },
	.code = { .units = 16,
		  .stack_size = 64,
		  .locals = 72,
		  .frame_words = 76,
		  .first_line = 68,
		  .filename = 112,
		  .name = 120,
		  .qualname = 128,
		  .line_table = 136,
		  .instructions = 200 },
	.text = { .length = 16, .state = 32, .ascii = 40, .compact = 56, .pointer = 56 },
	.bytes = { .length = 16, .data = 32 },
	.given = { .runtime = 24,
		   .interpreter = 48,
		   .thread = 152,
		   .frame = 224,
		   .code = 272,
		   .object = 352,
		   .text = 536,
		   .thread_id = 5 },
};

#endif
