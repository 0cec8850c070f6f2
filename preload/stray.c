#include "preload/stray.h"

#include <stddef.h>

#include "preload/control/control.h"
#include "preload/live/record.h"
#include "preload/sample/held.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/track/track.h"
#include "preload/work.h"

/* A stretch of a thread's work that is over. */
struct stretch {
	struct sample_thread *thread;
	struct held *held;
	uint64_t end_ns, cpu_ns;
	uint32_t samples, nobodys_samples;
};

bool stray_begins(void)
{
	struct sample_thread *thread = sample_thread_self();

	if (!thread || !held_start(thread))
		return false;
	thread->handler.stray = true;
	thread->mark_ns = thread->stray_ns = monotonic_ns();
	thread->mark_cpu_ns = thread->stray_cpu_ns = sample_cpu_ns();
	return true;
}

static struct held_to stray_to(struct request *r)
{
	return (struct held_to){
		.list = (struct stacks **)&r->samples,
		.request = live_request_number(r->live),
		.flags = STACK_INFERRED,
	};
}

/* What was done before the request began was not for it. */
static void stray_give_samples(struct stretch *s, struct request *r)
{
	const struct stacks *stacks = s->held->stacks;

	for (uint32_t i = 0; i < stacks->n_samples; i++) {
		const struct stack_sample *sample = &stacks->samples[i];
		bool counts = !(sample->flags & STACK_KERNEL);

		s->samples += counts;
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

		if (r && wait->at_ns >= r->start_ns) {
			const struct held_to to = stray_to(r);

			held_give_wait(s->thread, i, &to);
		} else if (wait->end_ns > idle_ns) {
			idle_ns = wait->end_ns;
		}
	}
	return idle_ns;
}

static void stray_give(struct stretch *s, struct request *r)
{
	uint64_t nobodys_ns = 0, since;

	stray_give_samples(s, r);
	since = stray_give_waits(s, r);
	if (!r)
		return;
	if (s->samples > 0)
		nobodys_ns = s->cpu_ns * s->nobodys_samples / s->samples;
	if (since < r->start_ns)
		since = r->start_ns;
	work_note(r, s->thread);
	__atomic_fetch_add(&r->cpu_ns, s->cpu_ns - nobodys_ns, __ATOMIC_RELAXED);
	if (s->end_ns > since)
		__atomic_fetch_add(&r->looped_ns, s->end_ns - since, __ATOMIC_RELAXED);
	record_moved(r, s->end_ns);
}

/* The thread may have been idle, or between two requests: that is no loss. */
static void stray_count(const struct stretch *s, bool given)
{
	control_count(CONTROL_samples_shared, s->nobodys_samples);
	if (!given)
		control_count(CONTROL_shared_us, s->cpu_ns / 1000);
}

void stray_ends(struct request *r, bool wanted)
{
	struct stretch s = { .thread = sample_thread_self() };

	if (!s.thread || !s.thread->handler.stray)
		return;
	s.held = held_stop(s.thread, false);
	s.thread->handler.stray = false;
	if (!s.held)
		return;
	s.end_ns = monotonic_ns();
	s.cpu_ns = sample_cpu_ns() - s.thread->stray_cpu_ns;
	if (r && !r->profiled)
		r = NULL, wanted = false;
	if (r && !track_keep(r))
		r = NULL;
	stray_give(&s, r);
	if (r)
		track_let_go(r);
	control_count(CONTROL_lost_waits, s.held->stacks->waits.lost);
	control_count(CONTROL_lost_buffer_full, s.held->stacks->lost);
	control_count(CONTROL_lost_nested, s.held->stacks->nested);
	if (wanted)
		stray_count(&s, r != NULL);
	s.held->kept = 0;
	held_end(s.held, s.thread->tid);
	work_told(s.thread);
}
