/* The processed format of profiler.firefox.com: the server's threads on one time axis. */
#ifndef REQPROF_RENDER_FIREFOX_H
#define REQPROF_RENDER_FIREFOX_H

#include <stdio.h>

#include "tools/model/view.h"

/*
 * JSON, version 48 of the format, which every later viewer upgrades by itself. A track for each
 * thread with the requests that it worked for as markers, their timelines (tools/model/timeline.h)
 * as its samples, and each wait that stands alone as a marker. Categories say what time it was:
 * Python, native, kernel, wait (by kind), waiting for a CPU, unaccounted. Weights are milliseconds.
 */
void firefox_render(const struct view *v, FILE *out);

#endif
