/* The file format of speedscope.app: one profile for each request and thread. */
#ifndef REQPROF_RENDER_SPEEDSCOPE_H
#define REQPROF_RENDER_SPEEDSCOPE_H

#include <stdio.h>

#include "tools/model/view.h"

/*
 * JSON. A profile is named "GET /path 36.1 ms 200 (PID-COUNTER)", with " thread N" when several
 * worked for the request. PROFILE_WALL gives its timeline (tools/model/timeline.h) from 0 to its
 * wall time; the others give its samples in the order of time, with their values as weights
 * (nanoseconds, or for PROFILE_SAMPLES a number without unit). A frame is a function, with its first line.
 */
void speedscope_render(const struct view *v, enum profile_value by, FILE *out);

#endif
