/*
 * Which thread state is the interrupted thread's? Not simply the attached one, nor the one of the
 * GIL-state API: until 3.11 both are wrong in a thread that has released the GIL inside a
 * sub-interpreter, and uwsgi makes an interpreter for each application.
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_THREAD_H
#define REQPROF_SIGSAFE_CPYTHON_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/python.h"

/* A thread's C stack above the interrupted stack pointer: all of it can be read. */
struct c_stack {
	uintptr_t sp, high;
};

static inline bool c_stack_has(const struct c_stack *stack, uintptr_t address, uintptr_t len)
{
	return address >= stack->sp && address < stack->high && len <= stack->high - address;
}

/* The thread state that runs, or has released the GIL, on this stack; 0 when the thread runs no
 * Python. From the handler. What it returns stays valid until the handler returns. */
uintptr_t thread_find(const struct runtime *runtime, struct python_thread *memory,
		      const struct c_stack *stack);

/* The two ways that need more than a call, by enum cpython_thread_rule. */
uintptr_t thread_by_cframe(const struct runtime *runtime, struct python_thread *memory,
			   const struct c_stack *stack);
uintptr_t thread_by_words(const struct runtime *runtime, const struct c_stack *stack);

#endif
