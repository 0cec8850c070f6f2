/*
 * Python frames in the signal handler: finds the interpreter once (outside the handler), then walks
 * this thread's frames by a layout table with the checks of research on CPython's frames (torn
 * chains, foreign thread states, half-built frames). Version layouts are in sigsafe/cpython/; the
 * version is asked about only when the table is chosen.
 */
#ifndef REQPROF_SIGSAFE_PYTHON_H
#define REQPROF_SIGSAFE_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PYTHON_MAX = 256 };

struct python_frame {
	uint32_t code;   /* id from codes.h; 0 when its table is full */
	int32_t lasti;   /* byte offset of the instruction in the code; negative before the first */
	/* 0 in all frames of 3.8 and 3.9, where each frame is one native activation. */
	uintptr_t entry; /* not 0: outermost frame of a native eval activation, and this address lies in
			  * that activation's native frame (between its callee's cfa and its own) */
	uintptr_t address; /* its own */
};

enum python_result {
	PYTHON_OK,      /* *n frames, newest first, down to the thread's first */
	PYTHON_NONE,    /* this thread runs no Python now: *n = 0 */
	PYTHON_CUT,     /* *n frames are right; the walk stopped at one that was not whole */
	PYTHON_BROKEN,  /* frames should be there and could not be read: *n = 0 */
};

/* Looks for an interpreter in the process (again, when none was found and modules have been loaded since).
 * Not from a handler. Cheap when nothing changed: call it at a request's start. */
void python_find(void);

/* Before the host's dlclose, which may be of a libpython: no stacks until python_find looks again,
 * which it does whatever the loader's counters say. A handler on another thread that is in
 * python_walk now may go on for a moment. */
void python_withdraw(void);

/* "3.11.2", "3.13.5 free-threaded", "none", or "unsupported 3.7" with the reason; static storage, never NULL. */
const char *python_version(void);

/* One of the tasks (of asyncio) and greenlets that share a thread. */
struct python_task {
	uint64_t number;     /* different for each that lives at the same time; 0: no Python here */
	uintptr_t stack;     /* its data stack: that of its thread, or a greenlet's own */
	uintptr_t coroutine; /* its outermost one; 0: none, or not looked for */
	uintptr_t item;	     /* what a pool's thread works on: cpython/hands.h; 0: nothing, or not looked for */
	int transport;	     /* of its coroutine: what transport_find gave, plus 1; 0: none, or not looked for */
};

/* What a thread remembers between samples. Zero means nothing yet. One per thread, handler only. */
struct python_thread {
	uintptr_t thread_states[4]; /* recently found to be this thread's */
	unsigned next;
	uintptr_t interpreters; /* how many had been made when all were last searched */
	unsigned wait;          /* samples to let pass before searching again */
	const void *touched;    /* the interpreter that python_touch asked */
	uintptr_t *published;   /* where others look for this thread's state; NULL: nowhere */
	bool pooled;             /* what a pool's thread works on is looked for */
	struct python_task task; /* that ran at the last walk */
};

/* Is this descriptor one of a client's connection? Called from the handler; NULL: coroutines' are not looked for. */
extern bool (*python_serves)(int fd);

/* Outside the handler, on the thread that is to be sampled, whenever that begins: without it some
 * interpreters (3.15) would have to allocate in the handler, so there such a thread has no Python frames. */
void python_touch(struct python_thread *thread);

/* From the handler: sp is the interrupted stack pointer, stack_high the end of this thread's stack. */
enum python_result python_walk(struct python_thread *thread, uintptr_t sp, uintptr_t stack_high,
			       struct python_frame *frames, size_t max, size_t *n);

/* Of the calling thread, whose stack pointer is sp: finds its thread state and publishes it, as each walk does. Not from the handler. */
void python_publish(struct python_thread *thread, uintptr_t sp, uintptr_t stack_high);

/* The task that the calling thread runs, number 0 when that is not known; its coroutine is not looked for. Some
 * 20 ns, no system call. */
struct python_task python_task_here(const struct python_thread *thread);
/* Is this a coroutine that waits to be resumed? (Then it is the one that ran when its address was
 * learnt, unless it has ended and another one begun and come to wait meanwhile.) Not from the handler. */
bool python_task_waits(uintptr_t coroutine);

/* What the calling thread, which is about to release a lock, does for or against pools' threads (cpython/hands.h):
 * gives *item away, or is done with it. Not from the handler. Some 50 ns. */
enum python_hands { PYTHON_HANDS_NOTHING, PYTHON_GIVES, PYTHON_ENDS };
enum python_hands python_hands_here(uintptr_t *item);
/* What the calling thread works on; 0: nothing of the kind. It need not have the GIL. Not from the handler. */
uintptr_t python_item_here(const struct python_thread *thread);

/* Is this condition variable the GIL's? Any thread, any time; a compare. Then *holder is the thread
 * state that has the GIL, or had it last; 0 when there is none. */
bool python_is_gil(const void *condition, uintptr_t *holder);

#endif
