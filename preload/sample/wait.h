/*
 * Timing of one blocking call of the host's, and the record of it. The wrapper of the call keeps the
 * struct on its stack: wait_begin before the call, wait_end after it, and, where that says the
 * thread had really waited, wait_record with what for. On the thread that makes the call, outside
 * of the signal handler. None touches errno.
 *
 * What counts is the time off the CPU: the time that the call itself ran in the kernel is CPU time.
 * It is told apart without a system call at each end: from one reading of the thread's CPU clock
 * to the next, the thread ran all the time between its calls.
 */
#ifndef REQPROF_SAMPLE_WAIT_H
#define REQPROF_SAMPLE_WAIT_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/sigsafe/handler.h"

/* How our signal is kept away meanwhile. */
enum wait_held {
	WAIT_NOT_HELD,
	WAIT_HELD,	   /* blocked */
	WAIT_HELD_BY_MASK, /* in the mask that the call sets */
};

struct wait {
	struct stacks *target; /* NULL: not timed */
	uint8_t held;	       /* enum wait_held */
	bool held_before;      /* for mask.h */
	bool looked;	       /* the stack was taken before the call: node, flags */
	uint32_t node, flags;
	uint64_t start_ns, end_ns, off_ns;
};

/* Does the thread work for a request now? Inline: all that a call costs that is not. */
static inline bool wait_wanted(void)
{
	const struct handler_thread *self = handler_self;

	return self && self->target;
}

/*
 * Starts timing when waits are wanted. A fallback clock's tick may come in the kernel and end the
 * call early: then our signal is blocked until wait_end. (mask: the call sets the thread's mask by
 * itself, see wait_mask.)
 */
void wait_begin(struct wait *w, bool mask);
/*
 * After wait_begin, before the call. Should the process be killed in it, the live file says where it
 * was: the stack of a call that will take its time (`lasts`: one that would be recorded with its
 * stack anyway) is taken now, of others only once in LOOK_EVERY_NS.
 */
void wait_foresee(struct wait *w, enum wait_kind kind, bool lasts);
/* True when the thread was off the CPU for long enough to tell. */
bool wait_end(struct wait *w);
/* After wait_end: when the call returned; 0: it was not timed. */
static inline uint64_t wait_ended_ns(const struct wait *w)
{
	return w->target ? w->end_ns : 0;
}
/*
 * The host's mask for the time of the call, with our signal added in *storage if need be: a tick that
 * came in a handler whose mask held it back would end the call at once.
 */
const sigset_t *wait_mask(struct wait *w, const sigset_t *mask, sigset_t *storage);

/* on: up to WAITS_TEXT_MAX bytes; trips: a round trip ended with this call. Takes the stack of a long one, and of a round trip. */
void wait_record(const struct wait *w, enum wait_kind kind, const char *on, size_t len,
		 uint32_t trips);
/* A slice of waiting for the GIL; holder "METHOD PATH" or NULL; goes_on: it timed out, and the next slice follows. */
void wait_record_gil(const struct wait *w, const char *holder, size_t len, bool goes_on);

#endif
