/*
 * Connects what a thread of a pool does while it is not known for which request (track.h) with what was
 * sampled meanwhile: when that shows, samples, waits and CPU time since then are given to the request,
 * as inferred; else they are counted as nobody's.
 */
#ifndef REQPROF_PRELOAD_STRAY_H
#define REQPROF_PRELOAD_STRAY_H

#include "preload/track/request.h"

/* For struct track_callbacks. */
bool stray_begins(void);
void stray_ends(struct request *r, bool wanted);

#endif
