/*
 * The end of an event loop's turn: whose the samples, waits and CPU time of the turn were, when all that is to be known
 * of it has happened. On the loop's own thread, outside of the signal handler.
 */
#ifndef REQPROF_SETTLE_H
#define REQPROF_SETTLE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sample/held.h"
#include "preload/track/track.h"

enum { SERVED_MAX = 32 }; /* different connections that coroutines of one turn are known to work for */

/* One of those, as it is when the turn is over. */
struct served {
	int fd;
	const struct connection *connection;
	struct request *open; /* kept */
};

/* A turn while it is settled. */
struct settling {
	struct turn *turn;
	struct sample_thread *thread;
	struct held *held;
	bool waits;
	uintptr_t loop_stack; /* the data stack of the loop itself: another is a greenlet's */
	uint64_t end_ns, end_cpu_ns;
	uint64_t nobodys_samples, nobodys_ns, nobodys_waits;
	unsigned n_served;
	struct served served[SERVED_MAX];
};

/* Gives the turn's work to whom it belongs; what is nobody's is counted in *s. held NULL: there are no samples. */
void settle_turn(struct settling *s);
/* Lets go of what that kept. */
void settle_done(struct settling *s);

#endif
