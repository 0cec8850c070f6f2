#include "tools/model/causes.h"

#include <stdlib.h>

#include "tools/base/errors.h"

/* A sample's stack and its line, worked out once for each stack. */
static uint32_t *lines_of_stacks(const struct model *m)
{
	uint32_t *lines = errors_alloc(m->n_stacks, sizeof(*lines));
	bool *done = errors_alloc(m->n_stacks, sizeof(*done));

	for (uint32_t i = 0; i < m->n_samples; i++) {
		uint32_t stack = m->samples[i].stack;

		if (!done[stack])
			lines[stack] = waits_line(m, stack);
		done[stack] = true;
	}
	free(done);
	return lines;
}

static void add_sample(struct cause *c, const struct sample *s)
{
	c->wall_ns += s->share_ns;
	if (s->state == STATE_USER || s->state == STATE_KERNEL) {
		c->cpu_ns += s->share_ns;
		c->ticks += s->ticks;
	} else if (s->state == STATE_WAIT) {
		c->wait_ns += s->share_ns;
		c->waits += s->count;
	}
}

static int compare(const void *a, const void *b)
{
	const struct cause *x = a, *y = b;

	if (x->wall_ns != y->wall_ns)
		return x->wall_ns > y->wall_ns ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* The first wait of each line in the list is its longest. */
static void add_waits(const struct model *m, struct cause *causes, size_t n)
{
	struct wait_sum *sums;
	size_t n_sums = waits_by_line(m, &sums);

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n_sums; j++) {
			if (sums[j].frame == causes[i].frame) {
				causes[i].most = sums[j];
				break;
			}
		}
	}
	free(sums);
}

size_t causes_of(const struct model *m, struct cause **out)
{
	/* by frame; the last is for what has no line */
	struct cause *causes = errors_alloc((size_t)m->n_frames + 1, sizeof(*causes));
	uint32_t *lines = lines_of_stacks(m);
	size_t n = 0;

	for (uint32_t i = 0; i < m->n_samples; i++) {
		uint32_t line = lines[m->samples[i].stack];

		add_sample(&causes[line == WAITS_NO_FRAME ? m->n_frames : line], &m->samples[i]);
	}
	for (uint32_t i = 0; i <= m->n_frames; i++) {
		if (!causes[i].wall_ns)
			continue;
		causes[n] = causes[i];
		causes[n++].frame = i < m->n_frames ? i : WAITS_NO_FRAME;
	}
	qsort(causes, n, sizeof(*causes), compare);
	/* who asks for causes asks for the first few */
	add_waits(m, causes, n < 16 ? n : 16);
	free(lines);
	*out = causes;
	return n;
}
