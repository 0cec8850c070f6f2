/* The parts of `reqprof report`: what it knows, and the two ways of saying it. */
#ifndef REQPROF_TOOLS_CMD_REPORT_H
#define REQPROF_TOOLS_CMD_REPORT_H

#include <stdbool.h>

#include "tools/model/totals.h"
#include "tools/model/view.h"

struct report {
	const struct model *model;
	/* Waits belong to the frames that waited (view_make_folded); the tree has them as leaves. */
	const struct view *view;
	const struct view *tree_view;
	/*
	 * What lines are read from: in a mixed report that has Python, the Python view, so that a
	 * line's time is all that it spends in itself and in the native code it calls. Else the
	 * same as view.
	 */
	const struct view *line_view;
	struct totals totals;
	enum view_mode mode;
	enum profile_value by; /* PROFILE_CPU, PROFILE_WAIT or PROFILE_WALL: what shares are of */
	uint32_t limit;	       /* rows of a table; 0: all */
	double min_percent;    /* of the tree */
	bool tree, waits;
	uint32_t n_hidden;
};

/*
 * Where the truth about a value lies with 95 % probability that stands on so many ticks: what is
 * exact in it (waits) is exact.
 */
struct bounds {
	double low, high; /* ns */
};
struct bounds report_bounds(const struct report *r, int64_t value, int64_t ticks);

/* On standard output. */
void report_text(const struct report *r);
void report_json(const struct report *r);
/* Parts of report_text: what was measured, the tables of --waits, what was set going. */
void report_head(const struct report *r);
void report_waits(const struct report *r);
void report_children(const struct report *r);
/* An empty line and a bold one. */
void report_heading(const char *text);
/* "models.py:88", "libz.so.1", or nothing. */
void report_place(const struct function *f, int32_t line);

#endif
