#include "preload/track/turn.h"

#include <stddef.h>

#include "preload/track/connection.h"

/*
 * Nobody's work is for a request that had not begun, or that still lay in the kernel. Once it has ended, it is
 * its tail.
 */
static struct turn_answer turn_answer(struct request *r, uint64_t at_ns, enum turn_sure sure)
{
	if (!r || at_ns < r->start_ns || at_ns < r->first_byte_ns)
		return (struct turn_answer){ NULL, TURN_NOBODY };
	return (struct turn_answer){ r, sure };
}

/* Events are in order of time: how many came up to this moment. */
static unsigned turn_events_until(const struct turn *turn, uint64_t at_ns)
{
	unsigned n = turn->count;

	while (n > 0 && turn->events[n - 1].at_ns > at_ns)
		n--;
	return n;
}

/* The task's next event, if that tells of what was before it. */
static const struct turn_event *turn_next(const struct turn *turn, unsigned from, uint64_t task)
{
	for (unsigned i = from; i < turn->count; i++) {
		if (turn->events[i].task == task)
			return turn->events[i].before ? &turn->events[i] : NULL;
	}
	return NULL;
}

static const struct turn_event *turn_previous(const struct turn *turn, unsigned until,
					      uint64_t task)
{
	for (unsigned i = until; i-- > 0;) {
		if (turn->events[i].task == task)
			return &turn->events[i];
	}
	return NULL;
}

static struct request *turn_remembered(const struct turn *turn, uint64_t task)
{
	const struct turn_task *t = &turn->tasks[task % TURN_TASKS_MAX];

	return task && t->task == task && request_is_open(t->request) ? t->request : NULL;
}

/*
 * The read that called it back, unless something was done for another request in between, or it
 * brought several: then their handlers run one after the other, and nothing tells where one ends.
 */
static struct turn_answer turn_whose_callback(const struct turn *turn, const struct turn_work *work,
					      unsigned until)
{
	struct request *r = until > 0 ? turn->events[until - 1].request : NULL;

	for (unsigned i = until; i-- > 0 && turn->events[i].request == r;) {
		if (!turn->events[i].sent && turn->events[i].several)
			break;
		if (!turn->events[i].sent)
			return turn_answer(r, work->at_ns, TURN_CERTAIN);
	}
	return (struct turn_answer){ NULL, TURN_NOBODY };
}

/* What happens next on the connection that the task works for; NULL: nothing in this turn, or it is not known. */
static const struct turn_event *turn_next_there(const struct turn *turn, const struct turn_work *work,
						unsigned until)
{
	for (unsigned i = until; work->connection && i < turn->count; i++) {
		if (turn->events[i].connection == work->connection)
			return &turn->events[i];
	}
	return NULL;
}

/* next: what happens next on its connection. It had answered: the connection's next request begins later. */
static bool turn_had_answered(const struct turn_work *work, const struct turn_event *next)
{
	return work->past || (next && !next->before);
}

static struct turn_answer turn_whose_connection(const struct turn_work *work, const struct turn_event *next)
{
	return turn_answer(next ? next->request : work->open, work->at_ns, TURN_INFERRED);
}

/* A task's own reads and writes. What it does leads to its next write, whatever it read before. */
static struct turn_answer turn_whose_task(const struct turn *turn, const struct turn_work *work,
					  unsigned until)
{
	const struct turn_event *next = turn_next(turn, until, work->task);
	const struct turn_event *previous = turn_previous(turn, until, work->task);
	struct request *r = NULL;

	if (next)
		return turn_answer(next->request, work->at_ns,
				   previous && previous->request == next->request ? TURN_CERTAIN
										  : TURN_INFERRED);
	if (previous)
		r = previous->request;
	else if (work->lives)
		r = turn_remembered(turn, work->task);
	return turn_answer(r, work->at_ns, TURN_INFERRED);
}

/*
 * How many of the requests that began with another one's answer has nothing been read or written for since,
 * up to that event? Their turn comes when nobody reads: what they lead to need not show. *one: the first.
 */
static unsigned turn_owed(const struct turn *turn, unsigned until, struct request **one)
{
	unsigned owed = 0;

	for (unsigned i = 0; i < until; i++) {
		const struct turn_event *event = &turn->events[i];
		unsigned next = i + 1;

		if (!event->begins)
			continue;
		while (next < until && turn->events[next].request != event->request)
			next++;
		if (next == until && owed++ == 0 && one)
			*one = event->request;
	}
	return owed;
}

