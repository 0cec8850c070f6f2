/*
 * Which of the tasks that share a thread is running: an asyncio task has a context of its own, a greenlet
 * a data stack of its own. And is a coroutine that was running one still there, waiting to go on?
 */
#ifndef REQPROF_SIGSAFE_CPYTHON_TASK_H
#define REQPROF_SIGSAFE_CPYTHON_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/cpython/runtime.h"
#include "preload/sigsafe/python.h"

/* The task that this thread state, which must be readable, runs: all but its coroutine. */
void task_look(const struct runtime *runtime, uintptr_t state, struct python_task *task);

/* Is there a coroutine at this address that has begun, has not ended, and does not run now? */
bool task_suspended(const struct runtime *runtime, uintptr_t coroutine);

#endif
