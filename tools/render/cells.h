/*
 * What each call path got, by group of requests: the samples of a model added up. Requests of the
 * same method and route are a group; pprof tells them apart by status too,
 * and samples by what their labels say.
 */
#ifndef REQPROF_RENDER_CELLS_H
#define REQPROF_RENDER_CELLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/model/view.h"

struct group {
	const char *method, *route;
	int status; /* 0 when groups are not told apart by it */
	uint32_t n_requests;
};

struct cell {
	uint32_t group, node; /* node of the view: where these samples end */
	/* Told apart, else zero and "" */
	enum sample_state state;
	enum wait_kind kind;
	enum certainty certainty;
	const char *on, *holder;
	int64_t count, trips; /* waits, and round trips to their peers */
	int64_t values[PROFILE_VALUES];
};

struct cells {
	struct group *groups; /* by method, route and status */
	size_t n_groups;
	struct cell *cells; /* by group, node, and what else tells them apart; each once */
	size_t n_cells;
};

/* apart: by status, and by the labels of waits. */
struct cells *cells_make(const struct view *v, bool apart);
void cells_free(struct cells *c);

/* "GET /users/{id}", a new string. */
char *cells_group_name(const struct group *g);

#endif
