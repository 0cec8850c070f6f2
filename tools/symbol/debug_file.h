/* Finds the separate debug file of a module, by its build id and by its .gnu_debuglink. */
#ifndef REQPROF_SYMBOL_DEBUG_FILE_H
#define REQPROF_SYMBOL_DEBUG_FILE_H

#include "tools/symbol/object.h"

/*
 * Opens into *found the debug file of module, which was opened as path. What is found is proven to
 * belong to it: same build id, or the checksum of the link. False when there is none.
 */
bool debug_file_find(const struct object *module, const char *path, const char *debug_dir,
		     struct object *found);

#endif
