/*
 * Connects what a thread of a pool does while it is not known for which request (track.h) with what was
 * sampled meanwhile. What it did for an item that was handed to it (handed.h) goes to whom that is of, or waits
 * with the item until this is known; the rest is the request's of which the thread writes something next, or
 * is counted as nobody's. All is said to be inferred.
 */
#ifndef REQPROF_PRELOAD_STRAY_H
#define REQPROF_PRELOAD_STRAY_H

#include "preload/track/track.h"

/* For struct track_callbacks. */
bool stray_begins(bool handed);
void stray_ends(struct request *r, bool wanted);
void stray_settles(bool all);
uintptr_t stray_item(void);
enum track_hand stray_hands(uintptr_t *item);
void stray_lost(struct handed_work *work);

/* What was done for an item that is r's, or nobody's (NULL). r is held. On any thread that samples, or may. */
void stray_give_work(struct request *r, struct handed_work *work);

#endif
