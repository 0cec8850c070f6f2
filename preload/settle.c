#include "preload/settle.h"

#include <stddef.h>

#include "preload/control/control.h"
#include "preload/live/record.h"
#include "preload/sigsafe/cpython/transport.h"
#include "preload/stray.h"
#include "preload/work.h"

enum { OWNERS_MAX = 16 }; /* different requests in one stretch between two events */

/* Whom the samples of a stretch belong to. */
struct owner {
	struct request *request;
	uint32_t samples;
};

/* Time that the thread worked for a request, and what of it on the CPU. What follows its end is not its own. */
static void settle_give_time(const struct settling *s, struct request *r, uint64_t from_ns,
			   uint64_t cpu_ns, uint64_t wall_ns)
{
	if (!r->profiled || from_ns >= request_end_ns(r))
		return;
	work_note(r, s->thread);
	__atomic_fetch_add(&r->cpu_ns, cpu_ns, __ATOMIC_RELAXED);
	__atomic_fetch_add(&r->looped_ns, wall_ns, __ATOMIC_RELAXED);
	record_moved(r, s->end_ns);
}

static struct held_to settle_to(const struct turn_answer *answer)
{
	return (struct held_to){
		.list = (struct stacks **)&answer->request->samples,
		.request = live_request_number(answer->request->live),
		.flags = answer->sure == TURN_CERTAIN ? 0 : STACK_INFERRED,
	};
}

/* False when the request has been finished by other threads meanwhile. */
static bool settle_give_sample(const struct settling *s, uint32_t sample,
			     const struct turn_answer *answer)
{
	if (!track_keep(answer->request))
		return false;
	if (answer->request->profiled) {
		const struct held_to to = settle_to(answer);

		held_give_sample(s->thread, sample, &to);
	}
	track_let_go(answer->request);
	return true;
}

/* Taken in the kernel? */
static bool settle_kernels(const struct settling *s, uint32_t sample)
{
	return s->held->stacks->samples[sample].flags & STACK_KERNEL;
}

/* The connection that a task works for. */
static void settle_look_at_connection(struct settling *s, int fd, struct turn_work *work)
{
	struct served *served = s->served;
	unsigned i = 0;

	while (i < s->n_served && served[i].fd != fd)
		i++;
	if (i == SERVED_MAX)
		return;
	if (i == s->n_served) {
		s->n_served++;
		served[i].fd = fd;
		served[i].connection = track_connection(fd, &served[i].open);
	}
	work->connection = served[i].connection;
	work->open = served[i].open;
}

static struct turn_work settle_work(struct settling *s, uint32_t sample)
{
	const struct handler_mark *mark = &s->held->marks[sample];
	/* A greenlet keeps its number as long as it lives. */
	struct turn_work work = {
		.at_ns = s->held->stacks->samples[sample].at_ns,
		.task = mark->task.number,
		.lives = mark->task.stack != s->loop_stack && !mark->task.coroutine,
		.inside = mark->inside,
	};

	work.past = mark->task.transport == TRANSPORT_PAST + 1;
	if (mark->task.transport > 0)
		settle_look_at_connection(s, mark->task.transport - 1, &work);
	return work;
}

static bool settle_goes_on(const struct settling *s, uintptr_t coroutine)
{
	return coroutine && (!s->waits || python_task_waits(coroutine));
}

/* A task that waits will go on, and may tell then. */
static bool settle_may_tell(const struct settling *s, uint64_t task, uintptr_t coroutine)
{
	return turn_may_tell(s->turn, task) && settle_goes_on(s, coroutine);
}

/*
 * So may a greenlet that has neither read nor written anything by Python's means yet (uwsgi reads heads itself): it has
 * its number for as long as it lives, and what another one with that number reads later began later.
 */
static bool settle_greenlet_may_tell(const struct settling *s, const struct python_task *task)
{
	return !task->coroutine && task->stack && (!s->waits || task->stack != s->loop_stack) && s->turn->open_most > 0 &&
	       !turn_has_told(s->turn, task->number);
}

static bool settle_sample_may_tell(const struct settling *s, const struct python_task *task)
{
	return settle_may_tell(s, task->number, task->coroutine) || settle_greenlet_may_tell(s, task);
}

/* Those that ran in this turn, and go on. */
static void settle_learn_tasks(const struct settling *s)
{
	const struct stacks *stacks = s->held->stacks;
	uintptr_t last = 0;

	for (uint32_t i = s->held->kept; i < stacks->n_samples; i++) {
		const struct python_task *task = &s->held->marks[i].task;
		bool same = task->coroutine == last;

		if (settle_kernels(s, i) || !task->coroutine)
			continue;
		last = task->coroutine;
		s->turn->coroutines = true;
		if (!same && settle_goes_on(s, task->coroutine))
			elders_worked(&s->turn->elders, task->number, task->coroutine, stacks->samples[i].at_ns);
	}
}