/* Between these events, may something have been done that one of those was owed, and may it not show? */
static bool turn_owes(const struct turn *turn, unsigned until)
{
	const struct turn_event *previous = until > 0 ? &turn->events[until - 1] : NULL;
	const struct turn_event *next = until < turn->count ? &turn->events[until] : NULL;
	struct request *one = NULL;
	unsigned owed = turn_owed(turn, until, &one);

	if (owed == 0 || (owed == 1 && next && next->before && next->request == one))
		return false;
	return !next || !next->before || previous->begins || !previous->after ||
	       previous->request != next->request;
}

void turn_learn(struct turn *turn, const struct turn_work *work)
{
	unsigned until = turn_events_until(turn, work->at_ns);
	const struct turn_event *previous = until > 0 ? &turn->events[until - 1] : NULL;
	const struct turn_event *next = until < turn->count ? &turn->events[until] : NULL;

	if (work->inside)
		turn->inside++;
	else if (previous && previous->after && !previous->sent && next && next->before && next->sent &&
		 previous->request == next->request)
		turn->outside++;
}

enum { TURN_INSIDE_PER_OUTSIDE = 4 };

bool turn_calls_back(const struct turn *turn)
{
	return turn->inside / TURN_INSIDE_PER_OUTSIDE > turn->outside ||
	       (turn->inside > 0 && turn->outside == 0);
}

/* Without tasks: may what was done between these two have been for any request, whatever they are about? */
static bool turn_is_anybodys(const struct turn *turn, unsigned until)
{
	const struct turn_event *previous = until > 0 ? &turn->events[until - 1] : NULL;
	const struct turn_event *next = until < turn->count ? &turn->events[until] : NULL;

	return turn->hidden || (next && next->several) || (previous && (previous->several || previous->cut)) ||
	       turn_owes(turn, until);
}

/*
 * Without tasks only the order tells. That something can be read is no consequence of what was done
 * before; and after a read that did not call it back, or a write in the middle, it may be anybody's
 * turn, unless the same request comes next. What ends with an answer was done for that, unless
 * there are answers that have to wait for others, or this is several requests' answer.
 */
static struct turn_answer turn_whose_order(const struct turn *turn, const struct turn_work *work,
					   unsigned until)
{
	const struct turn_event *previous = until > 0 ? &turn->events[until - 1] : NULL;
	const struct turn_event *next = until < turn->count ? &turn->events[until] : NULL;

	if (turn_is_anybodys(turn, until))
		return (struct turn_answer){ NULL, TURN_NOBODY };
	if (next && next->before && previous && previous->after &&
	    previous->request == next->request)
		return turn_answer(next->request, work->at_ns, TURN_CERTAIN);
	if (next && next->before && next->sent && (!previous || !previous->after || turn_calls_back(turn)))
		return turn_answer(next->request, work->at_ns, TURN_INFERRED);
	if (previous && !previous->after)
		return turn_answer(previous->request, work->at_ns, TURN_INFERRED);
	return (struct turn_answer){ NULL, TURN_NOBODY };
}

/*
 * Where only one request was open in the whole process, who else's work should it have been? That of tasks that are
 * older, or have answered.
 */
static struct turn_answer turn_whose_alone(const struct turn *turn, uint64_t at_ns, uint64_t task)
{
	struct turn_answer answer = { NULL, TURN_NOBODY };

	if (turn->open_most > 1)
		return answer;
	for (unsigned i = turn->count; i-- > 0 && !answer.request;)
		answer = turn_answer(turn->events[i].request, at_ns, TURN_INFERRED);
	if (!answer.request)
		answer = turn_answer(turn->last, at_ns, TURN_INFERRED);
	if (answer.request && !elders_allow(&turn->elders, task, answer.request))
		return (struct turn_answer){ NULL, TURN_NOBODY };
	return answer;
}

struct turn_answer turn_whose(const struct turn *turn, const struct turn_work *work)
{
	unsigned until = turn_events_until(turn, work->at_ns);
	const struct turn_event *there = turn_next_there(turn, work, until);
	struct turn_answer answer = { NULL, TURN_NOBODY };

	if (turn_had_answered(work, there))
		return answer;
	if (work->inside)
		answer = turn_whose_callback(turn, work, until);
	if (!answer.request)
		answer = turn_whose_connection(work, there);
	if (!answer.request && work->task && work->task != turn->loop_task)
		answer = turn_whose_task(turn, work, until);
	else if (!answer.request)
		answer = turn_whose_order(turn, work, until);
	return answer.request ? answer : turn_whose_alone(turn, work->at_ns, work->task);
}

