/*
 * Connects track's turns of an event loop with what was sampled in them: each sample, wait and stretch
 * of CPU time goes to the request that turn.h says, or is counted as nobody's.
 */
#ifndef REQPROF_PRELOAD_LOOP_H
#define REQPROF_PRELOAD_LOOP_H

#include <stdbool.h>

#include "preload/track/handed.h"
#include "preload/track/turn.h"

/* For struct track_callbacks. */
void loop_turn_begins(struct turn *turn);
void loop_turn_event(struct turn_event *event);
uint64_t loop_turn_task(void);
void loop_whole_task(struct handed_task *task);
bool loop_serves(int fd); /* for python.h */
void loop_turn_ends(struct turn *turn, bool waits, bool idle);

#endif
