#include "preload/sample/wait.h"

#include <string.h>

#include "preload/sample/mask.h"
#include "preload/sample/sample.h"
#include "preload/sample/signal.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/peek.h"
#include "preload/sigsafe/raw.h"

enum {
	RAN_NS = 4000,	   /* a call that took less did not sleep: that alone takes longer */
	NOTHING_NS = 1000, /* less off the CPU is what the two clocks differ by */
	LOOK_EVERY_NS = 5000000,
};

static bool wait_ticks_in_kernel(const struct sample_thread *thread)
{
	return thread && thread->handler.target && thread->clock.kind == CLOCK_THREAD_TIMER;
}

void wait_begin(struct wait *w, bool mask)
{
	const struct sample_thread *thread = sample_thread_self();

	w->held = WAIT_NOT_HELD;
	if (!mask && wait_ticks_in_kernel(thread)) {
		w->held = WAIT_HELD;
		w->held_before = mask_hold();
	}
	w->looked = false;
	w->target = thread->handler.waits ? thread->handler.target : NULL;
	if (!w->target)
		return;
	w->start_ns = monotonic_ns();
	w->target->waiting_node = STACKS_ROOT;
	w->target->waiting_ns = w->start_ns;
}

void wait_foresee(struct wait *w, enum wait_kind kind, bool lasts)
{
	struct sample_thread *thread = sample_thread_self();

	if (!w->target || !w->target->request || (!lasts && w->start_ns < thread->look_ns))
		return;
	w->node = handler_here(&thread->handler, &w->flags);
	w->looked = true;
	w->target->waiting_flags = w->flags;
	w->target->waiting_kind = kind;
	w->target->waiting_node = w->node;
	thread->look_ns = w->start_ns + LOOK_EVERY_NS;
}

/* Of the call's time, what the thread ran. */
static uint64_t wait_ran(struct sample_thread *thread, const struct wait *w)
{
	uint64_t cpu_ns = sample_cpu_ns();
	uint64_t ran = cpu_ns - thread->mark_cpu_ns;
	uint64_t before = w->start_ns > thread->mark_ns ? w->start_ns - thread->mark_ns : 0;
	uint64_t elapsed = w->end_ns - w->start_ns;

	thread->mark_cpu_ns = cpu_ns;
	thread->mark_ns = w->end_ns;
	if (ran <= before)
		return 0;
	return ran - before < elapsed ? ran - before : elapsed;
}

bool wait_end(struct wait *w)
{
	struct sample_thread *thread = sample_thread_self();

	if (w->held == WAIT_HELD)
		mask_release(w->held_before);
	else if (w->held == WAIT_HELD_BY_MASK)
		mask_held_elsewhere(w->held_before);
	if (!w->target)
		return false;
	/* The host may have left the request in a signal handler of its own. */
	if (!thread || thread->handler.target != w->target) {
		w->target = NULL;
		return false;
	}
	w->target->waiting_ns = 0;
	w->end_ns = monotonic_ns();
	w->off_ns = 0;
	if (w->end_ns - w->start_ns < RAN_NS)
		return false;
	w->off_ns = w->end_ns - w->start_ns - wait_ran(thread, w);
	return w->off_ns >= NOTHING_NS;
}

const sigset_t *wait_mask(struct wait *w, const sigset_t *mask, sigset_t *storage)
{
	const struct sample_thread *thread = sample_thread_self();
	int number = signal_number();

	/* The kernel reads a mask of 64 signals, and what it cannot read is its to refuse. */
	if (!mask || !thread || !thread->handler.target || thread->clock.kind == CLOCK_NONE ||
	    !peek_ok((uintptr_t)mask, sizeof(uint64_t)))
		return mask;
	sigemptyset(storage);
	memcpy(storage, mask, sizeof(uint64_t));
	if (sigismember(storage, number))
		return mask;
	sigaddset(storage, number);
	w->held = WAIT_HELD_BY_MASK;
	w->held_before = mask_held_elsewhere(true);
	return storage;
}

static struct wait_record wait_start_record(const struct wait *w, enum wait_kind kind)
{
	return (struct wait_record){
		.at_ns = w->start_ns,
		.end_ns = w->end_ns,
		.ns = w->off_ns,
		.count = 1,
		.kind = (uint8_t)kind,
	};
}

static void wait_finish_record(struct handler_thread *self, const struct wait *w,
			       struct wait_record *record, bool stack)
{
	uint32_t flags = 0;

	if (self->held && self->target->waits.count < WAITS_MAX)
		self->held_waits[self->target->waits.count] =
			self->stray ? python_item_here(&self->python) :
				      python_task_here(&self->python).number;
	if (stack && w->looked) {
		record->node = w->node;
		flags = w->flags;
	} else if (stack) {
		record->node = handler_here(self, &flags);
	}
	record->flags = (uint8_t)flags;
	waits_add(&self->target->waits, record);
}

void wait_record(const struct wait *w, enum wait_kind kind, const char *on, size_t len,
		 uint32_t trips)
{
	struct handler_thread *self = handler_self;
	struct wait_record record;
	bool lasted;

	if (!w->target || !self || self->target != w->target)
		return;
	record = wait_start_record(w, kind);
	lasted = w->off_ns >= self->wait_min_ns;
	record.summed = !lasted;
	record.trips = trips;
	record.on = waits_intern(&w->target->waits, on, len);
	wait_finish_record(self, w, &record, lasted || trips);
}

void wait_record_gil(const struct wait *w, const char *holder, size_t len, bool goes_on)
{
	struct handler_thread *self = handler_self;
	struct wait_record record;
	struct waits *waits;
	bool extended, lasted;

	if (!w->target || !self || self->target != w->target)
		return;
	waits = &w->target->waits;
	record = wait_start_record(w, WAIT_GIL);
	record.holder = holder ? waits_intern(waits, holder, len) : 0;
	extended = waits_extend(waits, WAIT_GIL, record.holder, w->start_ns, w->end_ns, w->off_ns);
	waits->goes_on = goes_on;
	if (extended)
		return;
	lasted = w->off_ns >= self->wait_min_ns;
	record.summed = !lasted;
	wait_finish_record(self, w, &record, lasted);
}
