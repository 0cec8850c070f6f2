#include "preload/requests.h"

#include "preload/control/control.h"
#include "preload/emit/kept.h"
#include "preload/keeping.h"
#include "preload/live/live.h"
#include "preload/live/record.h"
#include "preload/loop.h"
#include "preload/prepare.h"
#include "preload/sample/sample.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/stray.h"
#include "preload/track/children.h"
#include "preload/work.h"

static bool waits;

void requests_configure(const struct settings *settings)
{
	waits = settings->waits;
}

static void requests_passed_over(void)
{
	control_count(CONTROL_requests_seen, 1);
	control_count(CONTROL_skipped_off, 1);
	sample_rest();
}

static void requests_began(struct request *r)
{
	uint64_t now = r->start_ns; /* a moment ago */

	control_join(now);
	if (!control_enabled()) {
		requests_passed_over();
		return;
	}
	control_count(CONTROL_requests_seen, 1);
	/* A head that has not come whole yet is asked about at the end. */
	if (kept_head_known(r) && keeping_filtered_out(r)) {
		control_count(CONTROL_skipped_filter, 1);
		return;
	}
	r->profiled = true;
	r->waits = waits;
	r->rate = control_rate();
	control_count(CONTROL_requests_profiled, 1);
	prepare_handler(now);
	r->begun_tid = sample_tid();
	record_began(r);
	/* Nobody works for it yet; our own preparations are no waiting of its. */
	r->idle_since_ns = monotonic_ns();
	r->prepared_ns = r->idle_since_ns - r->start_ns;
}

static void requests_add_idle(struct request *r, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns > from_ns)
		__atomic_fetch_add(&r->idle_ns, to_ns - from_ns, __ATOMIC_RELAXED);
}

/* When nobody works for an open request, it waits for a thread: in a queue, or in an event loop. */
static void requests_works(struct request *r)
{
	uint64_t since;

	if (__atomic_fetch_add(&r->working, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	since = __atomic_exchange_n(&r->idle_since_ns, 0, __ATOMIC_ACQ_REL);
	/* The thread that read it begins at once: what lies between is our own work. */
	if (since && (r->threads > 1 || r->begun_tid != sample_tid() || r->cpu_ns))
		requests_add_idle(r, since, monotonic_ns());
}

static void requests_rests(struct request *r)
{
	if (__atomic_sub_fetch(&r->working, 1, __ATOMIC_ACQ_REL) == 0)
		__atomic_store_n(&r->idle_since_ns, monotonic_ns(), __ATOMIC_RELEASE);
}

static void requests_resumed(struct request *r)
{
	bool made;
	uint64_t entered_ns = monotonic_ns();
	struct sample_thread *thread = work_thread(&made);

	if (thread)
		thread->near_ns = keeping_near_ns();
	if (!thread || !sample_start(thread, (struct stacks **)&r->samples)) {
		control_count(CONTROL_skipped_no_memory, 1);
		return;
	}
	if (made)
		__atomic_fetch_add(&r->prepared_ns, monotonic_ns() - entered_ns, __ATOMIC_RELAXED);
	work_note(r, thread);
	requests_works(r);
	if (thread->holder)
		__atomic_store_n(&thread->holder->request, r, __ATOMIC_RELEASE);
	record_moved(r, entered_ns);
	thread->handler.target->request = live_request_number(r->live);
}

static void requests_add_used(struct request *r, const struct sample_used *used)
{
	__atomic_fetch_add(&r->cpu_ns, used->cpu_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->queued_ns, used->usage.queued_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->faults, used->usage.faults, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->major_faults, used->usage.major_faults, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->preempted, used->usage.preempted, __ATOMIC_RELAXED);
	if (used->usage.queued_known)
		r->queued_known = true;
}

static void requests_paused(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();
	bool wanted = !keeping_unwanted(r);
	struct sample_used used;

	if (!thread || !thread->handler.target)
		return;
	if (thread->holder)
		__atomic_store_n(&thread->holder->request, NULL, __ATOMIC_RELEASE);
	requests_rests(r);
	sample_stop(thread, (struct stacks **)&r->samples, wanted ? &used : NULL);
	if (wanted)
		requests_add_used(r, &used);
	record_moved(r, monotonic_ns());
	work_told(thread);
}

static void requests_parked(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();

	if (thread)
		__atomic_fetch_add(&r->cpu_ns, sample_park(thread, (struct stacks **)&r->samples),
				   __ATOMIC_RELAXED);
}

static void requests_unparked(struct request *r, bool kept)
{
	struct sample_thread *thread = sample_thread_self();

	(void)r;
	if (!thread)
		return;
	sample_unpark(thread, kept);
	if (kept)
		return;
	if (thread->holder)
		__atomic_store_n(&thread->holder->request, NULL, __ATOMIC_RELEASE);
	work_told(thread);
}

static void requests_finished(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();
	struct stacks *stacks = __atomic_exchange_n((struct stacks **)&r->samples, NULL,
						    __ATOMIC_ACQ_REL);

	if (!r->profiled)
		return;
	control_join(r->end_ns); /* the page was somebody else's when it began: it may be the process's only request */
	children_name_all(r);
	keeping_finished(r, stacks, thread);
	sample_discard(thread, stacks);
	record_over(r); /* last: its number may be another's at once */
}

static void requests_connection_abandoned(void)
{
	control_count(CONTROL_connections_abandoned, 1);
}

static void requests_pipeline_dropped(unsigned requests)
{
	control_count(CONTROL_skipped_pipeline, requests);
}

static void requests_pushed(unsigned responses)
{
	control_count(CONTROL_responses_pushed, responses);
}

/* It may be all that the process ever does: `ctl status` is to know of it. */
static void requests_tls_unseen(void)
{
	control_join(monotonic_ns());
	control_count(CONTROL_connections_tls_unseen, 1);
}

const struct track_callbacks requests_callbacks = {
	.off = control_off,
	.passed_over = requests_passed_over,
	.began = requests_began,
	.head = record_head,
	.resumed = requests_resumed,
	.paused = requests_paused,
	.parked = requests_parked,
	.unparked = requests_unparked,
	.stray_begins = stray_begins,
	.stray_ends = stray_ends,
	.hands = stray_hands,
	.item = stray_item,
	.task = loop_whole_task,
	.stray_settles = stray_settles,
	.handed_lost = stray_lost,
	.finished = requests_finished,
	.connection_abandoned = requests_connection_abandoned,
	.pipeline_dropped = requests_pipeline_dropped,
	.tls_unseen = requests_tls_unseen,
	.pushed = requests_pushed,
	.turn_begins = loop_turn_begins,
	.turn_event = loop_turn_event,
	.turn_task = loop_turn_task,
	.turn_ends = loop_turn_ends,
};
