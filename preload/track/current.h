/* The request that the calling thread works for, where it serves one at a time: taken up, parked, put down. */
#ifndef REQPROF_TRACK_CURRENT_H
#define REQPROF_TRACK_CURRENT_H

#include <stdbool.h>

#include "preload/track/request.h"

/* Takes over one reference to r. begins: it did so with this call. */
void current_take_up(struct request *r, bool begins);
void current_put_down(void);
/* Awake again, or something is done in a signal handler of the host's meanwhile. */
void current_unpark(void);
/* A request that another thread has ended is no longer ours to work for. */
void current_notice_ended(void);
/* A quiet moment: the client has its answer. */
void current_let_go_of_ended(void);
/* The thread is about to wait for new work. */
void current_quiet(void);

/* Has the thread anything that a wait for new work puts down? */
bool current_has_work(void);
/* The request that the calling thread works for at this moment, as far as that is known; NULL: none. */
struct request *current_working_for(void);

#endif
