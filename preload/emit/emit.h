/*
 * A finished request becomes calls on format/profile_write and one file. Runs on the host's thread
 * after the request's last byte, outside the signal handler; no allocation.
 */
#ifndef REQPROF_EMIT_EMIT_H
#define REQPROF_EMIT_EMIT_H

#include <stddef.h>
#include <stdint.h>

#include "preload/emit/budget.h"
#include "preload/emit/parts.h"
#include "preload/sample/clock.h"
#include "preload/sigsafe/stacks.h"
#include "preload/track/request.h"

enum { EMIT_SCRATCH = 2 * 1024 * 1024 };

struct emit_job {
	const struct request *request;
	const struct stacks *stacks; /* a list, no longer written to */
	const char *directory;
	uint32_t pid;
	uint64_t process_start_ns; /* since 1970 */
	uint64_t counter;
	enum clock_kind clock;
	int clock_error;
	uint32_t rate, kernel_rate;
	const char *python;
	uint32_t kept;           /* enum keep_rule: why it is written */
	struct budget *budget;   /* with room for one file taken; given back when there is no file in the end */
	void *scratch; /* EMIT_SCRATCH bytes, page-aligned, content of no interest */
	struct parts parts; /* out */
};

/* Writes the profile. 0, or -errno: then there is no file. */
int emit_profile(struct emit_job *job);

#endif
