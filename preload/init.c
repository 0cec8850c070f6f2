/*
 * Start, stop and fork, in order; connects the rooms. Read it first.
 *
 * The constructor only remembers: settings, libc's functions, the callbacks. Everything else (the
 * control page, signal, clocks, memory) waits for the process's first request, so that a process
 * that serves nothing pays nothing.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "preload/control/control.h"
#include "preload/emit/boot_id.h"
#include "preload/emit/budget.h"
#include "preload/emit/emit.h"
#include "preload/emit/kept.h"
#include "preload/hook/guard.h"
#include "preload/hook/libssl.h"
#include "preload/hook/real.h"
#include "preload/live/live.h"
#include "preload/live/record.h"
#include "preload/loop.h"
#include "preload/ours.h"
#include "preload/sample/sample.h"
#include "preload/settings.h"
#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/modules.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/python.h"
#include "preload/sigsafe/raw.h"
#include "preload/stray.h"
#include "preload/track/children.h"
#include "preload/track/track.h"
#include "preload/work.h"

_Static_assert((int)SAMPLE_SCRATCH >= (int)EMIT_SCRATCH, "a profile is written in the scratch memory");

static const uint64_t LOOK_AGAIN_NS = 100000000; /* for newly loaded modules, an interpreter among them */

static const uint64_t DISK_SLOW_NS = 1000000000, DISK_REST_MAX_NS = 60000000000;

static struct settings settings;
static uint64_t disk_slow_until_ns; /* atomic */
static uint32_t process_id;
static uint64_t process_start_ns; /* since 1970: when it was forked, or began another program */
static uint64_t files_begun;       /* atomic: the counter in names */
static uint64_t looked_ns;         /* atomic: when modules were last looked at; 0: never */
static uint32_t preparing;         /* one thread at a time */

static void init_start_live(void)
{
	int error = -live_start();
	struct live_head *head = live_head();

	if (error && error != ECANCELED)
		control_count(CONTROL_live_refused, 1);
	if (!head)
		return;
	head->kernel_rate = settings.kernel_rate;
	if (boot_id()) {
		memcpy(head->boot_id, boot_id(), BOOT_ID_BYTES);
		head->boot_id_len = BOOT_ID_BYTES;
	}
}

/* What the handler will need and cannot get for itself. */
static void init_prepare(uint64_t now)
{
	uint64_t looked = __atomic_load_n(&looked_ns, __ATOMIC_ACQUIRE);

	if ((looked && now - looked < LOOK_AGAIN_NS) ||
	    __atomic_exchange_n(&preparing, 1, __ATOMIC_ACQUIRE))
		return;
	if (!looked) {
		codes_prepare();
		sample_on_thread_end(track_thread_ends);
		init_start_live();
	}
	modules_refresh();
	python_find();
	live_note_modules();
	control_note_python(python_version());
	if (live_head())
		strncpy(live_head()->python, python_version(), sizeof(live_head()->python) - 1);
	__atomic_store_n(&looked_ns, now, __ATOMIC_RELEASE);
	__atomic_store_n(&preparing, 0, __ATOMIC_RELEASE);
}

/* ---- callbacks of track ---- */

static bool init_filtered_out(const struct request *r)
{
	const struct control_wishes *wishes = control_wishes();
	const struct wire_facts *facts = request_facts(r);

	return wishes->filter_len > 0 && !filter_takes(wishes->filter, wishes->filter_len, facts->method,
						       facts->path, facts->path_len);
}

static void init_passed_over(void)
{
	control_count(CONTROL_requests_seen, 1);
	control_count(CONTROL_skipped_off, 1);
	sample_rest();
}

static void init_began(struct request *r)
{
	uint64_t now = r->start_ns; /* a moment ago */

	control_join(now);
	if (!control_enabled()) {
		init_passed_over();
		return;
	}
	control_count(CONTROL_requests_seen, 1);
	/* A head that has not come whole yet is asked about at the end. */
	if (kept_head_known(r) && init_filtered_out(r)) {
		control_count(CONTROL_skipped_filter, 1);
		return;
	}
	r->profiled = true;
	r->waits = settings.waits;
	r->rate = control_rate();
	control_count(CONTROL_requests_profiled, 1);
	init_prepare(now);
	r->begun_tid = sample_tid();
	record_began(r);
	/* Nobody works for it yet; our own preparations are no waiting of its. */
	r->idle_since_ns = monotonic_ns();
	r->prepared_ns = r->idle_since_ns - r->start_ns;
}