/* Samples of earlier turns, whose tasks had not done anything for anybody. */
static void settle_earlier(struct settling *s, uint32_t samples)
{
	struct held *held = s->held;

	for (uint32_t i = 0; i < samples; i++) {
		const struct python_task *task = &held->marks[i].task;
		struct turn_work work = settle_work(s, i);
		struct turn_answer answer = turn_whose_earlier(s->turn, &work);
		uint64_t cpu_ns = held->cpu_ns[i];

		if (answer.request && settle_give_sample(s, i, &answer)) {
			settle_give_time(s, answer.request, 0, cpu_ns, cpu_ns);
		} else if (settle_sample_may_tell(s, task)) {
			held_keep(held, i, cpu_ns);
		} else {
			s->nobodys_samples++;
			s->nobodys_ns += cpu_ns;
		}
	}
}

static bool settle_own(struct owner *owners, unsigned *count, struct request *r)
{
	for (unsigned i = 0; i < *count; i++) {
		if (owners[i].request == r) {
			owners[i].samples++;
			return true;
		}
	}
	if (*count == OWNERS_MAX)
		return false;
	owners[(*count)++] = (struct owner){ r, 1 };
	return true;
}

/* A stretch without samples: a moment, mostly. */
static void settle_time(struct settling *s, unsigned events, uint64_t from_ns, uint64_t cpu_ns,
			     uint64_t wall_ns)
{
	struct turn_answer answer = turn_whose_between(s->turn, events);

	if (answer.request)
		settle_give_time(s, answer.request, from_ns, cpu_ns, wall_ns);
	else
		s->nobodys_ns += cpu_ns;
}

/* The samples [first, last) were taken after that many events, before the next one. */
static void settle_stretch(struct settling *s, unsigned events, uint32_t first, uint32_t last,
				uint64_t from_ns, uint64_t cpu_ns, uint64_t wall_ns)
{
	struct owner owners[OWNERS_MAX];
	struct held *held = s->held;
	uint32_t n = 0;
	unsigned count = 0;

	for (uint32_t i = first; i < last; i++)
		n += !settle_kernels(s, i);
	if (n == 0) {
		settle_time(s, events, from_ns, cpu_ns, wall_ns);
		return;
	}
	for (uint32_t i = first; i < last; i++) {
		const struct python_task *task = &held->marks[i].task;
		struct turn_work work = { 0 };
		struct turn_answer answer;

		if (settle_kernels(s, i))
			continue;
		work = settle_work(s, i);
		answer = turn_whose(s->turn, &work);
		if (answer.request && settle_own(owners, &count, answer.request) &&
		    settle_give_sample(s, i, &answer))
			continue;
		if (!answer.request && settle_sample_may_tell(s, task)) {
			held_keep(held, i, cpu_ns / n);
		} else {
			s->nobodys_samples++;
			s->nobodys_ns += cpu_ns / n;
		}
	}
	for (unsigned i = 0; i < count; i++)
		settle_give_time(s, owners[i].request, 0, cpu_ns * owners[i].samples / n,
			       wall_ns * owners[i].samples / n);
}

static void settle_learn(struct settling *s, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i < last; i++) {
		const struct handler_mark *mark = &s->held->marks[i];
		const struct turn_work work = { .at_ns = s->held->stacks->samples[i].at_ns, .inside = mark->inside };

		if (!settle_kernels(s, i) &&
		    (mark->inside || !mark->task.number || mark->task.number == s->turn->loop_task))
			turn_learn(s->turn, &work);
	}
}

/* kept: samples of earlier turns, at the beginning. */
static void settle_samples(struct settling *s, uint32_t kept)
{
	const struct turn *turn = s->turn;
	const struct stacks *stacks = s->held ? s->held->stacks : NULL;
	uint32_t first = kept, last, n = stacks ? stacks->n_samples : kept;
	uint64_t from_ns = turn->start_ns, from_cpu_ns = turn->start_cpu_ns;

	settle_learn(s, kept, n);
	for (unsigned i = 0; i <= turn->count; i++) {
		bool end = i == turn->count;
		uint64_t to_ns = end ? s->end_ns : turn->events[i].at_ns;
		uint64_t to_cpu_ns = end ? s->end_cpu_ns : turn->events[i].cpu_ns;

		last = first;
		while (last < n && (end || settle_kernels(s, last) ||
				    stacks->samples[last].at_ns < to_ns))
			last++;
		settle_stretch(s, i, first, last, from_ns, to_cpu_ns - from_cpu_ns,
				    to_ns - from_ns);
		first = last;
		from_ns = to_ns;
		from_cpu_ns = to_cpu_ns;
	}
}

/*
 * Of the kernel's stacks no task is known, but most of them are of the call that is the next event.
 * What is older than the turn is of the wait before it, which is nobody's work.
 */
