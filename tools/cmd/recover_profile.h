/* One request of a live file becomes a profile, as the library would have written it. */
#ifndef REQPROF_TOOLS_CMD_RECOVER_PROFILE_H
#define REQPROF_TOOLS_CMD_RECOVER_PROFILE_H

#include <stdint.h>

#include "format/live_read.h"
#include "format/profile.h"

/* What is known of it, worked out before anything is written. */
struct recover_request {
	const struct live_in *in;
	const struct live_request_in *request;
	uint64_t counter; /* in its file's name */
	/* wall = user + kernel + wait + rest - overlap, in nanoseconds. */
	uint64_t end_ns; /* the last moment that anything is known of */
	int64_t wall, user, kernel, wait, rest, overlap;
	int64_t gil, idle, prepared, period, kernel_period;
	uint64_t kernel_samples, kernel_lost;
	uint64_t samples, incomplete, lost, nested, waits, waits_lost, trips;
	char inside[512]; /* the Python function that it was in last, with file and line; or "" */
};

void recover_request_of(struct recover_request *r, const struct live_in *in,
			const struct live_request_in *request, uint64_t counter);

/* Writes the profile to the sink. 0 or -errno. */
int recover_profile_write(const struct recover_request *r, profile_sink sink, void *arg);

#endif