static void init_add_idle(struct request *r, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns > from_ns)
		__atomic_fetch_add(&r->idle_ns, to_ns - from_ns, __ATOMIC_RELAXED);
}

/* When nobody works for an open request, it waits for a thread: in a queue, or in an event loop. */
static void init_works(struct request *r)
{
	uint64_t since;

	if (__atomic_fetch_add(&r->working, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	since = __atomic_exchange_n(&r->idle_since_ns, 0, __ATOMIC_ACQ_REL);
	/* The thread that read it begins at once: what lies between is our own work. */
	if (since && (r->threads > 1 || r->begun_tid != sample_tid() || r->cpu_ns))
		init_add_idle(r, since, monotonic_ns());
}

static void init_rests(struct request *r)
{
	if (__atomic_sub_fetch(&r->working, 1, __ATOMIC_ACQ_REL) == 0)
		__atomic_store_n(&r->idle_since_ns, monotonic_ns(), __ATOMIC_RELEASE);
}

/*
 * For how long the last readings of a thread serve as the next request's first. Where only slow requests
 * are kept the others are not read at their ends: off by a thousandth of what is slow is near enough.
 */
static uint64_t init_near_ns(void)
{
	enum { SHARE = 1000, MOST_NS = 1000000 };
	const struct keep_rules *keep = &control_wishes()->keep;
	uint64_t near_ns = keep->rules == KEEP_SLOWER ? keep->slower_ns / SHARE : 0;

	if (near_ns < SAMPLE_NEAR_NS)
		return SAMPLE_NEAR_NS;
	return near_ns < MOST_NS ? near_ns : MOST_NS;
}

static void init_resumed(struct request *r)
{
	bool made;
	uint64_t entered_ns = monotonic_ns();
	struct sample_thread *thread = work_thread(&made);

	if (thread)
		thread->near_ns = init_near_ns();
	if (!thread || !sample_start(thread, (struct stacks **)&r->samples)) {
		control_count(CONTROL_skipped_no_memory, 1);
		return;
	}
	if (made)
		__atomic_fetch_add(&r->prepared_ns, monotonic_ns() - entered_ns, __ATOMIC_RELAXED);
	work_note(r, thread);
	init_works(r);
	if (thread->holder)
		__atomic_store_n(&thread->holder->request, r, __ATOMIC_RELEASE);
	record_moved(r, entered_ns);
	thread->handler.target->request = live_request_number(r->live);
}

/* Once it has ended: is it certain that it leaves no file? */
static bool init_unwanted(struct request *r)
{
	if (__atomic_load_n(&r->unwanted, __ATOMIC_RELAXED))
		return true;
	if (__atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != REQUEST_ENDED ||
	    !kept_by_none(&control_wishes()->keep, r))
		return false;
	__atomic_store_n(&r->unwanted, true, __ATOMIC_RELAXED);
	return true;
}

static void init_add_used(struct request *r, const struct sample_used *used)
{
	__atomic_fetch_add(&r->cpu_ns, used->cpu_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->queued_ns, used->usage.queued_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->faults, used->usage.faults, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->major_faults, used->usage.major_faults, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->preempted, used->usage.preempted, __ATOMIC_RELAXED);
	if (used->usage.queued_known)
		r->queued_known = true;
}

static void init_paused(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();
	bool wanted = !init_unwanted(r);
	struct sample_used used;

	if (!thread || !thread->handler.target)
		return;
	if (thread->holder)
		__atomic_store_n(&thread->holder->request, NULL, __ATOMIC_RELEASE);
	init_rests(r);
	sample_stop(thread, (struct stacks **)&r->samples, wanted ? &used : NULL);
	if (wanted)
		init_add_used(r, &used);
	record_moved(r, monotonic_ns());
	work_told(thread);
}

static void init_parked(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();

	if (thread)
		__atomic_fetch_add(&r->cpu_ns, sample_park(thread, (struct stacks **)&r->samples),
				   __ATOMIC_RELAXED);
}

static void init_unparked(struct request *r, bool kept)
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

/* Which rules keep it; counted. 0: none does. */
static uint32_t init_kept(const struct request *r)
{
	static const struct {
		enum keep_rule rule;
		enum control_counter counter;
	} counters[] = {
		{ KEEP_SLOWER, CONTROL_kept_slower }, { KEEP_FAILED, CONTROL_kept_failed },
		{ KEEP_FIRST, CONTROL_kept_first },   { KEEP_EVERY, CONTROL_kept_every },
		{ KEEP_WORST, CONTROL_kept_worst },   { KEEP_ASKED, CONTROL_kept_asked },
	};
	bool full = false;
	uint32_t kept = 0;

	if (init_filtered_out(r)) {
		control_count(CONTROL_skipped_filter, 1);
		return 0;
	}
	if (!r->unwanted)
		kept = kept_by(&control_wishes()->keep, control_keep(), r, &full);
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		if (kept & counters[i].rule)
			control_count(counters[i].counter, 1);
	if (!kept)
		control_count(full ? CONTROL_routes_full : CONTROL_not_kept, 1);
	return kept;
}

static void init_write_profile(struct request *r, const struct stacks *stacks,
			       struct sample_thread *thread, uint32_t kept)
{
	struct budget budget = { .directory = settings.directory };
	struct emit_job job = {
		.request = r,
		.stacks = stacks,
		.directory = settings.directory,
		.pid = process_id,
		.process_start_ns = process_start_ns,
		.counter = control_begun_before() +
			   __atomic_add_fetch(&files_begun, 1, __ATOMIC_RELAXED),
		.clock = (enum clock_kind)r->clock,
		.clock_error = r->clock_error,
		.rate = r->rate,
		.kernel_rate = settings.kernel_rate,
		.python = python_version(),
		.kept = kept,
		.budget = &budget,
	};
	int result;

	record_writing(r, job.counter);
	budget.shared = control_budget(&budget.queue_inode);
	result = budget_take_file(&budget);
	if (result == 0) {
		job.scratch = sample_scratch(thread);
		result = job.scratch ? emit_profile(&job) : -ENOMEM;
	}
	if (!job.scratch)
		budget_give_back(&budget);
	if (budget.lost)
		control_lost();
	sample_scratch_done(thread, job.scratch);
	control_count(CONTROL_evicted_files, budget.evicted_files);
	control_count(CONTROL_evicted_bytes, budget.evicted_bytes);
	control_count(CONTROL_samples, job.parts.samples);
	control_count(CONTROL_samples_incomplete, job.parts.incomplete);
	control_count(CONTROL_lost_buffer_full, job.parts.lost);
	control_count(CONTROL_lost_nested, job.parts.nested);
	control_count(CONTROL_kernel_samples, job.parts.kernel_samples);
	control_count(CONTROL_lost_kernel, job.parts.kernel_lost);
	control_count(CONTROL_waits, job.parts.waits);
	control_count(CONTROL_lost_waits, job.parts.waits_lost);
	if (result == 0) {
		control_count(CONTROL_files_written, 1);
	} else if (budget.refused) {
		control_count(CONTROL_files_no_room, 1);
	} else {
		control_count(CONTROL_files_failed, 1);
		control_note_file_error(-result);
	}
}

/*
 * The host's thread waits for the disk. When that took long, none of the process's does for ten
 * times as long: a disk that stands still costs no more than a tenth of anybody's time.
 */
static bool init_disk_is_slow(void)
{
	return monotonic_ns() < __atomic_load_n(&disk_slow_until_ns, __ATOMIC_RELAXED);
}

static void init_note_disk(uint64_t begun_ns)
{
	uint64_t now = monotonic_ns(), took = now - begun_ns;

	if (took >= DISK_SLOW_NS)
		__atomic_store_n(&disk_slow_until_ns,
				 now + (took < DISK_REST_MAX_NS / 10 ? took * 10 : DISK_REST_MAX_NS),
				 __ATOMIC_RELAXED);
}

static void init_finished(struct request *r)
{
	struct sample_thread *thread = sample_thread_self();
	struct stacks *stacks = __atomic_exchange_n((struct stacks **)&r->samples, NULL,
						    __ATOMIC_ACQ_REL);
	uint32_t kept;

	if (!r->profiled)
		return;
	children_name_all(r);
	kept = init_kept(r);
	if (kept && init_disk_is_slow()) {
		control_count(CONTROL_files_slow, 1);
	} else if (kept) {
		uint64_t begun_ns = monotonic_ns();

		init_write_profile(r, stacks, thread, kept);
		init_note_disk(begun_ns);
	}
	sample_discard(thread, stacks);
	record_over(r); /* last: its number may be another's at once */
}

static void init_connection_abandoned(void)
{
	control_count(CONTROL_connections_abandoned, 1);
}

static void init_pipeline_dropped(unsigned requests)
{
	control_count(CONTROL_skipped_pipeline, requests);
}

static void init_pushed(unsigned responses)
{
	control_count(CONTROL_responses_pushed, responses);
}

/* It may be all that the process ever does: `ctl status` is to know of it. */
static void init_tls_unseen(void)
{
	control_join(monotonic_ns());
	control_count(CONTROL_connections_tls_unseen, 1);
}

static const struct track_callbacks callbacks = {
	.off = control_off,
	.passed_over = init_passed_over,
	.began = init_began,
	.head = record_head,
	.resumed = init_resumed,
	.paused = init_paused,
	.parked = init_parked,
	.unparked = init_unparked,
	.stray_begins = stray_begins,
	.stray_ends = stray_ends,
	.hands = stray_hands,
	.item = stray_item,
	.task = loop_whole_task,
	.stray_settles = stray_settles,
	.handed_lost = stray_lost,
	.finished = init_finished,
	.connection_abandoned = init_connection_abandoned,
	.pipeline_dropped = init_pipeline_dropped,
	.tls_unseen = init_tls_unseen,
	.pushed = init_pushed,
	.turn_begins = loop_turn_begins,
	.turn_event = loop_turn_event,
	.turn_task = loop_turn_task,
	.turn_ends = loop_turn_ends,
};

/* ---- fork ---- */

/* Since 1970. */
static uint64_t init_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Only the forking thread is here, and none of our locks is held by it (it is in the host's code). */
static void init_postfork_child(void)
{
	unsigned lost;

	hook_vforked = 0;
	ours_postfork_child(); /* before sample: closes what its clocks hold */
	libssl_postfork_child();
	modules_postfork_child();
	lost = track_postfork_child();
	sample_postfork_child();
	live_postfork_child(); /* after sample: unmaps what its trees stand in */
	control_postfork_child();
	preparing = 0;
	looked_ns = 0; /* the first request prepares for itself */
	process_id = (uint32_t)raw_getpid();
	process_start_ns = init_now_ns();
	files_begun = 0;
	control_count(CONTROL_skipped_fork, lost);
}

/* ---- start and stop ---- */

static void init_clock(void)
{
	void *found = real_in_libc("clock_gettime");

	if (found)
		monotonic_clock = (int (*)(clockid_t, struct timespec *))found;
}

__attribute__((constructor)) static void init_start(void)
{
	struct control_settings control = {
		.directory = settings.directory,
		.keep = settings.keep,
		.filter = settings.filter,
	};
	struct live_settings live = { .directory = settings.directory };

	real_resolve();
	settings_read(&settings);
	if (!settings.usable)
		return;
	init_clock();
	process_id = (uint32_t)raw_getpid();
	process_start_ns = init_now_ns();
	control.enabled = settings.enabled;
	control.rate = settings.rate;
	control.wrong = settings.wrong;
	control.max_files = settings.max_files;
	control.max_bytes = settings.max_bytes;
	control.root_ns = process_start_ns;
	control.root_pid = process_id;
	control_configure(&control);
	live.place = settings.live;
	live_configure(&live);
	work_configure(&settings);
	track_start(&callbacks);
	pthread_atfork(NULL, NULL, init_postfork_child);
	hook_active = true;
}

/* exit() was called: what has ended and not been written yet is written now. */
__attribute__((destructor)) static void init_stop(void)
{
	if (hook_enter()) {
		track_thread_ends();
		live_stop();
		hook_leave();
	}
}
