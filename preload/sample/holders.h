/*
 * Which request does the thread with this Python thread state work for? Asked when a thread finds
 * the GIL held. One entry a sampled thread, in memory that stays, written by that thread (the thread
 * state also by its signal handler), read by any.
 */
#ifndef REQPROF_SAMPLE_HOLDERS_H
#define REQPROF_SAMPLE_HOLDERS_H

#include <stdint.h>

enum { HOLDERS_MAX = 1024 };

struct holder {
	uintptr_t state; /* atomic: the thread's Python thread state, as last seen; 0: not seen */
	void *request;	 /* atomic: NULL: none */
	uint32_t taken;	 /* atomic: 0 or 1 */
};

/* An entry for the calling thread; NULL when there are too many. Give it back at the thread's end. */
struct holder *holders_claim(void);
void holders_release(struct holder *holder); /* NULL is fine */

/* The request of the thread with this state, or NULL. It may be over by now: see request_try_ref. */
void *holders_find(uintptr_t state);

/* In a forked child: only the calling thread is left; its entry, or NULL. */
void holders_postfork_child(struct holder *own);

#endif
