/*
 * Names of a module's functions, from its symbol tables and, where those are silent, its linkage
 * stubs and unwind entries.
 */
#ifndef REQPROF_SYMBOL_NAMES_H
#define REQPROF_SYMBOL_NAMES_H

#include "tools/symbol/object.h"
#include "tools/symbol/ranges.h"

/* All zero is an empty one. Items of the ranges are pointers to names inside the objects. */
struct names {
	struct ranges symbols;
	struct ranges unwind; /* of whole functions, by unwind entry */
	bool unwind_read;
};

/* Takes the function symbols of an object; before names_ready. */
void names_add(struct names *n, const struct object *o);
void names_ready(struct names *n);
/*
 * The name of the function at vaddr of the module o; NULL when no symbol covers it. Raw (mangled, and
 * versioned in .symtab: "f@@V"). A symbol without a size reaches to the next symbol, the next
 * function with an unwind entry or the end of its section.
 */
const char *names_find(struct names *n, const struct object *o, uint64_t vaddr);

/* The function whose stub in a procedure linkage table is at vaddr; NULL when it is none or not to be told. */
const char *names_plt(const struct object *o, uint64_t vaddr);

/* Where the function at vaddr starts, as .eh_frame tells; false when it does not. */
bool names_function_start(struct names *n, const struct object *o, uint64_t vaddr, uint64_t *start);

void names_free(struct names *n);

#endif
