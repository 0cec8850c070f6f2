#include "preload/track/track.h"

#include "preload/sigsafe/monotonic.h"
#include "preload/track/current.h"
#include "preload/track/endpoints.h"
#include "preload/track/happened.h"
#include "preload/track/outbound.h"
#include "preload/track/self.h"
#include "preload/track/spin.h"
#include "preload/track/turns.h"

void track_accepted(int listener, int fd)
{
	if (!track_callbacks)
		return;
	if (slots_get(listener) < SLOT_POINTER_MIN && slots_get(listener) != SLOT_LISTENER)
		slots_exchange(listener, SLOT_LISTENER, NULL);
	endpoints_reset(fd, SLOT_ACCEPTED);
}

void track_arrived(int fd)
{
	if (track_callbacks)
		endpoints_reset(fd, SLOT_UNKNOWN);
}

/*
 * What led to this connection was for whom it is made. Where the loop calls back, it may be somebody's timer that has run
 * out; and of requests that were sent at once any that is owed something may be the one that it is made for.
 */
static void descriptors_tell_turn(struct request *working_for)
{
	struct turn *turn = track_self.turn;

	if (!turn || !turn->running)
		return;
	if (!working_for && turn->count > 0)
		turn->events[turn->count - 1].cut = true;
	if (!working_for || turn_calls_back(turn))
		return;
	request_ref(working_for);
	turns_event(working_for, true, true, true);
}

void track_connected(int fd)
{
	struct request *working_for;
	struct outbound *o;

	if (!track_callbacks)
		return;
	current_notice_ended();
	working_for = current_working_for();
	/* Who it is for may show by what is sent. */
	o = working_for || track_self.turn ? endpoints_new_outbound(working_for) : NULL;
	endpoints_reset(fd, o ? (slot_value)o : SLOT_OUTBOUND);
	if (o)
		descriptors_tell_turn(working_for);
}

void track_duplicated(int from, int to)
{
	slot_value value = slots_get(from);

	if (!track_callbacks || from == to)
		return;
	if (value >= SLOT_POINTER_MIN)
		__atomic_fetch_add(&((struct endpoint *)value)->refs, 1, __ATOMIC_ACQ_REL);
	else if (value == SLOT_NOT)
		value = SLOT_UNKNOWN; /* cheaper than growing a leaf for it */
	endpoints_reset(to, value);
}

/* A task that comes to wait until it can write works for whoever reads it. */
void track_epoll_changed(int fd)
{
	slot_value value = slots_get(fd);
	struct connection *c;
	struct request *r = NULL;
	uint64_t task;

	if (!track_self.turn || !track_self.turn->running || !endpoints_is(value, ENDPOINT_CONNECTION))
		return;
	task = track_callbacks->turn_task();
	if (!task || task == track_self.turn->loop_task)
		return;
	c = (struct connection *)endpoints_lock(fd, value);
	if (!c)
		return;
	/* Of several that were sent at once, any may be answered by what is about to be written. */
	if (c->first && !c->first->next_in_queue) {
		r = c->first;
		request_ref(r);
	}
	spin_unlock(&c->endpoint.lock);
	if (r)
		turns_event(r, true, true, true);
}

void track_shutdown_write(int fd)
{
	struct connection_events events = { 0 };
	struct connection *c = track_callbacks ? endpoints_lock_connection(fd) : NULL;

	if (!c)
		return;
	connection_over(c, false, monotonic_ns(), &events);
	spin_unlock(&c->endpoint.lock);
	happened_tell(c, &events);
}

void *track_closing(int fd)
{
	slot_value before;

	if (slots_get(fd) == SLOT_UNKNOWN)
		return NULL;
	before = slots_exchange(fd, SLOT_UNKNOWN, NULL);
	return before >= SLOT_POINTER_MIN ? (void *)before : NULL;
}

void track_closed(void *token)
{
	if (!token || !track_callbacks)
		return;
	current_notice_ended();
	endpoints_unref(token);
	/* What ended on this thread has been announced with the connection, unless that lives on. */
	if (track_self.ended && __atomic_load_n(&track_self.ended->released, __ATOMIC_ACQUIRE)) {
		request_unref(track_self.ended);
		track_self.ended = NULL;
	}
}

static bool descriptors_is_clients(slot_value value)
{
	return value == SLOT_ACCEPTED || endpoints_is(value, ENDPOINT_CONNECTION);
}

void track_epoll_added(int epoll_fd, int fd)
{
	slot_value value = slots_get(fd), set = slots_get(epoll_fd);

	if (!track_callbacks || set == SLOT_EPOLL_SERVING)
		return;
	if (descriptors_is_clients(value)) {
		endpoints_reset(epoll_fd, SLOT_EPOLL_SERVING);
		return;
	}
	if (set == SLOT_EPOLL_LISTENING)
		return;
	if (value == SLOT_UNKNOWN && endpoints_is_listener(fd)) {
		value = SLOT_LISTENER;
		slots_replace(fd, SLOT_UNKNOWN, SLOT_LISTENER);
	}
	if (value == SLOT_LISTENER)
		endpoints_reset(epoll_fd, SLOT_EPOLL_LISTENING);
}
