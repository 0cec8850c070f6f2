/*
 * A view: the merged call tree of a named model, as one of three readers wants to see it, and the
 * sums by function and by line that follow from it.
 */
#ifndef REQPROF_TOOLS_MODEL_VIEW_H
#define REQPROF_TOOLS_MODEL_VIEW_H

#include <stddef.h>
#include <stdint.h>

#include "tools/model/model.h"

enum view_mode {
	VIEW_MIXED,  /* Python and native; the interpreter's eval-loop frames are left out */
	VIEW_PYTHON, /* Python only: native time goes to the Python function that called it */
	VIEW_NATIVE, /* native only, the eval loop included */
};
/* Pseudo frames stand in every view. A stack of which nothing is left is one of these. */
#define VIEW_NO_PYTHON "[native code, no Python]"
#define VIEW_NO_NATIVE "[Python, no native frames]"

/*
 * Node 0 is the root: no frame, its total is everything. parent < own id, so one pass from the end
 * adds up.
 */
struct view_node {
	uint32_t frame; /* in model->frames; undefined for node 0 */
	uint32_t parent;
	/* 0: none. Siblings in order of falling total wall time, then of frame id */
	uint32_t first_child, next_sibling;
	/* PROFILE_WALL are shares: tools/model/spread.h */
	int64_t self[PROFILE_VALUES], total[PROFILE_VALUES];
	int64_t self_ticks, total_ticks; /* stacks taken on the CPU that these stand on */
};

struct view {
	const struct model *model;
	struct view_node *nodes;
	uint32_t n_nodes;
	uint32_t *node_of_stack; /* model->n_stacks of them: where a sample with this stack ends */
};

/* The model must be named. It gains functions and frames for VIEW_NO_*, nothing else changes. */
struct view *view_make(struct model *m, enum view_mode mode);
/*
 * The same, but a wait belongs to the frame that waited: no "[wait: ...]" leaves where a stack was
 * taken. For tables of functions and lines, in which a line that waits must show.
 */
struct view *view_make_folded(struct model *m, enum view_mode mode);
void view_free(struct view *v);

/* A function's or a line's sums. total counts a stack once, however often the entry is in it. */
struct view_sum {
	uint32_t id; /* function or frame id */
	int64_t self[PROFILE_VALUES], total[PROFILE_VALUES];
	int64_t self_ticks, total_ticks;
};

/*
 * All entries with a value, ordered by falling self[by], then total[by], then id. The caller frees
 * *out. By function, or by place in a function (frames; an inlined copy and a plain one of a line
 * are one entry).
 */
size_t view_by_function(const struct view *v, enum profile_value by, struct view_sum **out);
size_t view_by_line(const struct view *v, enum profile_value by, struct view_sum **out);

#endif
