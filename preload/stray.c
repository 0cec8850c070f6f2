#include "preload/stray.h"

#include <stddef.h>

#include "preload/control/control.h"
#include "preload/live/record.h"
#include "preload/sample/held.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/track/track.h"
#include "preload/work.h"

enum { PARCELS_MAX = 16 }; /* different items in one stretch */

/* What was done for one item in a stretch. */
struct parcel {
	uintptr_t item;
	struct handed_answer answer;
	struct handed_work work; /* HANDED_KNOWN: its samples are with the request already */
};

/* A stretch of a thread's work that is over. */
struct stretch {
	struct sample_thread *thread;
	struct held *held;
	uint64_t end_ns, cpu_ns;
	uint32_t samples, nobodys_samples, parcels_samples;
	unsigned n_parcels;
	struct parcel parcels[PARCELS_MAX];
};

static void stray_starts(struct sample_thread *thread)
{
	thread->mark_ns = thread->stray_ns = monotonic_ns();
	thread->mark_cpu_ns = thread->stray_cpu_ns = sample_cpu_ns();
}

bool stray_begins(bool handed)
{
	bool made;
	struct sample_thread *thread = handed ? work_thread(&made) : sample_thread_self();

	if (!thread || !held_start(thread))
		return false;
	thread->handler.stray = true;
	thread->handler.python.pooled = true;
	stray_starts(thread);
	return true;
}

enum track_hand stray_hands(uintptr_t *item)
{
	switch (python_hands_here(item)) {
	case PYTHON_GIVES:
		return TRACK_GIVES;
	case PYTHON_ENDS:
		return TRACK_ENDS;
	default:
		return TRACK_HANDS_NOTHING;
	}
}

uintptr_t stray_item(void)
{
	const struct sample_thread *thread = sample_thread_self();

	return thread ? python_item_here(&thread->handler.python) : 0;
}

static struct held_to stray_to(struct request *r)
{
	return (struct held_to){
		.list = (struct stacks **)&r->samples,
		.request = live_request_number(r->live),
		.flags = STACK_INFERRED,
	};
}

/* ---- items ---- */

static struct parcel *stray_parcel(struct stretch *s, uintptr_t item)
{
	struct parcel *p;

	if (!item)
		return NULL;
	for (unsigned i = 0; i < s->n_parcels; i++)
		if (s->parcels[i].item == item)
			return &s->parcels[i];
	if (s->n_parcels == PARCELS_MAX)
		return NULL;
	p = &s->parcels[s->n_parcels++];
	*p = (struct parcel){ .item = item, .answer = handed_whose(item) };
	return p;
}

/* Was it done for somebody at this moment? What follows the request's end is no longer for it. */
static bool stray_counts(const struct parcel *p, uint64_t at_ns)
{
	const struct request *r = p->answer.request;

	if (p->answer.whose == HANDED_NOBODYS || at_ns < p->answer.since_ns)
		return false;
	if (!r)
		return true;
	return r->profiled && at_ns >= r->start_ns && at_ns < request_end_ns(r);
}

static struct held_to stray_parcel_to(struct parcel *p)
{
	if (p->answer.request)
		return stray_to(p->answer.request);
	return (struct held_to){ .list = (struct stacks **)&p->work.samples, .flags = STACK_INFERRED };
}

/* True: the sample is an item's. */
static bool stray_parcel_sample(struct stretch *s, uint32_t index)
{
	const struct stack_sample *sample = &s->held->stacks->samples[index];
	struct parcel *p = sample->flags & STACK_KERNEL ?
				   NULL :
				   stray_parcel(s, s->held->marks[index].task.item);
	struct held_to to;

	if (!p || !stray_counts(p, sample->at_ns))
		return false;
	to = stray_parcel_to(p);
	held_give_sample(s->thread, index, &to);
	p->work.count++;
	s->parcels_samples++;
	return true;
}

