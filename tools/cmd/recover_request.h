/* What is known of an interrupted request in a live file, worked out before anything is written. */
#ifndef REQPROF_TOOLS_CMD_RECOVER_REQUEST_H
#define REQPROF_TOOLS_CMD_RECOVER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "format/live_read.h"

/* A year: no clock says more. */
static const uint64_t RECOVER_LONGEST_NS = UINT64_C(31536000000000000);

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

/* Was this thread at work for it? */
bool recover_works_for(const struct recover_request *r, const struct live_tree_in *t);
/* A time in the request, whatever stands there. */
uint64_t recover_within(const struct recover_request *r, uint64_t at_ns);
/* How long a wait was, and the one that the thread was in, if any: no more than the request. */
int64_t recover_wait_ns(const struct recover_request *r, const struct live_wait *w);
int64_t recover_waiting_ns(const struct recover_request *r, const struct live_tree_in *t);
int64_t recover_at_most(uint64_t ns, int64_t most);

/* The function of a Python frame, NULL if it is not known or the frame is none; and its line there. */
const struct live_code_in *recover_code_of(const struct live_in *in, uint64_t key);
int recover_line_of(const struct live_code_in *code, uint64_t key);

#endif
