/*
 * CPython 3.15: Include/cpython/{pystate,code,genobject,unicodeobject}.h and
 * Include/internal/pycore_{runtime,interp,interpframe,debug_offsets}.h of 3.15.2. The chain of frames ends in
 * one that the thread state names, and states of generators have other numbers.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_15_H
#define REQPROF_SIGSAFE_CPYTHON_V3_15_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_15 = {
	.minor = 15,
	.thread_rule = THREAD_BY_API,
	.chain = CHAIN_STACK,
	.line_format = LINES_LOCATIONS,
	.shims = true,
	.init_frames = true,
	.touch = true,
	.tag_bits = 3,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 208,
	.generator_basicsize = 152,
	.text_basicsize = 64,
	.runtime = { .interpreters = 936,
		     .next_id = CPYTHON_NOWHERE,
		     .current_thread = CPYTHON_NOWHERE },
	.interpreter = { .next = 7264, .threads = 7336, .id = 7272 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 176,
		    .context = 232,
		    .frame = 72,
		    .cframe = CPYTHON_NOWHERE,
		    .root_cframe = CPYTHON_NOWHERE,
		    .chunk = 256,
		    .top = 264,
		    .size = 888,
		    .base_frame = 80 },
	.cframe = { .frame = CPYTHON_NOWHERE, .previous = CPYTHON_NOWHERE },
	.frame = { .previous = 8,
		   .code = 0,
		   .instruction = 56,
		   .owner = 74,
		   .is_entry = CPYTHON_NOWHERE,
		   .size = 80 },
	.generator = { .frame = 72, .state = 67, .executing = 4, .suspended = 2 },
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
		   .frame = 312,
		   .code = 376,
		   .object = 464,
		   .text = 712,
		   .generator = 792,
		   .thread_id = 8 },
};

#endif
