/*
 * Does a request leave a file? The settings and rules say so at its beginning and at its end; then it is
 * written, within the disk budget, and not while the disk stands still. All is counted.
 */
#ifndef REQPROF_PRELOAD_KEEPING_H
#define REQPROF_PRELOAD_KEEPING_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/sample/sample.h"
#include "preload/settings.h"
#include "preload/sigsafe/stacks.h"
#include "preload/track/request.h"

/* *settings must stay. */
void keeping_configure(const struct settings *settings);
/* This process, when it starts and in each forked child. */
void keeping_process(uint32_t pid, uint64_t start_unix_ns);

/* By the filter, of a request whose head is known. */
bool keeping_filtered_out(const struct request *r);
/* Once it has ended: is it certain that it leaves no file? */
bool keeping_unwanted(struct request *r);
/* For sample_thread's near_ns. */
uint64_t keeping_near_ns(void);

/* It has ended, with these stacks: writes its file, if it is to have one. On the host's thread, outside handlers. */
void keeping_finished(struct request *r, const struct stacks *stacks, struct sample_thread *thread);

#endif
