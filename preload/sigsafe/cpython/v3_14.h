/*
 * CPython 3.14: Include/cpython/{pystate,code,genobject,unicodeobject}.h and
 * Include/internal/pycore_{runtime,interp,interpframe,debug_offsets}.h of 3.14.8 and 3.14.10. A frame's code
 * is a tagged reference. 3.14.5 moved the interpreter's members: what _Py_DebugOffsets says goes first.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_14_H
#define REQPROF_SIGSAFE_CPYTHON_V3_14_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_14 = {
	.minor = 14,
	.thread_rule = THREAD_BY_API,
	.chain = CHAIN_STACK,
	.line_format = LINES_LOCATIONS,
	.shims = true,
	.init_frames = true,
	.tag_bits = 3,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 208,
	.generator_basicsize = 152,
	.text_basicsize = 64,
	.runtime = { .interpreters = 808,
		     .next_id = CPYTHON_NOWHERE,
		     .current_thread = CPYTHON_NOWHERE },
	.interpreter = { .next = 7272, .threads = 7344, .id = 7280 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 152,
		    .context = 208,
		    .frame = 72,
		    .cframe = CPYTHON_NOWHERE,
		    .root_cframe = CPYTHON_NOWHERE,
		    .chunk = 232,
		    .top = 240,
		    .size = 832 },
	.cframe = { .frame = CPYTHON_NOWHERE, .previous = CPYTHON_NOWHERE },
	.frame = { .previous = 8,
		   .code = 0,
		   .instruction = 56,
		   .owner = 74,
		   .is_entry = CPYTHON_NOWHERE,
		   .size = 80 },
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
		  .instructions = 208 },
	.text = { .length = 16, .state = 32, .ascii = 40, .compact = 56, .pointer = 56 },
	.bytes = { .length = 16, .data = 32 },
	.given = { .runtime = 24,
		   .interpreter = 48,
		   .thread = 176,
		   .frame = 248,
		   .code = 312,
		   .object = 400,
		   .text = 616,
		   .generator = 664,
		   .thread_id = 5 },
};

#endif
