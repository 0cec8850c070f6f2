/* What has to be there before a request can be sampled: at a process's first, and looked after from time to time. */
#ifndef REQPROF_PRELOAD_PREPARE_H
#define REQPROF_PRELOAD_PREPARE_H

#include <stdint.h>

#include "preload/settings.h"

void prepare_configure(const struct settings *settings);

/* What the handler will need and cannot get for itself. now_ns: CLOCK_MONOTONIC, about. Cheap when nothing is due. */
void prepare_handler(uint64_t now_ns);

/* A forked child's first request prepares for itself. */
void prepare_postfork_child(void);

#endif
