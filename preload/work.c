#include "preload/work.h"

#include "preload/control/control.h"
#include "preload/live/live.h"
#include "preload/sample/signal.h"
#include "preload/sigsafe/codes.h"
#include "preload/sigsafe/modules.h"

static struct sample_settings wanted;
static uint64_t overflows_told, codes_lost_told; /* atomic */

void work_configure(const struct settings *settings)
{
	wanted = (struct sample_settings){
		.kernel_rate = settings->kernel_rate,
		.signal = settings->signal,
		.stacks = settings->stacks,
		.waits = settings->waits,
		.wait_min_ns = (uint64_t)settings->wait_min_us * 1000,
	};
}

static void work_count_clock(const struct clock *clock)
{
	control_count(clock->kind == CLOCK_PERF_USER	? CONTROL_threads_perf :
		      clock->kind == CLOCK_THREAD_TIMER ? CONTROL_threads_timer :
							  CONTROL_threads_none,
		      1);
	if (clock->kind != CLOCK_PERF_USER)
		control_note_clock_error(-clock->error);
}

static void work_count_kernel(const struct kernel_clock *kernel)
{
	if (kernel->state == KERNEL_SAMPLED) {
		control_count(CONTROL_threads_kernel, 1);
	} else if (kernel->state == KERNEL_REFUSED || kernel->state == KERNEL_NO_RING) {
		control_count(kernel->state == KERNEL_REFUSED ? CONTROL_threads_kernel_refused :
								CONTROL_threads_kernel_memory,
			      1);
		control_note_kernel_error(-kernel->error);
	}
}

struct sample_thread *work_thread(bool *made)
{
	struct sample_settings settings = wanted;
	struct sample_thread *thread;

	settings.rate = control_rate();
	thread = sample_thread_get(&settings, made);
	if (thread && *made) {
		work_count_clock(&thread->clock);
		work_count_kernel(&thread->kernel);
	}
	if (thread && thread->holder && !thread->holder->state)
		python_publish(&thread->handler.python, (uintptr_t)__builtin_frame_address(0),
			       thread->handler.stack_high);
	return thread;
}

static void work_note_thread(struct request *r, uint32_t tid)
{
	for (size_t i = 0; i < sizeof(r->tids) / sizeof(r->tids[0]); i++) {
		uint32_t none = 0;

		if (__atomic_load_n(&r->tids[i], __ATOMIC_RELAXED) == tid)
			return;
		if (__atomic_compare_exchange_n(&r->tids[i], &none, tid, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED)) {
			__atomic_fetch_add(&r->threads, 1, __ATOMIC_RELAXED);
			return;
		}
		if (none == tid)
			return;
	}
}

void work_note(struct request *r, const struct sample_thread *thread)
{
	work_note_thread(r, thread->tid);
	r->clock = (int32_t)thread->clock.kind;
	r->clock_error = thread->clock.error;
	r->rate = thread->clock.rate;
	r->kernel_state = (int32_t)thread->kernel.state;
	r->kernel_error = thread->kernel.error;
}

/* How far a count of the process's has grown since anybody was told. Any thread may tell. */
static uint64_t work_untold(uint64_t *told, uint64_t now)
{
	uint64_t before = __atomic_load_n(told, __ATOMIC_RELAXED);

	while (before < now)
		if (__atomic_compare_exchange_n(told, &before, now, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return now - before;
	return 0;
}

void work_told(struct sample_thread *thread)
{
	/* Before its profile is written, which then knows the file; the next stacks are whole. */
	if (thread->handler.module_missed) {
		thread->handler.module_missed = false;
		modules_refresh();
		python_find();
		live_note_modules();
	}
	control_count(CONTROL_lost_late, thread->handler.late - thread->late_told);
	thread->late_told = thread->handler.late;
	control_count(CONTROL_lost_foreign, thread->handler.foreign - thread->foreign_told);
	thread->foreign_told = thread->handler.foreign;
	control_count(CONTROL_codes_full, work_untold(&codes_lost_told, codes_full()));
	control_count(CONTROL_lost_signal_queue,
		      work_untold(&overflows_told, signal_queue_overflows()));
}
