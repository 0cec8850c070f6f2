/* What the environment says, copied when the library is loaded: hosts overwrite their environment with process titles. */
#ifndef REQPROF_PRELOAD_SETTINGS_H
#define REQPROF_PRELOAD_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "format/filter.h"
#include "format/keep.h"
#include "preload/sigsafe/handler.h"

struct settings {
	bool usable;          /* false: secure execution, or no directory can be named */
	bool enabled;
	uint32_t rate, kernel_rate;
	int signal;
	enum handler_stacks stacks;
	uint32_t wrong;       /* how many variables made no sense */
	uint64_t max_files, max_bytes;
	char keep[KEEP_TEXT_MAX];         /* a text that keep_parse takes */
	char filter[FILTER_TEXT_MAX + 8]; /* one that filter_problem has nothing against */
	bool waits;
	uint32_t wait_min_us;
	char live[128];		  /* absolute, or "off" */
	char directory[PATH_MAX]; /* absolute */
};

/* Values that make no sense are replaced by their defaults. No allocation, no file opened. */
void settings_read(struct settings *settings);

#endif
