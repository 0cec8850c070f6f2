/*
 * CPython 3.10: Include/cpython/{pystate,code,frameobject,unicodeobject}.h, Include/genobject.h and
 * Include/internal/pycore_{runtime,interp}.h of 3.10.0 to 3.10.18. Frames are objects, one for each
 * native activation, which has a CFrame on the C stack; instructions are counted in units of two bytes.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_10_H
#define REQPROF_SIGSAFE_CPYTHON_V3_10_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_10 = {
	.minor = 10,
	.thread_rule = THREAD_BY_CFRAME,
	.chain = CHAIN_HEAP,
	.line_format = LINES_RANGES,
	.lock_semaphores = true,
	.instruction_unit = 2,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 176,
	.generator_basicsize = 88,
	.text_basicsize = 80,
	.frame_basicsize = 360,
	.runtime = { .interpreters = 32, .next_id = 48, .current_thread = 568 },
	.interpreter = { .next = 0, .threads = 8, .id = 24 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 176,
		    .context = 240,
		    .frame = 24,
		    .cframe = 48,
		    .root_cframe = 264,
		    .chunk = CPYTHON_NOWHERE,
		    .top = CPYTHON_NOWHERE,
		    .size = 280 },
	.cframe = { .frame = CPYTHON_NOWHERE, .previous = 8 },
	.frame = { .previous = 24,
		   .code = 32,
		   .instruction = 96,
		   .owner = CPYTHON_NOWHERE,
		   .is_entry = CPYTHON_NOWHERE,
		   .size = 352 },
	.code = { .units = CPYTHON_NOWHERE,
		  .stack_size = CPYTHON_NOWHERE,
		  .locals = CPYTHON_NOWHERE,
		  .frame_words = CPYTHON_NOWHERE,
		  .first_line = 40,
		  .filename = 104,
		  .name = 112,
		  .qualname = CPYTHON_NOWHERE,
		  .line_table = 120,
		  .instructions = 176 },
	.text = { .length = 16, .state = 32, .ascii = 48, .compact = 72, .pointer = 72 },
	.bytes = { .length = 16, .data = 32 },
};

#endif
