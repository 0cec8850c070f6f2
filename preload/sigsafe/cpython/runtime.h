/*
 * The CPython in this process: where its variables and types are, and which layout describes it.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_RUNTIME_H
#define REQPROF_SIGSAFE_CPYTHON_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/layout.h"

enum { RUNTIME_GENERATORS = 3, RUNTIME_COROUTINE = 1 }; /* generators, coroutines, asynchronous generators */

struct runtime {
	const struct cpython_layout *layout; /* NULL: none found, or one we cannot read */
	struct cpython_layout given;	     /* what layout points at when the build describes itself */
	uintptr_t variables;		     /* _PyRuntime */
	size_t variables_size;
	uintptr_t code_type, text_type, frame_type, none;
	uintptr_t generator_types[RUNTIME_GENERATORS];
	uintptr_t (*this_thread)(void); /* PyGILState_GetThisThreadState */
	uintptr_t (*holder)(void); /* _PyThreadState_UncheckedGet: who holds the GIL; NULL: not to be had */
	uintptr_t wakes; /* RUNTIME_ASLEEP: this word is not 0 once it is initialised */
	unsigned major, minor, micro;
	bool uvloop; /* it is loaded: transports are worth looking for */
};

enum runtime_state {
	RUNTIME_NONE,	/* no interpreter is loaded */
	RUNTIME_ASLEEP, /* one is loaded, but not initialised */
	RUNTIME_READY,
	RUNTIME_UNSUPPORTED, /* one that we cannot read: reason says why */
};

/* Searches the loaded modules. Not from a handler. reason (for RUNTIME_UNSUPPORTED) is static. The
 * result stays where it is put: it may point into itself. */
enum runtime_state runtime_find(struct runtime *runtime, const char **reason);

#endif
