/*
 * The frames of a thread state that belongs to the interrupted thread. Called from the handler, at
 * any instruction of the interpreter: the chain may be half written, so each frame has to look like
 * one and to lie where such frames lie before it is believed.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_WALK_H
#define REQPROF_SIGSAFE_CPYTHON_WALK_H

#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/cpython/thread.h"
#include "preload/sigsafe/python.h"

/* Frames of the versions that keep them in a data stack (3.11 and later). *coroutine: the outermost
 * coroutine among them, 0 when there is none. */
enum python_result walk_stack_frames(const struct runtime *runtime, uintptr_t state,
				     const struct c_stack *stack, struct python_frame *frames,
				     size_t max, size_t *n, uintptr_t *coroutine);

/* Frames of the versions where each is an object (3.8 to 3.10). Without an entry for those before 3.10:
 * there each frame is one native activation, and the two are told apart by symbols. */
enum python_result walk_heap_frames(const struct runtime *runtime, uintptr_t state,
				    const struct c_stack *stack, struct python_frame *frames,
				    size_t max, size_t *n);

#endif