struct turn_answer turn_whose_earlier(const struct turn *turn, const struct turn_work *work)
{
	const struct turn_event *next = turn_next(turn, 0, work->task);

	return turn_answer(next ? next->request : NULL, work->at_ns, TURN_INFERRED);
}

struct turn_answer turn_whose_between(const struct turn *turn, unsigned events)
{
	const struct turn_event *previous = events > 0 ? &turn->events[events - 1] : NULL;
	const struct turn_event *next = events < turn->count ? &turn->events[events] : NULL;
	uint64_t at_ns = previous ? previous->at_ns : turn->start_ns;

	if (turn_is_anybodys(turn, events))
		return (struct turn_answer){ NULL, TURN_NOBODY };
	if (next && next->before && (next->sent || !previous || !previous->after))
		return turn_answer(next->request, at_ns, TURN_INFERRED);
	if (previous)
		return turn_answer(previous->request, at_ns, TURN_INFERRED);
	return turn_whose_alone(turn, at_ns, 0);
}

struct turn_answer turn_whose_kernel(const struct turn *turn, uint64_t at_ns)
{
	return turn_whose_between(turn, turn_events_until(turn, at_ns));
}

struct request *turn_next_open(const struct turn *turn, unsigned *at)
{
	while (*at < turn->count + TURN_OPEN_MAX) {
		unsigned i = (*at)++;
		struct request *r = i < turn->count ? turn->events[i].request : turn->open[i - turn->count];

		if (request_is_open(r))
			return r;
	}
	return NULL;
}

struct request *turn_working_for(const struct turn *turn, uint64_t task)
{
	const struct turn_event *previous = NULL;

	if (task && task != turn->loop_task) {
		previous = turn_previous(turn, turn->count, task);
		if (!previous)
			return turn_remembered(turn, task);
	} else if (turn->count > 0 &&
		   turn_owed(turn, turn->count, NULL) == turn->events[turn->count - 1].begins) {
		previous = &turn->events[turn->count - 1];
	}
	return previous && request_is_open(previous->request) ? previous->request : NULL;
}

static void turn_keep(struct request **kept, struct request *r)
{
	if (*kept == r)
		return;
	if (r)
		request_ref(r);
	request_unref(*kept);
	*kept = r;
}

static void turn_keep_open(struct turn *turn, struct request *r)
{
	struct request **room = NULL;

	for (unsigned i = 0; i < TURN_OPEN_MAX; i++) {
		if (turn->open[i] == r)
			return;
		if (!request_is_open(turn->open[i]))
			room = &turn->open[i];
	}
	if (room)
		turn_keep(room, r);
}

void turn_remember(struct turn *turn)
{
	for (unsigned i = 0; i < TURN_OPEN_MAX; i++)
		if (!request_is_open(turn->open[i]))
			turn_keep(&turn->open[i], NULL);
	for (unsigned i = 0; i < turn->count; i++) {
		const struct turn_event *event = &turn->events[i];
		struct turn_task *t = &turn->tasks[event->task % TURN_TASKS_MAX];

		turn_keep(&turn->last, event->request);
		elders_did(&turn->elders, event->task, event->coroutine, event->at_ns, event->request);
		elders_follow(&turn->elders, event->request);
		if (!event->task || event->task == turn->loop_task) {
			if (request_is_open(event->request))
				turn_keep_open(turn, event->request);
			continue;
		}
		t->task = event->task;
		turn_keep(&t->request, event->after ? event->request : NULL);
	}
	if (!request_is_open(turn->last))
		turn_keep(&turn->last, NULL);
}

bool turn_has_told(const struct turn *turn, uint64_t task)
{
	return turn_previous(turn, turn->count, task) != NULL;
}

bool turn_may_tell(const struct turn *turn, uint64_t task)
{
	return elders_may_tell(&turn->elders, task);
}

void turn_forget(struct turn *turn)
{
	elders_forget(&turn->elders);
	turn_keep(&turn->last, NULL);
	for (unsigned i = 0; i < TURN_TASKS_MAX; i++)
		turn_keep(&turn->tasks[i].request, NULL);
	for (unsigned i = 0; i < TURN_OPEN_MAX; i++)
		turn_keep(&turn->open[i], NULL);
}
