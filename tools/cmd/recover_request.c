#include "tools/cmd/recover_request.h"

#include <stdio.h>

#include "format/code_lines.h"
#include "tools/model/model.h"

enum { PREPARED_MIN_NS = 100000, UNSEEN_NS = 1000 };

bool recover_works_for(const struct recover_request *r, const struct live_tree_in *t)
{
	return t->facts.request == r->request->number;
}

uint64_t recover_within(const struct recover_request *r, uint64_t at_ns)
{
	uint64_t start = r->request->facts.start_ns;

	return at_ns < start ? start : at_ns > r->end_ns ? r->end_ns : at_ns;
}

static void see(struct recover_request *r, uint64_t at_ns)
{
	if (at_ns > r->end_ns && at_ns - r->request->facts.start_ns < RECOVER_LONGEST_NS)
		r->end_ns = at_ns;
}

/* A wait that nobody saw the end of has a microsecond at least, so that every tool shows it. */
static void find_end(struct recover_request *r)
{
	r->end_ns = r->request->facts.start_ns;
	see(r, r->request->facts.seen_ns);
	for (size_t i = 0; i < r->in->n_trees; i++) {
		const struct live_tree_in *t = &r->in->trees[i];

		if (!recover_works_for(r, t))
			continue;
		for (size_t j = 0; j < t->n_samples; j++)
			see(r, t->samples[j].at_ns);
		for (size_t j = 0; j < t->n_waits; j++)
			see(r, t->waits[j].end_ns);
		if (t->facts.waiting_ns)
			see(r, t->facts.waiting_ns + UNSEEN_NS);
	}
}

int64_t recover_wait_ns(const struct recover_request *r, const struct live_wait *w)
{
	uint64_t most = r->end_ns - r->request->facts.start_ns;

	return (int64_t)(w->ns < most ? w->ns : most);
}

/* Of a damaged file, sums stay what can be reckoned with. */
static void add_wait(struct recover_request *r, int64_t ns)
{
	if (r->wait < (int64_t)RECOVER_LONGEST_NS)
		r->wait += ns;
}

int64_t recover_waiting_ns(const struct recover_request *r, const struct live_tree_in *t)
{
	return t->facts.waiting_ns ? (int64_t)(r->end_ns - recover_within(r, t->facts.waiting_ns))
				   : 0;
}

/* unseen: CPU time after seen_ns. */
static void add_sample(struct recover_request *r, const struct live_sample *s, int64_t *unseen)
{
	int64_t period = s->flags & LIVE_STACK_KERNEL ? r->kernel_period : r->period;

	if (s->flags & LIVE_STACK_KERNEL)
		r->kernel_samples++;
	else
		r->samples++;
	r->incomplete += (s->flags & LIVE_STACK_INCOMPLETE) != 0;
	if (s->at_ns > r->request->facts.seen_ns)
		*unseen += period;
}

static void add_tree(struct recover_request *r, const struct live_tree_in *t, int64_t *unseen)
{
	r->lost += t->facts.lost + (t->facts.n_samples - t->n_samples);
	r->nested += t->facts.nested;
	r->kernel_lost += t->facts.kernel_lost;
	r->waits_lost += t->facts.waits_lost + (t->facts.n_waits - t->n_waits);
	for (size_t i = 0; i < t->n_samples; i++)
		add_sample(r, &t->samples[i], unseen);
	for (size_t i = 0; i < t->n_waits; i++) {
		r->waits += t->waits[i].count;
		r->trips += t->waits[i].trips;
		add_wait(r, recover_wait_ns(r, &t->waits[i]));
		if (t->waits[i].kind == WAIT_GIL && r->gil < r->wait)
			r->gil += recover_wait_ns(r, &t->waits[i]);
	}
	add_wait(r, recover_waiting_ns(r, t));
	r->waits += t->facts.waiting_ns != 0;
}

int64_t recover_at_most(uint64_t ns, int64_t most)
{
	return ns < (uint64_t)most ? (int64_t)ns : most;
}