static void settle_kernel(struct settling *s, uint32_t first)
{
	const struct stacks *stacks = s->held->stacks;

	for (uint32_t i = first; i < stacks->n_samples; i++) {
		struct turn_answer answer;

		if (!settle_kernels(s, i) || stacks->samples[i].at_ns < s->turn->start_ns)
			continue;
		answer = turn_whose_kernel(s->turn, stacks->samples[i].at_ns);
		if (!answer.request || !settle_give_sample(s, i, &answer))
			s->nobodys_samples++;
	}
}

/*
 * What the call that waited read or wrote. Of one that moved nothing only its own task tells: what came
 * before and comes after is about other sockets.
 */
static struct turn_answer settle_whose_call(const struct turn *turn, const struct wait_record *wait,
					  const struct turn_work *work)
{
	for (unsigned i = 0; i < turn->count; i++)
		if (turn->events[i].call_ns == wait->end_ns)
			return (struct turn_answer){ turn->events[i].request, TURN_CERTAIN };
	if (work->task && work->task != turn->loop_task)
		return turn_whose(turn, work);
	return (struct turn_answer){ NULL, TURN_NOBODY };
}

static void settle_wait(struct settling *s, uint32_t index)
{
	const struct wait_record *wait = &s->held->stacks->waits.records[index];
	const struct turn_work work = { .at_ns = wait->at_ns, .task = s->held->wait_tasks[index] };
	struct turn_answer answer;

	if (wait->kind == WAIT_SOCKET || wait->kind == WAIT_BODY || wait->kind == WAIT_SEND)
		answer = settle_whose_call(s->turn, wait, &work);
	else
		answer = turn_whose(s->turn, &work);
	if (!answer.request || !track_keep(answer.request)) {
		s->nobodys_waits += wait->count;
		return;
	}
	if (answer.request->profiled) {
		const struct held_to to = settle_to(&answer);

		held_give_wait(s->thread, index, &to);
	}
	track_let_go(answer.request);
}

/* ---- what was given to threads of pools ---- */

/* For whom works the task that gave it away? */
static struct turn_answer settle_whose_handed(const struct settling *s, const struct handed_task *task,
					    bool earlier)
{
	struct turn_work work = { .at_ns = task->at_ns, .task = task->task };

	return earlier ? turn_whose_earlier(s->turn, &work) : turn_whose(s->turn, &work);
}

/* False: that is not known yet. */
static bool settle_handed(struct settling *s, unsigned number, bool earlier)
{
	struct turn_answer answer = { NULL, TURN_NOBODY };
	struct handed_task task;
	struct handed_work work;

	if (!handed_later(number, s->turn, &task))
		return true;
	answer = settle_whose_handed(s, &task, earlier);
	if (answer.request && !track_keep(answer.request))
		answer.request = NULL;
	if (!answer.request && settle_may_tell(s, task.task, task.coroutine))
		return false;
	work = handed_told(number, s->turn, answer.request);
	if (work.samples)
		stray_give_work(answer.request, &work);
	if (answer.request)
		track_let_go(answer.request);
	return true;
}

static void settle_all_handed(struct settling *s)
{
	struct turn *turn = s->turn;
	uint16_t n = 0;

	for (unsigned i = 0; i < turn->n_handed; i++)
		if (!settle_handed(s, turn->handed[i], i < turn->n_handed_before))
			turn->handed[n++] = turn->handed[i];
	turn->n_handed = n;
}

static void settle_busy(struct settling *s)
{
	struct held *held = s->held;
	uint32_t kept = 0;

	if (held) {
		const struct stacks *stacks = held->stacks;

		settle_learn_tasks(s);
		for (uint32_t i = 0; i < stacks->waits.count; i++)
			settle_wait(s, i);
		control_count(CONTROL_lost_waits, stacks->waits.lost);
		control_count(CONTROL_lost_buffer_full, stacks->lost);
		control_count(CONTROL_lost_nested, stacks->nested);
		control_count(CONTROL_lost_kernel, stacks->kernel_lost);
		kept = held->kept;
		held->kept = 0;
		settle_earlier(s, kept);
		settle_kernel(s, kept);
	}
	settle_samples(s, kept);
	if (held)
		s->nobodys_samples += held_end(held, s->thread->tid);
}

/* No request was open: all that is to be known is which tasks ran. */
static void settle_idle(struct settling *s)
{
	uint32_t kept;

	if (!s->held)
		return;
	settle_learn_tasks(s);
	kept = s->held->kept;
	s->held->kept = 0;
	settle_earlier(s, kept);
	s->nobodys_samples += held_end(s->held, s->thread->tid);
}

void settle_turn(struct settling *s)
{
	if (s->turn->open_most == 0 && s->turn->count == 0)
		settle_idle(s);
	else
		settle_busy(s);
	settle_all_handed(s);
}

void settle_done(struct settling *s)
{
	for (unsigned i = 0; i < s->n_served; i++)
		track_connection_done(s->served[i].open);
}
