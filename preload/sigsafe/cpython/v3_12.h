/*
 * CPython 3.12: Include/cpython/{pystate,code,genobject,unicodeobject}.h and
 * Include/internal/pycore_{runtime,interp,frame}.h of 3.12.0 to 3.12.12. Each native activation has
 * a shim frame on the C stack below its Python frames; strings lost their wchar_t members.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_12_H
#define REQPROF_SIGSAFE_CPYTHON_V3_12_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_12 = {
	.minor = 12,
	.thread_rule = THREAD_BY_API,
	.chain = CHAIN_STACK,
	.line_format = LINES_LOCATIONS,
	.lock_semaphores = true,
	.late_link = true,
	.shims = true,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 192,
	.generator_basicsize = 144,
	.text_basicsize = 64,
	.runtime = { .interpreters = 40, .next_id = 56, .current_thread = CPYTHON_NOWHERE },
	.interpreter = { .next = 0, .threads = 72, .id = 8 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 136,
		    .context = 208,
		    .frame = CPYTHON_NOWHERE,
		    .cframe = 56,
		    .root_cframe = 272,
		    .chunk = 232,
		    .top = 240,
		    .size = 288 },
	.cframe = { .frame = 0, .previous = 8 },
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
		  .instructions = 192 },
	.text = { .length = 16, .state = 32, .ascii = 40, .compact = 56, .pointer = 56 },
	.bytes = { .length = 16, .data = 32 },
};

#endif
