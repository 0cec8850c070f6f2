/*
 * What tracking keeps for each thread, and the few counts of the process: read and written by the files
 * behind track.h, which are called by the hooks on that thread.
 */
#ifndef REQPROF_TRACK_SELF_H
#define REQPROF_TRACK_SELF_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/track/connection.h"
#include "preload/track/request.h"
#include "preload/track/track.h"
#include "preload/track/turn.h"

/* The thread's own: nobody else touches it. Both requests hold a reference; current also a hold. */
struct track_self {
	struct request *current;
	struct request *ended; /* ended on this thread, to be let go at its next quiet moment */
	uint32_t tid;          /* 0: not asked for yet */
	/* The secure connection that ciphertext was last written to; only compared. NULL when a write of
	 * plain text begins. */
	const struct connection *flushed;
	uint64_t io_ns; /* when the call ended whose bytes are followed, if the hook knows; 0: it does not */
	int reading; /* the descriptor whose bytes are being followed, plus 1; 0: none, or not received from it */
	const struct connection *followed; /* whose bytes those are; NULL: several requests' at a time, or none */
	bool several;      /* what is being followed is several requests' */
	bool polls;        /* it has waited for descriptors that bring work, as event loops do */
	bool keeps;        /* for several, with a client's connection among them: it may have more than one at a time */
	bool blocked;      /* it has waited in a lock since it took up `current` */
	bool stray;        /* nobody knows for whom it works: maybe for `current`; its sampling is the stray's */
	bool seen;         /* it has been asked whether it came to be in a pool */
	bool parked;       /* it waits in a lock: there is no hold on `current` */
	struct turn *turn; /* not NULL: the thread serves several requests at a time, and `current` stays NULL */
};
extern __thread struct track_self track_self;

extern const struct track_callbacks *track_callbacks; /* NULL: tracking is off */

extern uint32_t track_requests_open;  /* atomic: of those that are profiled */
extern uint32_t track_requests_alive; /* atomic: begun and not ended, profiled or not */

#endif
