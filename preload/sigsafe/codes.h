/*
 * Python code objects that have been sampled: names, file, first line and line table, copied while
 * the frame that keeps them alive was on the interrupted thread's stack. One append-only table for
 * the process; ids never change and entries are never freed, so readers need no lock and a forked
 * child has the same ids. Fixed memory, reserved by codes_prepare.
 */
#ifndef REQPROF_SIGSAFE_CODES_H
#define REQPROF_SIGSAFE_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct code_text {
	const char *bytes; /* UTF-8 (lone surrogates as U+FFFD), NUL-terminated */
	uint32_t len;
};

struct code {
	struct code_text filename, name, qualname; /* qualname == name where the version has none */
	int32_t first_line;
	uint8_t line_format; /* enum code_line_format in format/code_lines.h: which decoder */
	const uint8_t *line_table;
	uint32_t line_table_len;
	/* Of the last look-ups, by lasti: that plus one in the upper half, the line in the lower; 0: none. Atomic. */
	uint64_t lines[4];
};

struct cpython_layout;

/* Reserves memory (mmap, touched as it fills). Not from a handler. Idempotent. 0 or -errno. */
int codes_prepare(void);

/*
 * The id of the code object at this address, copying what struct code has if it is new: 0 when the
 * table is full or was not prepared. From the handler (any number at once), while a frame of the
 * interrupted thread keeps the object alive. A code object that took a dead one's address is told
 * from it by its strings, line table and first line. Texts and tables of absurd length are cut.
 */
uint32_t codes_intern(const struct cpython_layout *layout, uintptr_t code);

/* Told of each new entry, from the handler, if it is set. */
extern void (*codes_added)(uint32_t id, const struct code *code);

/* How many ids were given, and how often the table was full. */
uint32_t codes_count(void);
uint64_t codes_full(void);

/* The entry of an id that python_walk gave; NULL for 0. Any thread, any time. */
struct code *codes_get(uint32_t id);

/* Line being run at lasti: exact, exceptions included; first_line when the table has none for it. Remembers a few.
 * Not from the handler (it scans the line table), though it would be safe there. */
int codes_line(struct code *code, int32_t lasti);

#endif
