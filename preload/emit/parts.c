#include "preload/emit/parts.h"

static void parts_count_samples(const struct request *r, const struct stacks *s,
				struct parts *parts)
{
	parts->lost += s->lost;
	parts->nested += s->nested;
	parts->kernel_lost += s->kernel_lost;
	for (uint32_t i = 0; i < s->n_samples; i++) {
		/* Found out only when a close told where the end was. */
		if (s->samples[i].flags & STACK_KERNEL) {
			parts->kernel_samples += s->samples[i].at_ns <= r->end_ns;
		} else if (s->samples[i].at_ns > r->end_ns) {
			parts->tail++;
		} else {
			parts->samples++;
			parts->incomplete += (s->samples[i].flags & STACK_INCOMPLETE) != 0;
		}
	}
}

uint64_t parts_wait_ns(const struct request *r, const struct wait_record *wait)
{
	if (wait->at_ns >= r->end_ns)
		return 0;
	/* A single one that the end cut: the time off the CPU lies at its beginning. */
	if (!wait->summed && wait->end_ns > r->end_ns && wait->ns > r->end_ns - wait->at_ns)
		return r->end_ns - wait->at_ns;
	return wait->ns;
}

static void parts_count_waits(const struct request *r, const struct waits *w, struct parts *parts)
{
	parts->waits_lost += w->lost;
	for (uint32_t i = 0; i < w->count; i++) {
		const struct wait_record *wait = &w->records[i];
		int64_t ns = (int64_t)parts_wait_ns(r, wait);

		if (wait->at_ns >= r->end_ns)
			continue;
		parts->waits += wait->count;
		parts->trips += wait->trips;
		parts->wait += ns;
		if (wait->kind == WAIT_GIL)
			parts->gil += ns;
	}
}

enum { PREPARED_MIN_NS = 100000 }; /* what every request costs is left unaccounted */

static int64_t parts_prepared(const struct request *r)
{
	uint64_t wall = r->end_ns - r->start_ns;

	if (!r->waits || r->prepared_ns < PREPARED_MIN_NS)
		return 0;
	return (int64_t)(r->prepared_ns < wall ? r->prepared_ns : wall);
}

/* Up to its end: afterwards nobody needs to work for it. */
static int64_t parts_idle(const struct request *r)
{
	uint64_t idle = r->idle_ns;

	if (!r->waits)
		return 0;
	if (r->idle_since_ns && r->idle_since_ns < r->end_ns)
		idle += r->end_ns - r->idle_since_ns;
	idle -= r->looped_ns < idle ? r->looped_ns : idle;
	return (int64_t)(idle < r->end_ns - r->start_ns ? idle : r->end_ns - r->start_ns);
}

void parts_of(const struct request *r, const struct stacks *stacks, int64_t period_ns,
	      struct parts *parts)
{
	int64_t sampled, tail, left;

	*parts = (struct parts){ .wall = (int64_t)(r->end_ns - r->start_ns) };
	for (const struct stacks *s = stacks; s; s = s->next) {
		parts_count_samples(r, s, parts);
		parts_count_waits(r, &s->waits, parts);
	}
	parts->idle = parts_idle(r);
	parts->prepared = parts_prepared(r);
	parts->wait += parts->idle + parts->prepared;

	tail = (int64_t)parts->tail * period_ns;
	parts->cpu = (int64_t)r->cpu_ns > tail ? (int64_t)r->cpu_ns - tail : 0;
	sampled = (int64_t)parts->samples * period_ns;
	parts->user = sampled < parts->cpu ? sampled : parts->cpu;
	parts->kernel = parts->cpu - parts->user;

	left = parts->wall - parts->cpu - parts->wait;
	if (left < 0) {
		parts->overlap = -left;
		return;
	}
	parts->runnable = (int64_t)r->queued_ns < left ? (int64_t)r->queued_ns : left;
	parts->rest = left - parts->runnable;
}
