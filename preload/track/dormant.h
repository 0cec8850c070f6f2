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

/* What a step of a connection was to it. */
enum dormant_step {
	DORMANT_WAKES,  /* it is awake: the bytes are to be followed */
	DORMANT_PASSES, /* to be passed over */
	DORMANT_HEAD,   /* the same, and a request seems to begin with them: told by what was sent before, so one
			 * that is pipelined behind another is missed */
};

/*
 * The host has read (or sent) these bytes, NULL: unknown ones, on a connection or an outbound socket: does it sleep?
 * off: is profiling? Asked only if that matters; NULL: never. Needs no lock.
 */
enum dormant_step dormant_step(struct endpoint *e, const void *bytes, size_t len, bool sent,
			       bool (*off)(void));

/* The host has read bytes on a connection that is awake and locked, while profiling is off: does it fall asleep? Then
 * they are a head's, as it seems. */
bool dormant_falls(struct connection *c);

#endif
