/*
 * What a thread's work for a request leaves in it, and in the counters: shared by what connects the
 * rooms for threads with one request at a time (requests.c) and with several (loop.c).
 */
#ifndef REQPROF_PRELOAD_WORK_H
#define REQPROF_PRELOAD_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sample/sample.h"
#include "preload/settings.h"
#include "preload/track/request.h"

void work_configure(const struct settings *settings);

/* The calling thread's means of sampling, as the settings are now; *made: just now. NULL: no memory. */
struct sample_thread *work_thread(bool *made);

/* The thread works for r: what the profile says of threads and clocks. */
void work_note(struct request *r, const struct sample_thread *thread);
/* After some sampling: tells the counters, and looks for modules that the handler has missed. */
void work_told(struct sample_thread *thread);

#endif
