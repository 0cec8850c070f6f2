#include "preload/keeping.h"

#include <errno.h>

#include "preload/control/control.h"
#include "preload/emit/budget.h"
#include "preload/emit/budget_early.h"
#include "preload/emit/emit.h"
#include "preload/emit/kept.h"
#include "preload/live/record.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/python.h"

_Static_assert((int)SAMPLE_SCRATCH >= (int)EMIT_SCRATCH, "a profile is written in the scratch memory");

static const uint64_t DISK_SLOW_NS = 1000000000, DISK_REST_MAX_NS = 60000000000, DISK_PROMPT_NS = 100000000;

static const char *directory;
static uint32_t kernel_rate;
static uint32_t process;
static uint64_t started_ns;
static uint64_t files_begun;        /* atomic: the counter in names */
static uint64_t disk_slow_until_ns; /* atomic */

void keeping_configure(const struct settings *settings)
{
	directory = settings->directory;
	kernel_rate = settings->kernel_rate;
}

void keeping_process(uint32_t pid, uint64_t start_unix_ns)
{
	process = pid;
	started_ns = start_unix_ns;
	files_begun = 0;
	budget_early_postfork_child();
}

bool keeping_filtered_out(const struct request *r)
{
	const struct control_wishes *wishes = control_wishes();
	const struct wire_facts *facts = request_facts(r);

	return wishes->filter_len > 0 && !filter_takes(wishes->filter, wishes->filter_len, facts->method,
						       facts->path, facts->path_len);
}

/*
 * For how long the last readings of a thread serve as the next request's first. Where only slow requests
 * are kept the others are not read at their ends: off by a thousandth of what is slow is near enough.
 */
uint64_t keeping_near_ns(void)
{
	enum { SHARE = 1000, MOST_NS = 1000000 };
	const struct keep_rules *keep = &control_wishes()->keep;
	uint64_t near_ns = keep->rules == KEEP_SLOWER ? keep->slower_ns / SHARE : 0;

	if (near_ns < SAMPLE_NEAR_NS)
		return SAMPLE_NEAR_NS;
	return near_ns < MOST_NS ? near_ns : MOST_NS;
}

bool keeping_unwanted(struct request *r)
{
	if (__atomic_load_n(&r->unwanted, __ATOMIC_RELAXED))
		return true;
	if (!request_has_ended(r) || !kept_by_none(&control_wishes()->keep, r))
		return false;
	__atomic_store_n(&r->unwanted, true, __ATOMIC_RELAXED);
	return true;
}

/* Which rules keep it; counted. 0: none does. */
static uint32_t keeping_kept(const struct request *r)
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

	if (keeping_filtered_out(r)) {
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

static void keeping_write_profile(struct request *r, const struct stacks *stacks,
			       struct sample_thread *thread, uint32_t kept)
{
	struct budget budget = { .directory = directory };
	struct emit_job job = {
		.request = r,
		.stacks = stacks,
		.directory = directory,
		.pid = process,
		.process_start_ns = started_ns,
		.counter = control_begun_before() +
			   __atomic_add_fetch(&files_begun, 1, __ATOMIC_RELAXED),
		.clock = (enum clock_kind)r->clock,
		.clock_error = r->clock_error,
		.rate = r->rate,
		.kernel_rate = kernel_rate,
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
static bool keeping_disk_is_slow(void)
{
	return monotonic_ns() < __atomic_load_n(&disk_slow_until_ns, __ATOMIC_RELAXED);
}

/* Of a write that took that long since the thread's last reading: without the time in which no CPU was free for it. */
static uint64_t keeping_without_queue(struct sample_thread *thread, uint64_t took)
{
	struct usage now, since;

	usage_read(&thread->usage_source, &now);
	since = usage_since(&thread->reading.usage, &now);
	return since.queued_ns < took ? took - since.queued_ns : 0;
}

static uint64_t *keeping_prompt(void)
{
	uint64_t inode;

	return &control_budget(&inode)->prompt;
}

/*
 * Has the disk gone on meanwhile? Of many threads and processes that write to one directory on a busy machine, each
 * waits for those before it in the kernel's locks, and they for a CPU. `before`: *keeping_prompt(), when it was begun.
 */
static bool keeping_others_wrote(uint64_t before, uint64_t took)
{
	uint64_t now = __atomic_load_n(keeping_prompt(), __ATOMIC_RELAXED);

	return now > before && now - before >= took / DISK_PROMPT_NS;
}

static void keeping_note_disk(struct sample_thread *thread, uint64_t begun_ns, uint64_t prompt)
{
	uint64_t now = monotonic_ns(), took = now - begun_ns;

	if (took < DISK_PROMPT_NS)
		__atomic_fetch_add(keeping_prompt(), 1, __ATOMIC_RELAXED);
	if (took >= DISK_SLOW_NS)
		took = keeping_without_queue(thread, took);
	if (took >= DISK_SLOW_NS && !keeping_others_wrote(prompt, took))
		__atomic_store_n(&disk_slow_until_ns,
				 now + (took < DISK_REST_MAX_NS / 10 ? took * 10 : DISK_REST_MAX_NS),
				 __ATOMIC_RELAXED);
}

void keeping_finished(struct request *r, const struct stacks *stacks, struct sample_thread *thread)
{
	uint32_t kept = keeping_kept(r);
	uint64_t begun_ns, prompt;

	if (!kept)
		return;
	if (keeping_disk_is_slow()) {
		control_count(CONTROL_files_slow, 1);
		return;
	}
	begun_ns = monotonic_ns();
	prompt = __atomic_load_n(keeping_prompt(), __ATOMIC_RELAXED);
	keeping_write_profile(r, stacks, thread, kept);
	keeping_note_disk(thread, begun_ns, prompt);
}
