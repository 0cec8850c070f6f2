/*
 * What a thread does while it is not yet known for which request: samples and waits of one turn of
 * an event loop (or since a pool's thread was idle) are held, to be given to requests' own trees
 * when that is known. On the thread itself, outside the signal handler; no sampling goes on while
 * they are looked at. The kernel's samples among them come out of order, without a mark.
 */
#ifndef REQPROF_SAMPLE_HELD_H
#define REQPROF_SAMPLE_HELD_H

#include "preload/sample/sample.h"

/* Of the thread, in memory of its own, made at the first turn. */
struct held {
	struct stacks *stacks;
	uint32_t kept; /* samples at the beginning that are of earlier turns */
	struct handler_mark marks[HANDLER_HELD_MAX];
	uint64_t wait_tasks[WAITS_MAX];
	uint64_t cpu_ns[HANDLER_HELD_MAX]; /* of samples kept: CPU time that is theirs */
};

/* Starts to hold what the thread does. False: no memory, or it works for a request at the moment. */
bool held_start(struct sample_thread *thread);
/* No more for the moment. pause: the clock, too: nothing will be wanted for long. NULL: nothing is held. */
struct held *held_stop(struct sample_thread *thread, bool pause);

/* Gives a sample, or a wait, to a request: to its tree of this thread. flags: STACK_INFERRED or 0. */
struct held_to {
	struct stacks **list;
	uint32_t request; /* what the live file knows it by: live.h */
	uint32_t flags;
};
void held_give_sample(struct sample_thread *thread, uint32_t sample, const struct held_to *to);
void held_give_wait(struct sample_thread *thread, uint32_t wait, const struct held_to *to);

/* Keeps a sample for the next turn: in order, each once, those not kept are gone after held_end. */
void held_keep(struct held *held, uint32_t sample, uint64_t cpu_ns);
/* All is given or kept. How many of those kept had to be let go of after all, for want of room. */
uint32_t held_end(struct held *held, uint32_t tid);

void held_free(struct held *held); /* NULL is fine */

#endif
