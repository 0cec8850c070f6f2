/*
 * Looking at thread states and interpreters that other threads may free meanwhile, even unmap. The
 * beginning of such a structure is copied by one system call, which cannot fault.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_STATE_COPY_H
#define REQPROF_SIGSAFE_CPYTHON_STATE_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/runtime.h"

enum {
	/* Of a thread state: next, interpreter, frame, cframe; of an interpreter: next, threads. */
	STATE_COPY_WORDS = 8,
	STATE_COPIES_MAX = 8,
};

struct state_copy {
	uintptr_t words[STATE_COPY_WORDS];
};

static inline uintptr_t state_copy_word(const struct state_copy *copy, uint16_t offset)
{
	return copy->words[offset / sizeof(uintptr_t)];
}

/* Copies at most STATE_COPIES_MAX structures, up to the first that cannot be read; how many it was. */
size_t state_copy(struct state_copy *copies, const uintptr_t *addresses, size_t count);

/*
 * Visits the thread states of this interpreter and of those after it in the list, a bounded number;
 * visit says whether to go on. Returns how many were visited.
 */
size_t state_copy_all(const struct runtime *runtime, uintptr_t interpreter,
		      bool (*visit)(void *argument, uintptr_t state, const struct state_copy *copy),
		      void *argument);

#endif
