#include "tools/render/cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

static int status_of(const struct request *r, bool by_status)
{
	return by_status ? r->status : 0;
}

struct keyed {
	const struct request *request;
	uint32_t index; /* in model->requests */
	int status;
};

static int compare_keys(const struct keyed *a, const struct keyed *b)
{
	int order = strcmp(a->request->method, b->request->method);

	if (!order)
		order = strcmp(a->request->route, b->request->route);
	return order ? order : (a->status > b->status) - (a->status < b->status);
}

static int compare_requests(const void *left, const void *right)
{
	const struct keyed *a = left, *b = right;
	int order = compare_keys(a, b);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* Fills c->groups; returns the group of each request. */
static uint32_t *group_requests(struct cells *c, const struct model *m, bool by_status)
{
	struct keyed *keys = errors_alloc(m->n_requests, sizeof(*keys));
	uint32_t *group_of = errors_alloc(m->n_requests, sizeof(*group_of));

	for (uint32_t i = 0; i < m->n_requests; i++)
		keys[i] =
			(struct keyed){ &m->requests[i], i, status_of(&m->requests[i], by_status) };
	qsort(keys, m->n_requests, sizeof(*keys), compare_requests);
	c->groups = errors_alloc(m->n_requests, sizeof(*c->groups));
	for (uint32_t i = 0; i < m->n_requests; i++) {
		if (i == 0 || compare_keys(&keys[i - 1], &keys[i]) != 0)
			c->groups[c->n_groups++] =
				(struct group){ keys[i].request->method, keys[i].request->route,
						keys[i].status, 0 };
		c->groups[c->n_groups - 1].n_requests++;
		group_of[keys[i].index] = (uint32_t)c->n_groups - 1;
	}
	free(keys);
	return group_of;
}

static int compare_texts(const char *a, const char *b)
{
	return a == b ? 0 : strcmp(a, b);
}

static int compare_cells(const void *left, const void *right)
{
	const struct cell *a = left, *b = right;
	int order;

	if (a->group != b->group)
		return a->group < b->group ? -1 : 1;
	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (a->state != b->state)
		return a->state < b->state ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->certainty != b->certainty)
		return a->certainty < b->certainty ? -1 : 1;
	order = compare_texts(a->on, b->on);
	return order ? order : compare_texts(a->holder, b->holder);
}

static struct cell cell_of(const struct view *v, const struct sample *s, uint32_t group, bool apart)
{
	struct cell cell = {
		.group = group,
		.node = v->node_of_stack[s->stack],
		.on = "",
		.holder = "",
		.count = s->count,
		.trips = s->trips,
	};

	memcpy(cell.values, s->values, sizeof(cell.values));
	cell.values[PROFILE_WALL] = s->share_ns;
	if (!apart)
		return cell;
	cell.state = s->state;
	cell.certainty = s->certainty;
	if (s->state == STATE_WAIT) {
		cell.kind = s->kind;
		cell.on = s->on;
		cell.holder = s->holder;
	}
	return cell;
}

static void add_cell(struct cell *to, const struct cell *from)
{
	for (size_t k = 0; k < PROFILE_VALUES; k++)
		to->values[k] += from->values[k];
	to->count += from->count;
	to->trips += from->trips;
}

struct cells *cells_make(const struct view *v, bool apart)
{
	const struct model *m = v->model;
	struct cells *c = errors_alloc(1, sizeof(*c));
	uint32_t *group_of = group_requests(c, m, apart);
	size_t kept = 0;

	c->cells = errors_alloc(m->n_samples, sizeof(*c->cells));
	for (uint32_t i = 0; i < m->n_samples; i++)
		c->cells[i] = cell_of(v, &m->samples[i], group_of[m->samples[i].request], apart);
	free(group_of);
	qsort(c->cells, m->n_samples, sizeof(*c->cells), compare_cells);
	for (uint32_t i = 0; i < m->n_samples; i++) {
		struct cell *last = kept ? &c->cells[kept - 1] : NULL;

		if (!last || compare_cells(last, &c->cells[i]) != 0)
			c->cells[kept++] = c->cells[i];
		else
			add_cell(last, &c->cells[i]);
	}
	c->n_cells = kept;
	return c;
}

void cells_free(struct cells *c)
{
	if (!c)
		return;
	free(c->groups);
	free(c->cells);
	free(c);
}

char *cells_group_name(const struct group *g)
{
	char *name = NULL;

	if (asprintf(&name, "%s %s", *g->method ? g->method : "?", *g->route ? g->route : "?") < 0)
		return errors_strdup("?");
	return name;
}
