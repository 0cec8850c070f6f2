/*
 * Connections while profiling is switched off. Between two requests of HTTP/1 one falls asleep: nothing is parsed,
 * no request is made, and what the host reads and writes there costs a few instructions. Once profiling is on
 * again it is followed from the next head on.
 */
#ifndef REQPROF_TRACK_DORMANT_H
#define REQPROF_TRACK_DORMANT_H

#include <stdbool.h>
#include <stddef.h>

#include "preload/track/connection.h"

/*
 * The host has read (or sent) these bytes, NULL: unknown ones, on a connection that is locked: are they to be
 * passed over? off: profiling is. *head is set if a request seems to begin with them: told by what was
 * sent before, so one that is pipelined behind another is missed.
 */
bool dormant_passes(struct connection *c, const void *bytes, size_t len, bool sent, bool off,
		    bool *head);

#endif
