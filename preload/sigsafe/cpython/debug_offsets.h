/*
 * What CPython 3.13 and later say of their own structures, at the start of _PyRuntime: the
 * _Py_DebugOffsets of Include/internal/pycore_debug_offsets.h (3.13: pycore_runtime.h), groups of
 * words that each begin with the size of the structure they describe. Not for the handler.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_DEBUG_OFFSETS_H
#define REQPROF_SIGSAFE_CPYTHON_DEBUG_OFFSETS_H

#include <stdint.h>

#include "preload/sigsafe/cpython/layout.h"

/*
 * Puts what the build says of itself in the place of the table's entries, once it has been shown to be
 * sane: for this version (as Py_Version has it), offsets inside their structures, and in the order and
 * with the gaps that this version's structures have. NULL, or why it is not believed; then layout is
 * of no use.
 */
const char *debug_offsets_apply(struct cpython_layout *layout, uintptr_t variables,
				uint64_t version);

#endif
