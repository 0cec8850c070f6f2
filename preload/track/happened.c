#include "preload/track/happened.h"

#include <time.h>

#include "format/nanoseconds.h"
#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/arrived.h"
#include "preload/track/current.h"
#include "preload/track/holds.h"
#include "preload/track/self.h"
#include "preload/track/spin.h"
#include "preload/track/strays.h"
#include "preload/track/track.h"
#include "preload/track/turns.h"

static uint64_t happened_begun; /* atomic */

/*
 * CLOCK_REALTIME less CLOCK_MONOTONIC, so that a moment read from one is known by the other. A reading of
 * a clock costs as much as half a head's parsing in some virtual machines, so the difference, which only a step of the
 * wall clock changes, is taken ten times a second.
 */
static uint64_t happened_wall_less_monotonic(uint64_t now_ns)
{
	enum { GOOD_FOR_NS = 100000000 };
	static uint64_t difference_ns, taken_ns; /* both atomic; written in this order */
	uint64_t taken = __atomic_load_n(&taken_ns, __ATOMIC_ACQUIRE);

	if (!taken || now_ns - taken >= GOOD_FOR_NS) {
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		taken = monotonic_ns();
		__atomic_store_n(&difference_ns, nanoseconds(&wall) - taken, __ATOMIC_RELAXED);
		__atomic_store_n(&taken_ns, taken, __ATOMIC_RELEASE);
	}
	return __atomic_load_n(&difference_ns, __ATOMIC_RELAXED);
}

static void happened_began(struct request *r)
{
	r->start_unix_ns = r->start_ns + happened_wall_less_monotonic(r->start_ns);
	r->serial = __atomic_add_fetch(&happened_begun, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->holds, 1, __ATOMIC_RELEASE);
	__atomic_fetch_add(&track_requests_alive, 1, __ATOMIC_RELAXED);
	r->reader = &track_self;
	track_callbacks->began(r);
	if (r->profiled && track_self.reading && r->start_ns == r->first_byte_ns && !r->prompt)
		r->arrived_known = arrived_before(track_self.reading - 1, r->start_ns,
						  r->start_ns + r->prepared_ns, &r->arrived_ns);
	if (r->profiled)
		__atomic_fetch_add(&track_requests_open, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->begun, true, __ATOMIC_RELEASE);
}

/*
 * May its profile be written now? When the client knows by the response's own framing that it has
 * everything, yes. When it waits for the connection to close, the close comes first: the client's
 * latency is not ours to spend. Nor when the TLS library left it to the host to write the ciphertext.
 */
static bool happened_client_has_all(const struct connection *c, const struct request *r)
{
	if (c->secure && track_self.flushed != c)
		return false;
	return r->end == REQUEST_COMPLETE && !r->out.any.closes && request_facts(r)->keep_alive;
}

/* Takes over the queue's reference. c is NULL when the connection is gone. */
static void happened_ended(struct connection *c, struct request *r)
{
	struct request *older = NULL;

	if (!track_self.tid)
		track_self.tid = (uint32_t)raw_gettid();
	r->end_tid = track_self.tid;
	__atomic_fetch_sub(&track_requests_alive, 1, __ATOMIC_RELAXED);
	if (r->profiled)
		__atomic_fetch_sub(&track_requests_open, 1, __ATOMIC_RELAXED);
	if (track_self.current == r) {
		current_put_down();
		strays_begin(false);
	}
	if (track_self.turn) {
		request_ref(r);
		turns_event(r, true, false, c != NULL);
	}
	if (!c || !r->profiled || happened_client_has_all(c, r)) {
		holds_release(r);
		request_unref(r);
		return;
	}
	current_let_go_of_ended();
	request_ref(r);
	spin_lock(&c->endpoint.lock);
	older = c->finished;
	c->finished = r;
	spin_unlock(&c->endpoint.lock);
	track_self.ended = r;
	if (older) {
		holds_release(older);
		request_unref(older);
	}
}

void happened_tell(struct connection *c, const struct connection_events *events)
{
	if (events->abandoned)
		track_callbacks->connection_abandoned();
	if (events->dropped)
		track_callbacks->pipeline_dropped(events->dropped);
	if (events->pushed)
		track_callbacks->pushed(events->pushed);
	for (unsigned i = 0; i < events->count; i++) {
		if (events->list[i].kind == CONNECTION_BEGAN)
			happened_began(events->list[i].request);
		else
			happened_ended(c, events->list[i].request);
	}
}
