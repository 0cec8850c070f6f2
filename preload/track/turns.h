/* The calling thread's turns (turn.h), where it is an event loop: how that is known, what happens in them. */
#ifndef REQPROF_TRACK_TURNS_H
#define REQPROF_TRACK_TURNS_H

#include <stdbool.h>

#include "preload/track/request.h"

/*
 * The thread goes to wait for new work, or turns to another request, and its own is not done: that
 * is how an event loop is known. (A thread of a pool may have waited in a lock for the other one, or
 * taken it from a queue, and its own be another thread's by now.) True when it is one from now on.
 */
bool turns_look_for_loop(bool waits);
/*
 * A thread that has one connection at a time answers its pipelined requests one after the other. An event
 * loop may run all their handlers before it writes the first answer.
 */
void turns_look_for_pipeline(void);

void turns_begin(void);
/* The thread goes to wait for new work. */
void turns_end(void);
/*
 * In the middle of a turn the thread goes to sleep until another one wakes it, which may take as long as a pool's
 * threads have nothing to do: nothing is kept from being finished by it meanwhile. The turn goes on afterwards.
 */
void turns_sleep(void);
void turns_woken(void);
/* Something was read or written for r. Takes over one reference. */
void turns_event(struct request *r, bool before, bool after, bool sent);

/* An upstream has been asked what this request asks; NULL: what none asks that has begun. */
void turns_passed_on(const struct request *r);

void turns_leave(void);
void turns_postfork_child(void);

#endif
