#include "preload/track/turns.h"

#include <string.h>

#include "preload/track/connection.h"
#include "preload/track/current.h"
#include "preload/track/handing.h"
#include "preload/track/holds.h"
#include "preload/track/pool.h"
#include "preload/track/self.h"
#include "preload/track/track.h"

static struct pool turn_pool = { .object_size = (sizeof(struct turn) + 15) / 16 * 16 };

/*
 * Does the process begin with a request that was sent together with others when those before it have been
 * answered (nginx), or with all of them at once (node)? A proxy shows it by when it passes them on.
 */
enum { TURNS_SERIAL_MIN = 4, TURNS_AT_ONCE = UINT32_MAX };
static uint32_t turns_in_order; /* atomic: those seen to have waited; or TURNS_AT_ONCE, for ever */

static bool turns_serial(void)
{
	uint32_t seen = __atomic_load_n(&turns_in_order, __ATOMIC_RELAXED);

	return seen >= TURNS_SERIAL_MIN && seen != (uint32_t)TURNS_AT_ONCE;
}

void turns_passed_on(const struct request *r)
{
	uint32_t seen = __atomic_load_n(&turns_in_order, __ATOMIC_RELAXED);

	if (seen == (uint32_t)TURNS_AT_ONCE)
		return;
	if (!r && connection_waiting() > 0)
		__atomic_store_n(&turns_in_order, (uint32_t)TURNS_AT_ONCE, __ATOMIC_RELAXED);
	else if (r && r->start_ns != r->first_byte_ns && seen < TURNS_SERIAL_MIN)
		__atomic_compare_exchange_n(&turns_in_order, &seen, seen + 1, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
}

/* How many requests the thread's work could be for. */
static void turns_count_open(struct turn *turn)
{
	uint32_t waiting = connection_waiting();
	uint32_t open = __atomic_load_n(&track_requests_alive, __ATOMIC_RELAXED) + waiting;

	if (turn->serial)
		open -= waiting, waiting = 0;
	if (open > turn->open_most)
		turn->open_most = open;
	if (waiting > 0)
		turn->hidden = true;
}

void turns_begin(void)
{
	struct turn *turn = track_self.turn;

	turn->running = true;
	turn->serial = turns_serial();
	turn->hidden = false;
	turn->open_most = 0;
	turns_count_open(turn);
	track_callbacks->turn_begins(turn);
}

/* Lets go of the first so many events of the turn that has been settled. */
static void turns_drop(struct turn *turn, unsigned count)
{
	turn->running = false;
	turn->count = 0;
	for (unsigned i = 0; i < count; i++) {
		holds_drop(turn->events[i].request);
		request_unref(turn->events[i].request);
	}
}

static void turns_settle(struct turn *turn, bool waits)
{
	track_callbacks->turn_ends(turn, waits, __atomic_load_n(&track_requests_open, __ATOMIC_RELAXED) == 0);
	turn_remember(turn);
	turn->n_handed_before = turn->n_handed;
}

/* In the middle of a turn, with the one event there may be, from which it is known whose work comes next. */
static void turns_go_on(struct turn *turn)
{
	struct turn_event *last = &turn->events[0];

	turn->goes_on = true;
	if (turn->count > 0) {
		turns_begin();
		last->at_ns = turn->start_ns;
		last->cpu_ns = turn->start_cpu_ns;
		last->before = false;
		last->call_ns = 0;
	} else {
		track_waited(false);
	}
	turn->goes_on = false;
}

/* How many events are about requests that have ended? */
static unsigned turns_count_ended(const struct turn *turn)
{
	unsigned n = 0;

	for (unsigned i = 0; i < turn->count; i++)
		n += request_has_ended(turn->events[i].request);
	return n;
}

bool track_done(void)
{
	const struct turn *turn = track_self.turn;

	return turn && turn->running && !turn->asleep && turn->count > 0 && turns_count_ended(turn) == turn->count;
}

/* Settled so far. Who has not been answered yet, and was seen last, may be who goes on after the sleep. */
static void turns_sleep_apart(struct turn *turn)
{
	struct turn_event last = { .request = NULL };

	turns_settle(turn, false);
	for (unsigned i = turn->count; i-- > 0 && !last.request;)
		if (request_is_open(turn->events[i].request))
			last = turn->events[i];
	if (last.request)
		request_ref(last.request);
	turns_drop(turn, turn->count);
	if (!last.request)
		return;
	turn->events[0] = last;
	turn->count = 1;
	turn->asleep = true;
}

void turns_sleep(void)
{
	struct turn *turn = track_self.turn;

	if (turns_count_ended(turn) > 0) {
		turns_sleep_apart(turn);
		return;
	}
	turn->asleep = true;
	for (unsigned i = 0; i < turn->count; i++)
		holds_drop(turn->events[i].request);
}

/* All of them, or none is left: without the event of a request that others have finished, work would seem to be that of
 * those beside it. */
static void turns_take_again(struct turn *turn)
{
	unsigned n = 0;

	turn->asleep = false;
	while (n < turn->count && holds_take(turn->events[n].request))
		n++;
	if (n == turn->count)
		return;
	for (unsigned i = 0; i < turn->count; i++) {
		if (i < n)
			holds_drop(turn->events[i].request);
		request_unref(turn->events[i].request);
	}
	turn->count = 0;
	turn->hidden = true;
}

void turns_woken(void)
{
	struct turn *turn = track_self.turn;

	if (turn->asleep)
		turns_take_again(turn);
	if (!turn->running)
		turns_go_on(turn);
}

void turns_end(void)
{
	struct turn *turn = track_self.turn;

	if (turn->asleep)
		turns_woken();
	if (!turn->running)
		return;
	turns_settle(turn, true);
	turns_drop(turn, turn->count);
}

/*
 * There is no room for more events: the turn goes on as another one, which begins with the last of them.
 * That tells whose work comes next.
 */
static void turns_split(struct turn *turn)
{
	struct turn_event last = turn->events[turn->count - 1];

	turns_settle(turn, false);
	turns_drop(turn, turn->count - 1);
	turn->events[turn->count++] = last;
	turns_go_on(turn);
}

/* A task that sends something may have answered, and go on. */
static void turns_look_at_task(struct turn *turn, struct turn_event *event)
{
	struct handed_task task = { 0 };

	if (!event->sent || !event->task || event->task == turn->loop_task || !track_callbacks->task)
		return;
	track_callbacks->task(&task);
	event->coroutine = task.coroutine;
	turn->coroutines = turn->coroutines || task.coroutine;
}

void turns_event(struct request *r, bool before, bool after, bool sent)
{
	struct turn *turn = track_self.turn;
	struct turn_event *event;

	if (turn->asleep)
		turns_woken();
	if (!turn->running)
		turns_begin();
	if (!__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE) || !holds_take(r)) {
		request_unref(r);
		return;
	}
	turns_count_open(turn);
	turn->watched = 0;
	event = &turn->events[turn->count++];
	*event = (struct turn_event){
		.request = r, .before = before, .after = after, .sent = sent, .begins = !before && after && sent,
		.several = track_self.several && !turn->serial,
		.connection = track_self.several ? NULL : track_self.followed,
		.call_ns = track_self.io_ns
	};
	track_callbacks->turn_event(event);
	turns_look_at_task(turn, event);
	/* Not before the next event, which tells of the call that it comes from. */
	if (turn->count == TURN_EVENTS_MAX)
		turns_split(turn);
}

