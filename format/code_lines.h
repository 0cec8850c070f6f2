/*
 * CPython's line tables: which source line belongs to an instruction. Pure functions over the
 * table's bytes, which may be anything: a damaged table gives a wrong line, never a bad read.
 */
#ifndef REQPROF_FORMAT_CODE_LINES_H
#define REQPROF_FORMAT_CODE_LINES_H

#include <stddef.h>
#include <stdint.h>

enum code_line_format {
	LINES_NONE,	 /* no table: every instruction is on the first line */
	LINES_LNOTAB,	 /* 3.6 to 3.9: co_lnotab */
	LINES_RANGES,	 /* 3.10: co_linetable of PEP 626 */
	LINES_LOCATIONS, /* 3.11 and later: co_linetable with columns, PEP 657 */
};

/*
 * Line of the instruction at byte offset lasti. first_line when lasti is negative (the frame has
 * not begun), when the table says "no line" for it, or does not reach that far.
 */
int lines_at(enum code_line_format format, const uint8_t *table, size_t len, int first_line,
	     int32_t lasti);

#endif
