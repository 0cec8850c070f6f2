/*
 * Collapsed stacks: a line "root;child;leaf NUMBER" for each distinct one, as flamegraph.pl, inferno
 * and speedscope read them.
 */
#ifndef REQPROF_RENDER_COLLAPSED_H
#define REQPROF_RENDER_COLLAPSED_H

#include <stdio.h>

#include "tools/model/view.h"

/*
 * The root is the request's method and route. Numbers are samples, or microseconds for the other
 * values, rounded so that they still add up; lines that come out as 0 are left out. A Python frame
 * reads "qualified.name (package/file.py:FIRST LINE)", a native one as its symbol. In names ';', line
 * ends and other control characters become '_'.
 */
void collapsed_render(const struct view *v, enum profile_value by, FILE *out);

#endif