/* From now on the thread is an event loop. */
static bool turns_take(void)
{
	if (!track_callbacks->turn_ends)
		return false;
	track_self.turn = pool_get(&turn_pool);
	if (!track_self.turn)
		return false;
	memset((char *)track_self.turn + sizeof(void *), 0, sizeof(*track_self.turn) - sizeof(void *));
	return true;
}

bool turns_look_for_loop(bool waits)
{
	if (track_self.turn || !track_self.current || (!waits && (track_self.blocked || !track_self.polls)) ||
	    !request_is_open(track_self.current))
		return false;
	return turns_take();
}

void turns_look_for_pipeline(void)
{
	if (track_self.turn || !track_self.keeps || !track_self.several || !turns_take())
		return;
	current_put_down();
	current_let_go_of_ended();
}

void turns_leave(void)
{
	struct turn *turn = track_self.turn;

	if (!turn)
		return;
	turns_end();
	handing_forget(turn);
	turn_forget(turn);
	track_self.turn = NULL;
	pool_put(&turn_pool, turn);
}

bool track_in_turns(void)
{
	return track_self.turn != NULL;
}

enum { TURNS_WATCHED_MAX = 4 };

/*
 * No request is open, but the loop has something to do: tasks that go on when theirs has been answered, or were begun by it.
 * They are to be known from before when the next one begins.
 */
static bool turns_watch(struct turn *turn, bool only_looked)
{
	if (!only_looked)
		turn->watched = TURNS_WATCHED_MAX;
	if (!turn->coroutines || turn->watched == TURNS_WATCHED_MAX ||
	    __atomic_load_n(&track_requests_alive, __ATOMIC_RELAXED) > 0)
		return false;
	turn->watched++;
	return true;
}

void track_waited(bool only_looked)
{
	struct turn *turn = track_self.turn;

	if (turn && !turn->running &&
	    (__atomic_load_n(&track_requests_open, __ATOMIC_RELAXED) > 0 || turns_watch(turn, only_looked)))
		turns_begin();
}

void turns_postfork_child(void)
{
	pool_postfork_child(&turn_pool);
}
