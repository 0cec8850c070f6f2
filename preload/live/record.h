/* What the live file says of a request, at each step of its way. Callbacks of requests.c call these. */
#ifndef REQPROF_LIVE_RECORD_H
#define REQPROF_LIVE_RECORD_H

#include "preload/live/live.h"
#include "preload/track/request.h"

/* It began: r->live is set, to NULL where there is no room. */
void record_began(struct request *r);
/* Its head is whole (kept_head_known), if that has not been told yet. */
void record_head(struct request *r);
/* A thread has taken it up, or put it down. */
void record_moved(struct request *r, uint64_t now_ns);
/* Its file will have this counter in its name. */
void record_writing(struct request *r, uint64_t counter);
/* Its file is there, or there is to be none. */
void record_over(struct request *r);

#endif