/* As preload/emit/parts.c; the CPU time since seen_ns is known by its samples alone. */
static void find_parts(struct recover_request *r)
{
	const struct live_request *facts = &r->request->facts;
	uint64_t idle = facts->idle_ns;
	int64_t unseen = 0, cpu, sampled, in_kernel, left;

	r->wall = (int64_t)(r->end_ns - facts->start_ns);
	for (size_t i = 0; i < r->in->n_trees; i++)
		if (recover_works_for(r, &r->in->trees[i]))
			add_tree(r, &r->in->trees[i], &unseen);
	if (facts->idle_since_ns && facts->idle_since_ns < r->end_ns)
		idle += r->end_ns - recover_within(r, facts->idle_since_ns);
	if (facts->waits) {
		r->idle = recover_at_most(idle, r->wall);
		r->prepared = facts->prepared_ns < PREPARED_MIN_NS
				      ? 0
				      : recover_at_most(facts->prepared_ns, r->wall - r->idle);
	}
	r->wait += r->idle + r->prepared;
	sampled = (int64_t)r->samples * r->period;
	in_kernel = (int64_t)r->kernel_samples * r->kernel_period;
	cpu = recover_at_most(facts->cpu_ns, (int64_t)RECOVER_LONGEST_NS) + unseen;
	if (cpu < sampled + in_kernel)
		cpu = sampled + in_kernel;
	if (cpu > r->wall && facts->threads <= 1)
		cpu = r->wall; /* a sample may stand for more than what has passed of its period */
	r->user = sampled < cpu ? sampled : cpu;
	r->kernel = cpu - r->user;
	left = r->wall - cpu - r->wait;
	r->rest = left > 0 ? left : 0;
	r->overlap = left < 0 ? -left : 0;
}

const struct live_code_in *recover_code_of(const struct live_in *in, uint64_t key)
{
	return key & LIVE_KEY_PYTHON ? live_code(in, (uint32_t)(key >> 32) & 0x7fffffffu) : NULL;
}

int recover_line_of(const struct live_code_in *code, uint64_t key)
{
	return lines_at((enum code_line_format)code->line_format, code->table, code->table_len,
			code->first_line, (int32_t)(uint32_t)key);
}

/* The innermost Python function of this stack. */
static bool say_inside(struct recover_request *r, const struct live_tree_in *t, uint32_t node)
{
	for (; node; node = t->nodes[node].parent) {
		const struct live_code_in *code = recover_code_of(r->in, t->nodes[node].key);

		if (!code)
			continue;
		snprintf(r->inside, sizeof(r->inside), "%.*s (%.*s:%d)",
			 (int)(code->qualname.len < 200 ? code->qualname.len : 200),
			 code->qualname.bytes,
			 (int)(code->filename.len < 250 ? code->filename.len : 250),
			 code->filename.bytes, recover_line_of(code, t->nodes[node].key));
		return true;
	}
	return false;
}

/* Of the thread of which the latest is known: the call that it was in, else its last sample. */
static void find_inside(struct recover_request *r)
{
	uint64_t latest = 0;

	for (size_t i = 0; i < r->in->n_trees; i++) {
		const struct live_tree_in *t = &r->in->trees[i];
		uint64_t at_ns = t->facts.waiting_ns;
		uint32_t node = at_ns ? t->facts.waiting_node : 0;

		if (!recover_works_for(r, t))
			continue;
		if (!node && t->n_samples) {
			at_ns = t->samples[t->n_samples - 1].at_ns;
			node = t->samples[t->n_samples - 1].node;
		}
		if (at_ns > latest && say_inside(r, t, node))
			latest = at_ns;
	}
}

static int64_t period_of(uint32_t rate)
{
	return 1000000000 / (rate > 0 && rate < 1000000 ? rate : 1000);
}

void recover_request_of(struct recover_request *r, const struct live_in *in,
			const struct live_request_in *request, uint64_t counter)
{
	uint32_t rate = request->facts.rate;

	*r = (struct recover_request){ .in = in, .request = request, .counter = counter };
	r->period = period_of(rate);
	r->kernel_period = period_of(in->head.kernel_rate);
	find_end(r);
	find_parts(r);
	find_inside(r);
}
