/*
 * Exported names of an interpreter that is somewhere among the loaded modules, read from their
 * dynamic symbol tables: unlike dlsym this also sees a libpython loaded RTLD_LOCAL, and never
 * allocates nor touches the host's dlerror. Not for the handler.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_SYMBOLS_H
#define REQPROF_SIGSAFE_CPYTHON_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The loader's counts of modules added and removed: while they stay, so do the answers below. */
struct symbols_epoch {
	unsigned long long adds, subs;
};

struct symbols_epoch symbols_epoch(void);

struct symbol {
	const char *name;
	uintptr_t *address; /* set to 0 when nothing defines it */
	size_t *size;	    /* of the object; may be NULL */
};

/*
 * Finds the first module that defines anchor, and there all names of the list; a definition in the
 * main program goes before that (a program not built position independent has its own copy of a
 * library's data). False, and all addresses 0, when no module defines the anchor.
 */
bool symbols_find(const char *anchor, const struct symbol *symbols, size_t count);

/* Is a module loaded whose path has this in it? */
bool symbols_module(const char *part);

#endif
