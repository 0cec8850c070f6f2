#include "tools/model/totals.h"

#include <stdlib.h>
#include <string.h>

#include "tools/base/errors.h"
#include "tools/model/language.h"

static void add_sample(const struct sample *s, bool python, struct totals *t)
{
	t->wall_ns += s->share_ns;
	if (s->ticks) {
		t->ticked_ns += s->share_ns;
		t->ticked_cpu_ns += s->values[PROFILE_CPU];
	}
	switch (s->state) {
	case STATE_USER:
		t->sampled_ns += s->values[PROFILE_CPU];
		t->user_ns += s->share_ns;
		if (python)
			t->python_ns += s->share_ns;
		break;
	case STATE_KERNEL:
		t->kernel_ns += s->share_ns;
		t->kernel_samples += s->ticks;
		if (s->ticks)
			t->kernel_sampled_ns += s->share_ns;
		break;
	case STATE_WAIT:
		t->wait_ns += s->share_ns;
		if (s->kind == WAIT_GIL)
			t->gil_ns += s->share_ns;
		break;
	case STATE_RUNNABLE:
		t->runnable_ns += s->share_ns;
		break;
	case STATE_REST:
	case STATES:
		t->rest_ns += s->share_ns;
		break;
	}
	t->inferred += s->certainty != CERTAIN;
}

static void add_request(const struct model *m, const bool *python, const struct request *r,
			struct totals *t)
{
	for (uint32_t i = r->first_sample; i < r->first_sample + r->n_samples; i++)
		add_sample(&m->samples[i], python[m->samples[i].stack], t);
	t->overlap_ns += r->overlap_ns;
	t->overlapped += r->overlap_ns > 0;
	t->cpu_ns += r->cpu_ns;
	if (r->period_ns > 0)
		t->ticks += (double)r->cpu_ns / (double)r->period_ns;
	t->samples += r->samples;
	t->incomplete += r->incomplete;
	t->lost += r->lost;
	t->wait_count += r->wait_count;
	t->round_trips += r->round_trips;
	t->faults += r->faults;
	t->major_faults += r->major_faults;
	t->preempted += r->preempted;
	t->children += r->children;
	t->threads_started += r->threads_started;
	t->gil_free += r->gil_free;
	if (r->queued_ns >= 0) {
		t->queued_ns += r->queued_ns;
		t->queued++;
	}
	t->waits_off += r->waits_off;
	t->not_split += !r->split;
	t->no_runnable += !r->runnable_known;
	if (!t->requests || r->wall_ns < t->wall_min_ns)
		t->wall_min_ns = r->wall_ns;
	if (r->wall_ns > t->wall_max_ns)
		t->wall_max_ns = r->wall_ns;
	t->requests++;
}

void totals_of(const struct model *m, struct totals *t)
{
	bool *python = language_python(m);

	*t = (struct totals){ 0 };
	for (uint32_t i = 0; i < m->n_requests; i++)
		add_request(m, python, &m->requests[i], t);
	free(python);
}

struct interval totals_user_interval(const struct totals *t)
{
	double n = t->ticks > (double)t->samples ? t->ticks : (double)t->samples;

	return interval_of((double)t->samples, n);
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
	bool *python = language_python(m);
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
		add_request(m, python, r, &routes[n - 1].totals);
	}
	qsort(routes, n, sizeof(*routes), compare_walls);
	free(order);
	free(python);
	*out = routes;
	return n;
}
