/*
 * A copy of the Python functions that have been sampled (codes.h) in the live file, as struct
 * live_code of format/live.h: of a process that is gone, it tells what its samples' numbers mean.
 */
#ifndef REQPROF_SIGSAFE_CODES_COPY_H
#define REQPROF_SIGSAFE_CODES_COPY_H

#include <stdint.h>

#include "preload/sigsafe/shared.h"

/* From now on each new one is appended at start + *used; first those that are known already. Not from the handler.
 * part and used must stay until codes_copy_stop. */
void codes_copy_start(struct shared_part *part, uint64_t *used);
void codes_copy_stop(void);

#endif
