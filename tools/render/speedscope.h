/* The file format of speedscope.app: one profile a request, in the order of time. */
#ifndef REQPROF_RENDER_SPEEDSCOPE_H
#define REQPROF_RENDER_SPEEDSCOPE_H

#include <stdio.h>

#include "tools/model/view.h"

/*
 * JSON. A profile is named "GET /path 36.1 ms 200 (PID-COUNTER)"; its samples come with weights in
 * nanoseconds (a number without unit for PROFILE_SAMPLES). A frame is a function, with its first line.
 */
void speedscope_render(const struct view *v, enum profile_value by, FILE *out);

#endif
