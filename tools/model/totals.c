#include "tools/model/totals.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"

static bool is_rest(const struct model *m, const struct sample *s)
{
	const struct stack *stack = &m->stacks[s->stack];
	const struct location *l;

	if (!s->stack || stack->parent)
		return false;
	l = &m->locations[stack->location];
	return l->kind == FRAME_PSEUDO &&
	       !strcmp(m->functions[l->function].name, PROFILE_REST_FRAME);
}

static void add_request(const struct model *m, const struct request *r, struct totals *t)
{
	for (uint32_t i = r->first_sample; i < r->first_sample + r->n_samples; i++) {
		const struct sample *s = &m->samples[i];

		t->wall_ns += s->values[PROFILE_WALL];
		t->sampled_ns += s->values[PROFILE_CPU];
		t->wait_ns += s->values[PROFILE_WAIT];
		if (is_rest(m, s))
			t->rest_ns += s->values[PROFILE_WALL];
	}
	t->user_ns = t->wall_ns - t->wait_ns - t->rest_ns;
	t->cpu_ns += r->cpu_ns;
	t->samples += r->samples;
	t->incomplete += r->incomplete;
	t->lost += r->lost;
	if (!t->requests || r->wall_ns < t->wall_min_ns)
		t->wall_min_ns = r->wall_ns;
	if (r->wall_ns > t->wall_max_ns)
		t->wall_max_ns = r->wall_ns;
	t->requests++;
}

void totals_of(const struct model *m, struct totals *t)
{
	*t = (struct totals){ 0 };
	for (uint32_t i = 0; i < m->n_requests; i++)
		add_request(m, &m->requests[i], t);
}

static const char *route_of(const struct request *r)
{
	return *r->route ? r->route : r->path;
}

/* Texts are pooled, so that comparing addresses groups equal ones; any order will do here. */
static int compare_routes(const void *a, const void *b, void *arg)
{
	const struct model *m = arg;
	const struct request *x = &m->requests[*(const uint32_t *)a];
	const struct request *y = &m->requests[*(const uint32_t *)b];

	if (route_of(x) != route_of(y))
		return route_of(x) < route_of(y) ? -1 : 1;
	return x->method < y->method ? -1 : x->method > y->method;
}

static int compare_walls(const void *a, const void *b)
{
	const struct route_totals *x = a, *y = b;
	int order;

	if (x->totals.wall_ns != y->totals.wall_ns)
		return x->totals.wall_ns > y->totals.wall_ns ? -1 : 1;
	order = strcmp(x->route, y->route);
	return order ? order : strcmp(x->method, y->method);
}

size_t totals_by_route(const struct model *m, struct route_totals **out)
{
	struct route_totals *routes = errors_alloc(m->n_requests, sizeof(*routes));
	uint32_t *order = errors_alloc(m->n_requests, sizeof(*order));
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_requests; i++)
		order[i] = i;
	qsort_r(order, m->n_requests, sizeof(*order), compare_routes, (void *)m);
	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[order[i]];

		if (!i || compare_routes(&order[i - 1], &order[i], (void *)m)) {
			routes[n].method = r->method;
			routes[n++].route = route_of(r);
		}
		add_request(m, r, &routes[n - 1].totals);
	}
	qsort(routes, n, sizeof(*routes), compare_walls);
	free(order);
	*out = routes;
	return n;
}
