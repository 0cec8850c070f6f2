#include "tools/model/spread.h"

#include <math.h>
#include <stdlib.h>

#include "tools/base/errors.h"

/* Requests of one route, as indices. */
struct route {
	const uint32_t *requests;
	uint32_t n;
};

/* How the CPU time of a route is dealt out. */
struct deal {
	long double on_cpu; /* wall time on the CPU, exact */
	long double user, kernel; /* what the ticks in each stand for */
	long double unsampled;
	long double user_factor, kernel_factor, unsampled_factor;
	/* running sums, so that rounding never adds up */
	long double given, rounded;
};

/* Several threads at a time: the file's wall values are smaller by this than what they stand for. */
static long double scale_of(const struct request *r)
{
	int64_t whole = r->wall_ns + r->overlap_ns;

	return whole > 0 ? (long double)r->wall_ns / (long double)whole : 1;
}

static bool is_on_cpu(const struct sample *s)
{
	return s->state == STATE_USER || s->state == STATE_KERNEL;
}

/* Ticks in user code are ten times as many as those in the kernel, which share what is left. */
static struct deal reckon(const struct model *m, const struct route *route)
{
	struct deal d = { .user_factor = 1, .kernel_factor = 1, .unsampled_factor = 1 };
	long double left;

	for (uint32_t i = 0; i < route->n; i++) {
		const struct request *r = &m->requests[route->requests[i]];
		long double scale = scale_of(r);

		for (uint32_t j = r->first_sample; j < r->first_sample + r->n_samples; j++) {
			const struct sample *s = &m->samples[j];

			if (!is_on_cpu(s))
				continue;
			d.on_cpu += (long double)s->values[PROFILE_WALL];
			if (s->ticks)
				*(s->state == STATE_USER ? &d.user : &d.kernel) +=
					scale * (long double)s->values[PROFILE_CPU];
			else
				d.unsampled += (long double)s->values[PROFILE_WALL];
		}
	}
	if (d.user > 0 && (d.user > d.on_cpu || (d.kernel <= 0 && d.unsampled <= 0)))
		d.user_factor = d.on_cpu / d.user;
	left = fmaxl(0, d.on_cpu - d.user_factor * d.user);
	if (d.kernel > 0 && (d.kernel > left || d.unsampled <= 0))
		d.kernel_factor = left / d.kernel;
	left = fmaxl(0, left - d.kernel_factor * d.kernel);
	if (d.unsampled > 0)
		d.unsampled_factor = left / d.unsampled;
	return d;
}

static long double given(const struct deal *d, const struct sample *s, long double scale)
{
	if (!s->ticks)
		return d->unsampled_factor * (long double)s->values[PROFILE_WALL];
	return (s->state == STATE_USER ? d->user_factor : d->kernel_factor) * scale *
	       (long double)s->values[PROFILE_CPU];
}

static void deal_out(struct model *m, const struct route *route)
{
	struct deal d = reckon(m, route);

	for (uint32_t i = 0; i < route->n; i++) {
		const struct request *r = &m->requests[route->requests[i]];
		long double scale = scale_of(r);

		for (uint32_t j = r->first_sample; j < r->first_sample + r->n_samples; j++) {
			struct sample *s = &m->samples[j];
			long double before = d.rounded;

			if (!is_on_cpu(s))
				continue;
			d.given += given(&d, s, scale);
			d.rounded = roundl(d.given);
			s->share_ns = (int64_t)(d.rounded - before);
		}
	}
}

static const char *route_of(const struct request *r)
{
	return *r->route ? r->route : r->path;
}

/* Texts are pooled, so that comparing addresses groups equal ones; within a route in order. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct model *m = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct request *x = &m->requests[i], *y = &m->requests[j];

	if (route_of(x) != route_of(y))
		return route_of(x) < route_of(y) ? -1 : 1;
	if (x->method != y->method)
		return x->method < y->method ? -1 : 1;
	return i < j ? -1 : i > j;
}

void model_spread(struct model *m)
{
	uint32_t *order = errors_alloc(m->n_requests, sizeof(*order));
	uint32_t first = 0;

	for (uint32_t i = 0; i < m->n_requests; i++)
		order[i] = i;
	qsort_r(order, m->n_requests, sizeof(*order), compare, m);
	for (uint32_t i = 1; i <= m->n_requests; i++) {
		const struct request *a = &m->requests[order[first]];
		const struct request *b = i < m->n_requests ? &m->requests[order[i]] : NULL;
		struct route route = { order + first, i - first };

		if (b && a->method == b->method && route_of(a) == route_of(b))
			continue;
		if (route.n > 1)
			deal_out(m, &route);
		first = i;
	}
	free(order);
}
