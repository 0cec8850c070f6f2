/* The parts of `reqprof report`: what it knows, and the two ways of saying it. */
#ifndef REQPROF_TOOLS_CMD_REPORT_H
#define REQPROF_TOOLS_CMD_REPORT_H

#include <stdbool.h>

#include "tools/model/totals.h"
#include "tools/model/view.h"

struct report {
	const struct model *model;
	const struct view *view;
	/*
	 * What lines are read from: in a mixed report that has Python, the Python view, so that a
	 * line's time is all that it spends in itself and in the native code it calls. Else the
	 * same as view.
	 */
	const struct view *line_view;
	enum view_mode mode;
	enum profile_value by; /* PROFILE_CPU or PROFILE_WALL: what shares are of */
	uint32_t limit;	       /* rows of a table; 0: all */
	double min_percent;    /* of the tree */
	bool tree;
	uint32_t n_hidden;
};

/* On standard output. */
void report_text(const struct report *r);
void report_json(const struct report *r);

#endif
