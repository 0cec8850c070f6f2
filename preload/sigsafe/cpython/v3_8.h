/*
 * CPython 3.8: Include/cpython/{pystate,unicodeobject}.h, Include/{code,frameobject,genobject}.h and
 * Include/internal/pycore_{pystate,gc}.h of 3.8.0 to 3.8.20. As 3.9 but for where the runtime and the
 * interpreter have their lists.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_V3_8_H
#define REQPROF_SIGSAFE_CPYTHON_V3_8_H

#include "preload/sigsafe/cpython/layout.h"
#include "format/code_lines.h"

static const struct cpython_layout cpython_3_8 = {
	.minor = 8,
	.thread_rule = THREAD_BY_WORDS,
	.chain = CHAIN_HEAP,
	.line_format = LINES_LNOTAB,
	.lock_semaphores = true,
	.instruction_unit = 1,
	.object = { .type = 8, .references = 0 },
	.type_basicsize = 32,
	.code_basicsize = 176,
	.generator_basicsize = 96,
	.text_basicsize = 80,
	.frame_basicsize = 368,
	.runtime = { .interpreters = 32, .next_id = 48, .current_thread = 1368 },
	.interpreter = { .next = 0, .threads = 8, .id = 16 },
	.thread = { .next = 8,
		    .interpreter = 16,
		    .id = 176,
		    .context = 240,
		    .frame = 24,
		    .cframe = CPYTHON_NOWHERE,
		    .root_cframe = CPYTHON_NOWHERE,
		    .chunk = CPYTHON_NOWHERE,
		    .top = CPYTHON_NOWHERE,
		    .size = 264 },
	.cframe = { .frame = CPYTHON_NOWHERE, .previous = CPYTHON_NOWHERE },
	.frame = { .previous = 24,
		   .code = 32,
		   .instruction = 104,
		   .owner = CPYTHON_NOWHERE,
		   .is_entry = CPYTHON_NOWHERE,
		   .size = 360 },
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