static bool stray_parcel_wait(struct stretch *s, uint32_t index)
{
	const struct wait_record *wait = &s->held->stacks->waits.records[index];
	struct parcel *p = stray_parcel(s, s->held->wait_tasks[index]);
	struct held_to to;

	if (!p || !stray_counts(p, wait->at_ns))
		return false;
	to = stray_parcel_to(p);
	held_give_wait(s->thread, index, &to);
	p->work.wall_ns += wait->ns;
	return true;
}

static void stray_join(void **to, void *from)
{
	struct stacks *tree = from;

	while (tree) {
		struct stacks *next = tree->next;

		tree->next = *to;
		*to = tree;
		tree = next;
	}
}

void stray_lost(struct handed_work *work)
{
	stray_give_work(NULL, work);
}

static void stray_give_time(struct request *r, const struct handed_work *work)
{
	__atomic_fetch_add(&r->cpu_ns, work->cpu_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->looped_ns, work->wall_ns, __ATOMIC_RELAXED);
	record_moved(r, monotonic_ns());
}

void stray_give_work(struct request *r, struct handed_work *work)
{
	struct stacks *tree = work->samples;

	if (!r || !r->profiled) {
		control_count(CONTROL_samples_shared, work->count);
		control_count(CONTROL_shared_us, work->cpu_ns / 1000);
		sample_discard(sample_thread_self(), tree);
		return;
	}
	while (tree) {
		struct stacks *next = tree->next;

		tree->next = NULL;
		tree->request = live_request_number(r->live);
		sample_list((struct stacks **)&r->samples, tree);
		tree = next;
	}
	stray_give_time(r, work);
}

/* Each has its share of the CPU time, by its samples. */
static void stray_send(struct stretch *s)
{
	for (unsigned i = 0; i < s->n_parcels; i++) {
		struct parcel *p = &s->parcels[i];

		if (s->samples > 0)
			p->work.cpu_ns = s->cpu_ns * p->work.count / s->samples;
		p->work.wall_ns += p->work.cpu_ns;
		if (p->answer.request) {
			work_note(p->answer.request, s->thread);
			stray_give_time(p->answer.request, &p->work);
		} else if (p->work.samples) {
			/* It may be known meanwhile. */
			p->answer = handed_worked(p->item, &p->work, stray_join);
			if (p->work.samples)
				stray_give_work(p->answer.request, &p->work);
		}
		handed_let_go(&p->answer);
	}
}

/* ---- the rest of a stretch ---- */

/* What was done before the request began was not for it. */
static void stray_give_samples(struct stretch *s, struct request *r)
{
	const struct stacks *stacks = s->held->stacks;

	for (uint32_t i = 0; i < stacks->n_samples; i++) {
		const struct stack_sample *sample = &stacks->samples[i];
		bool counts = !(sample->flags & STACK_KERNEL);

		s->samples += counts;
		if (stray_parcel_sample(s, i))
			continue;
		if (r && sample->at_ns >= r->start_ns) {
			const struct held_to to = stray_to(r);

			held_give_sample(s->thread, i, &to);
		} else if (counts) {
			s->nobodys_samples++;
		}
	}
}

/* Returns when the last wait ended that had begun before the request: so long the thread was idle. */
static uint64_t stray_give_waits(struct stretch *s, struct request *r)
{
	const struct waits *waits = &s->held->stacks->waits;
	uint64_t idle_ns = s->thread->stray_ns;

	for (uint32_t i = 0; i < waits->count; i++) {
		const struct wait_record *wait = &waits->records[i];

		if (stray_parcel_wait(s, i))
			continue;
		if (r && wait->at_ns >= r->start_ns) {
			const struct held_to to = stray_to(r);

			held_give_wait(s->thread, i, &to);
		} else if (wait->end_ns > idle_ns) {
			idle_ns = wait->end_ns;
		}
	}
	return idle_ns;
}

