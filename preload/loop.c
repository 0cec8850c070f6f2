#include "preload/loop.h"

#include "preload/control/control.h"
#include "preload/sample/held.h"
#include "preload/settle.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/track/track.h"
#include "preload/work.h"

void loop_turn_begins(struct turn *turn)
{
	bool made;
	struct sample_thread *thread = work_thread(&made);

	if (!turn->goes_on)
		elders_check(&turn->elders, python_task_waits);
	turn->start_ns = monotonic_ns();
	turn->start_cpu_ns = sample_cpu_ns();
	if (!thread || !held_start(thread)) {
		control_count(CONTROL_skipped_no_memory, 1);
		return;
	}
	thread->mark_ns = turn->start_ns;
	thread->mark_cpu_ns = turn->start_cpu_ns;
}

uint64_t loop_turn_task(void)
{
	const struct sample_thread *thread = sample_thread_self();

	return thread ? python_task_here(&thread->handler.python).number : 0;
}

void loop_whole_task(struct handed_task *task)
{
	struct sample_thread *thread = sample_thread_self();
	struct python_task whole = { 0 };

	if (thread)
		whole = handler_task(&thread->handler);
	task->task = whole.number;
	task->coroutine = whole.coroutine;
}

void loop_turn_event(struct turn_event *event)
{
	struct sample_thread *thread = sample_thread_self();

	event->at_ns = monotonic_ns();
	event->cpu_ns = sample_cpu_ns();
	event->task = loop_turn_task();
	if (!thread)
		return;
	if (!event->sent)
		thread->handler.call = handler_call;
	thread->mark_ns = event->at_ns;
	thread->mark_cpu_ns = event->cpu_ns;
}

bool loop_serves(int fd)
{
	return track_side(fd) == TRACK_CLIENT;
}

void loop_turn_ends(struct turn *turn, bool waits, bool idle)
{
	struct settling s = { .turn = turn, .thread = sample_thread_self(), .waits = waits };
	struct python_task loop;

	if (!s.thread)
		return;
	s.held = held_stop(s.thread, waits && idle);
	s.end_ns = monotonic_ns();
	s.end_cpu_ns = sample_cpu_ns();
	/* Who comes to wait is the loop itself. */
	loop = python_task_here(&s.thread->handler.python);
	if (waits)
		turn->loop_task = loop.number;
	s.loop_stack = loop.stack;
	settle_turn(&s);
	work_told(s.thread);
	control_count(CONTROL_samples_shared, s.nobodys_samples);
	control_count(CONTROL_waits_shared, s.nobodys_waits);
	turn->nobodys_ns += s.nobodys_ns;
	control_count(CONTROL_shared_us, turn->nobodys_ns / 1000);
	turn->nobodys_ns %= 1000;
	settle_done(&s);
}
