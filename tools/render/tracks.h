/*
 * Threads over many requests: the timelines of requests that a thread worked for, one after the
 * other. Where a thread worked for several at a time (event loops) it gets one track more.
 */
#ifndef REQPROF_RENDER_TRACKS_H
#define REQPROF_RENDER_TRACKS_H

#include "tools/model/timeline.h"

struct track_part {
	uint32_t request;
	const struct thread_line *line;
	int64_t start_ns, end_ns; /* unix time, of its pieces */
};

struct track {
	int pid;
	uint32_t thread, number;  /* number: 1, and 2, 3 ... of further ones of the same thread */
	struct track_part *parts; /* in order, not overlapping */
	size_t n_parts;
};

struct tracks {
	struct track *tracks; /* by process, thread and number */
	size_t n_tracks;
	struct timeline **timelines; /* of each request */
	uint32_t n_requests;
};

struct tracks *tracks_make(const struct model *m);
void tracks_free(struct tracks *t);

#endif