static uint64_t stray_share(const struct stretch *s, uint32_t samples)
{
	return s->samples > 0 ? s->cpu_ns * samples / s->samples : 0;
}

static void stray_give(struct stretch *s, struct request *r)
{
	uint64_t others_ns, since;

	stray_give_samples(s, r);
	since = stray_give_waits(s, r);
	stray_send(s);
	if (!r)
		return;
	others_ns = stray_share(s, s->nobodys_samples + s->parcels_samples);
	if (since < r->start_ns)
		since = r->start_ns;
	work_note(r, s->thread);
	__atomic_fetch_add(&r->cpu_ns, s->cpu_ns - others_ns, __ATOMIC_RELAXED);
	if (s->end_ns > since)
		__atomic_fetch_add(&r->looped_ns, s->end_ns - since, __ATOMIC_RELAXED);
	record_moved(r, s->end_ns);
}

/* The thread may have been idle, or between two requests: that is no loss. */
static void stray_count(const struct stretch *s, bool given)
{
	control_count(CONTROL_samples_shared, s->nobodys_samples);
	if (!given)
		control_count(CONTROL_shared_us,
			      (s->cpu_ns - stray_share(s, s->parcels_samples)) / 1000);
}

/* No sampling goes on from here to stray_done. */
static bool stray_over(struct stretch *s)
{
	s->held = held_stop(s->thread, false);
	if (!s->held)
		return false;
	s->end_ns = monotonic_ns();
	s->cpu_ns = sample_cpu_ns() - s->thread->stray_cpu_ns;
	return true;
}

static void stray_done(struct stretch *s)
{
	control_count(CONTROL_lost_waits, s->held->stacks->waits.lost);
	control_count(CONTROL_lost_buffer_full, s->held->stacks->lost);
	control_count(CONTROL_lost_nested, s->held->stacks->nested);
	s->held->kept = 0;
	held_end(s->held, s->thread->tid);
	work_told(s->thread);
}

void stray_ends(struct request *r, bool wanted)
{
	struct stretch s = { .thread = sample_thread_self() };
	bool over;

	if (!s.thread || !s.thread->handler.stray)
		return;
	over = stray_over(&s);
	s.thread->handler.stray = false;
	s.thread->handler.python.pooled = false;
	if (!over)
		return;
	if (r && !r->profiled)
		r = NULL, wanted = false;
	if (r && !track_keep(r))
		r = NULL;
	stray_give(&s, r);
	if (r)
		track_let_go(r);
	if (wanted)
		stray_count(&s, r != NULL);
	stray_done(&s);
}

/* Is anything of what is held an item's that somebody gave away? */
static bool stray_has_items(const struct held *held)
{
	const struct stacks *stacks = held->stacks;
	uintptr_t last = 0;

	for (uint32_t i = 0; i < stacks->n_samples + stacks->waits.count; i++) {
		uintptr_t item = i >= stacks->n_samples ? held->wait_tasks[i - stacks->n_samples] :
				 stacks->samples[i].flags & STACK_KERNEL ? 0 :
									   held->marks[i].task.item;

		if (item && item != last && handed_is(item))
			return true;
		last = item;
	}
	return false;
}

void stray_settles(bool all)
{
	struct stretch s = { .thread = sample_thread_self() };
	const struct stacks *stacks;

	if (!s.thread || !s.thread->handler.stray || !s.thread->held)
		return;
	stacks = s.thread->held->stacks;
	if ((stacks->n_samples == 0 && stacks->waits.count == 0) ||
	    (!all && !stray_has_items(s.thread->held)))
		return;
	if (!stray_over(&s))
		return;
	stray_give(&s, NULL);
	/* Who sleeps has done nothing that anybody waits for. */
	stray_count(&s, false);
	stray_done(&s);
	s.thread->handler.stray = held_start(s.thread);
	stray_starts(s.thread);
}
