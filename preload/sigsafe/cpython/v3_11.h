/*
 * CPython 3.11: Include/cpython/{pystate,code,genobject,unicodeobject}.h and
 * Include/internal/pycore_{runtime,interp,frame}.h of 3.11.0 to 3.11.13. Frames moved to a data
 * stack; calls between Python functions no longer nest natively; is_entry marks the outermost frame
 * of a native activation, whose _PyCFrame lies on the C stack.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_11_H
#define REQPROF_SIGSAFE_CPYTHON_V3_11_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_11 = {
	.minor = 11,
	.thread_rule = THREAD_BY_CFRAME,
	.chain = CHAIN_STACK,
	.line_format = LINES_LOCATIONS,
	.values_before = true,
	.lock_semaphores = true,
	.late_link = true,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 184,
	.generator_basicsize = 152,
	.text_basicsize = 80,
	.runtime = { .interpreters = 40, .next_id = 56, .current_thread = 576 },
	.interpreter = { .next = 0, .threads = 16, .id = 48 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 152,
		    .context = 224,
		    .frame = CPYTHON_NOWHERE,
		    .cframe = 56,
		    .root_cframe = 336,
		    .chunk = 296,
		    .top = 304,
		    .size = 360 },
	.cframe = { .frame = 8, .previous = 16 },
	.frame = { .previous = 48,
		   .code = 32,
		   .instruction = 56,
		   .owner = 69,
		   .is_entry = 68,
		   .size = 72 },
	.generator = { .frame = 80, .state = 75, .executing = 0, .suspended = -1 },
	.code = { .units = 16,
		  .stack_size = 68,
		  .locals = 76,
		  .frame_words = CPYTHON_NOWHERE,
		  .first_line = 72,
		  .filename = 112,
		  .name = 120,
		  .qualname = 128,
		  .line_table = 136,
		  .instructions = 184 },
	.text = { .length = 16, .state = 32, .ascii = 48, .compact = 72, .pointer = 72 },
	.bytes = { .length = 16, .data = 32 },
};

#endif
