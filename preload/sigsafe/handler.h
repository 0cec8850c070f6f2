/*
 * The signal handler: one tick, one stack. Everything it touches belongs to its own thread or is
 * immutable; it takes no lock, allocates nothing, and makes no system call but those of peek.
 */
#ifndef REQPROF_SIGSAFE_HANDLER_H
#define REQPROF_SIGSAFE_HANDLER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/sigsafe/kernel_ring.h"
#include "preload/sigsafe/python.h"
#include "preload/sigsafe/stacks.h"
#include "preload/sigsafe/unwind.h"

enum { HANDLER_HELD_MAX = 4096 }; /* samples of one turn of an event loop: four seconds */
enum { HANDLER_STACK = 16 << 10 };  /* the longest way down takes less than a quarter of it */

enum handler_stacks { HANDLER_MIXED, HANDLER_PYTHON, HANDLER_NATIVE };

/* Where a function of libc was called from: the stack pointer before the call, and the return address. */
struct handler_call {
	uintptr_t cfa, pc;
};

/* Of a sample that is held. */
struct handler_mark {
	struct python_task task;
	bool inside; /* the caller of handler_thread.call has not returned since */
};

/* A thread's half of sampling. Made and changed by the sample room on the same thread. */
struct handler_thread {
	struct stacks *target;   /* where samples go; NULL: none are wanted. Changed only by the thread itself */
	struct handler_mark *held; /* HANDLER_HELD_MAX: of each of the target's samples; NULL: not wanted */
	bool stray;              /* held while it is not known for whom: not for ever */
	uint64_t *held_waits;     /* WAITS_MAX: the task of each of the target's waits; stray: its item */
	struct handler_call call; /* the last read of a request's; pc 0: none */
	bool inside;             /* the thread walks its own stack: handler_here */
	bool deferred;           /* a tick came meanwhile */
	bool module_missed;      /* a pc in no known module: one may have been loaded since they were looked at */
	uint8_t mode;            /* enum handler_stacks */
	bool clock_is_timer;
	int clock_id;            /* by which the signals of the thread's clock are known: si_fd or si_timerid */
	bool waits;              /* are waits timed? */
	uint64_t wait_min_ns;    /* shorter ones are added up */
	uint64_t ended_ns;       /* when the last sample was done, CLOCK_MONOTONIC */
	bool queued;             /* the last one came right behind another */
	uint32_t every, ticks;   /* each every-th signal is a sample; signals since the last one */
	uintptr_t stack_high;    /* end of the thread's stack */
	/*
	 * The end of a stack of ours, HANDLER_STACK bytes. Samples are taken on it: the host's may be a coroutine's of
	 * a few KiB, with the kernel's signal frame on it already.
	 */
	void *own_stack;
	uint64_t late;           /* ticks with no target, of a clock that had been stopped */
	bool left_running;       /* between requests, too: see handler_idle */
	uint32_t idle_ticks;     /* of a clock left running: since the last sample, with no target */
	uint64_t foreign;        /* signals that our clock did not send */
	struct kernel_ring kernel; /* where the kernel puts its own stacks */
	struct python_thread python;
	struct unwind_memo memo;
	/* Scratch: too large for the stacks that coroutines have. */
	struct unwind_frame native[UNWIND_MAX];
	struct python_frame frames[PYTHON_MAX];
	uint64_t keys[STACKS_DEPTH_MAX];
};

/* This thread's, NULL before its first request. Initial-exec: reading it allocates nothing. */
extern __thread struct handler_thread *handler_self;

/* The calling thread's last call of a function that reads. */
extern __thread struct handler_call handler_call;

/* What to do with our signal when our clock did not send it: the host's own action for it. */
extern void (*handler_foreign)(int number, siginfo_t *info, void *context);

/*
 * A thread's clock was left running when its request ended, and HANDLER_IDLE_MAX ticks in a row have
 * come outside of any: it does other work, and the clock is to be stopped.
 */
enum { HANDLER_IDLE_MAX = 16 };
extern void (*handler_idle)(struct handler_thread *self);

/* Is this signal of our number a tick of the thread's clock? The host may have timers that send it, too. */
bool handler_ticked(const struct handler_thread *self, const siginfo_t *info);

/* For sigaction (SA_SIGINFO | SA_RESTART, all signals masked). */
void handler_tick(int number, siginfo_t *info, void *context);

/*
 * Not from the handler: the calling thread's own stack, without our frames, as a node of its target,
 * which must not be NULL. STACKS_ROOT when there was no room. *flags: enum stack_flags. Used where
 * a wrapper found that it had waited.
 */
uint32_t handler_here(struct handler_thread *self, uint32_t *flags);

/* Not from the handler: the task that the calling thread runs, with its coroutine. */
struct python_task handler_task(struct handler_thread *self);

#endif
