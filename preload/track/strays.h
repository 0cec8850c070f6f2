/*
 * Threads of pools. Where those take requests over, a thread that has no request, or has slept in a lock
 * since it did something for one, may work for any. What it writes next tells whose work that was.
 */
#ifndef REQPROF_TRACK_STRAYS_H
#define REQPROF_TRACK_STRAYS_H

#include "preload/track/request.h"

/* From now on it is not known for whom the thread works, in a process with such pools; handed: whatever the process. */
void strays_begin(bool handed);
/* It shows, or (NULL) will not. */
void strays_end(struct request *r);
/*
 * r has begun with the answer to the one before, by the calling thread: it was read together with that, and whoever is
 * given it need not read. True: whether that is this thread will show. False: it is, as far as is known.
 */
bool strays_begun(struct request *r);
/* Before what a write of r's did is announced. */
void strays_answered(struct request *r);

#endif
