/* What DWARF says of an address: the functions inlined there, and the lines. */
#ifndef REQPROF_SYMBOL_INLINES_H
#define REQPROF_SYMBOL_INLINES_H

#include <elfutils/libdw.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/symbol/symbol.h"

struct inlines;

/* NULL when the file has no DWARF that can be read. The Elf must outlive it. */
struct inlines *inlines_open(Elf *elf);
void inlines_close(struct inlines *d);

/*
 * Frames at vaddr, innermost first, at most max. Names are raw linkage names, NULL where DWARF has
 * none. Where only a line is known, one frame without name and start. 0 when it says nothing of vaddr.
 */
size_t inlines_at(struct inlines *d, uint64_t vaddr, struct symbol_frame *out, size_t max);

#endif
