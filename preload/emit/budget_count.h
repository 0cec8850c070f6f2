/* What a directory holds when a server starts: once for all its processes, by the first to write. */
#ifndef REQPROF_EMIT_BUDGET_COUNT_H
#define REQPROF_EMIT_BUDGET_COUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "format/control.h"

/* True for one caller, who counts; also when the one who began has not ended for long. */
bool budget_count_begin(struct control_budget *shared);
/*
 * Adds the profiles that are older than shared->since_ns to the budget, and their names to the queue
 * (open as fd), in front of all others and in order of age. Also removes temporary files that killed processes
 * left. At most BUDGET_COUNT_MAX files; those beyond stay where they are, uncounted.
 */
void budget_count(struct control_budget *shared, const char *directory, int fd);
void budget_count_end(struct control_budget *shared);

/* Unix, by the clock that files get their times from: what is compared with shared->since_ns. */
uint64_t budget_now_ns(void);

enum { BUDGET_COUNT_MAX = CONTROL_QUEUE_MAX };

#endif
