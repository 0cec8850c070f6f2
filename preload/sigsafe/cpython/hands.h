/*
 * Work that Python programs hand to threads of pools, as objects: the item of concurrent.futures' executors
 * (asyncio's run_in_executor and to_thread use one), and the future of anyio's worker threads (starlette's
 * routes that are no coroutines). Both the function that gives one away and the one that works on it have
 * it in a variable of theirs; so whose work a thread does is known by what it works on, in whatever order
 * threads take it up. Functions are known by their name and file, variables by name.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_HANDS_H
#define REQPROF_SIGSAFE_CPYTHON_HANDS_H

#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/python.h"

/* What the thread with this state, which is the calling one and is in a call of Python's, does with its locks: gives
 * *item away, or is done with it. */
enum python_hands hands_look(const struct runtime *runtime, uintptr_t state, uintptr_t *item);

/* What it works on; 0: nothing of the kind. */
uintptr_t hands_item(const struct runtime *runtime, uintptr_t state);
/* The same of frames that have been walked to the thread's first; from the handler, too. */
uintptr_t hands_item_of(const struct runtime *runtime, const struct python_frame *frames, size_t n);

#endif
