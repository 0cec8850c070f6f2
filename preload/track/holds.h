/*
 * Who still works for a request: its end, until a quiet moment, and each thread that has it as its
 * current one. Who lets go last announces it as finished.
 */
#ifndef REQPROF_TRACK_HOLDS_H
#define REQPROF_TRACK_HOLDS_H

#include <stdbool.h>

#include "preload/track/request.h"

/* False when it has been announced as finished. */
bool holds_take(struct request *r);
void holds_drop(struct request *r);
/* Lets go of the hold that its end has, whoever comes first. */
void holds_release(struct request *r);

#endif
