/*
 * What cProfile's dump_stats writes and Python's pstats, snakeviz, tuna and gprof2dot read: one
 * marshalled dict of functions, each with the functions that called it.
 */
#ifndef REQPROF_RENDER_PSTATS_H
#define REQPROF_RENDER_PSTATS_H

#include <stdio.h>

#include "tools/model/view.h"

enum pstats_natives {
	PSTATS_ALL,    /* every frame of the view */
	PSTATS_CALLED, /* of native frames only the function that the last Python function called
			  outside the interpreter, as cProfile shows built-ins: what is below it is
			  its time, what the interpreter does itself is the Python function's.
			  Stacks without Python stay whole. For VIEW_MIXED */
};

/*
 * Keys: (file, first line, code's name) of Python functions, as in cProfile; ('~', 0, "<memcpy in
 * libc.so.6>") of native ones; ("<request>", 0, "GET /users/{id}") for the root of each method and
 * route, and above several of them ("<request>", 0, "3 requests"). Times are values[by] in seconds
 * (plain numbers for PROFILE_SAMPLES). A function's cumulative time and its count of calls take a
 * stack once however often it is in it; a call stands for a sample or a wait, and nothing has less than one.
 */
void pstats_render(const struct view *v, enum profile_value by, enum pstats_natives natives,
		   FILE *out);

#endif
