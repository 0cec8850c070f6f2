#include "preload/track/track.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "preload/sigsafe/raw.h"
#include "preload/track/arrived.h"
#include "preload/track/connection.h"
#include "preload/track/outbound.h"
#include "preload/track/pool.h"
#include "preload/track/secure.h"
#include "preload/track/sessions.h"
#include "preload/track/spin.h"

static const struct track_callbacks *callbacks;
bool track_pools; /* atomic: a thread has answered what another one read */
static uint64_t requests_begun; /* atomic */
static uint32_t requests_open;  /* atomic: of those that are profiled */
static uint32_t requests_alive; /* atomic: begun and not ended, profiled or not */

static struct pool connection_pool = { .object_size = (sizeof(struct connection) + 15) / 16 * 16 };
static struct pool outbound_pool = { .object_size = (sizeof(struct outbound) + 15) / 16 * 16 };
static struct pool turn_pool = { .object_size = (sizeof(struct turn) + 15) / 16 * 16 };

/* The thread's own: nobody else touches it. Both hold a reference; current also a hold. */
static __thread struct {
	struct request *current;
	struct request *ended; /* ended on this thread, to be let go at its next quiet moment */
	uint32_t tid;          /* 0: not asked for yet */
	/* The secure connection that ciphertext was last written to; only compared. NULL when a write of
	 * plain text begins. */
	const struct connection *flushed;
	uint64_t io_ns; /* when the call ended whose bytes are followed, if the hook knows; 0: it does not */
	int reading; /* the descriptor whose bytes are being followed, plus 1; 0: none, or not received from it */
	bool several;      /* what is being followed is several requests' */
	bool polls;        /* it has waited for descriptors that bring work, as event loops do */
	bool blocked;      /* it has waited in a lock since it took up `current` */
	bool stray;        /* nobody knows for whom it works: maybe for `current`; its sampling is the stray's */
	bool parked;       /* it waits in a lock: there is no hold on `current` */
	struct turn *turn; /* not NULL: the thread serves several requests at a time, and `current` stays NULL */
} self;

void track_start(const struct track_callbacks *cb)
{
	callbacks = cb;
}

struct request *track_current(void)
{
	return self.current;
}

static uint64_t track_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- holds: who still works for a request ---- */

static bool track_hold(struct request *r)
{
	uint32_t holds = __atomic_load_n(&r->holds, __ATOMIC_ACQUIRE);

	/* Never from zero: then it has been announced as finished. */
	while (holds > 0)
		if (__atomic_compare_exchange_n(&r->holds, &holds, holds + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

static void track_drop_hold(struct request *r)
{
	if (__atomic_sub_fetch(&r->holds, 1, __ATOMIC_ACQ_REL) == 0)
		callbacks->finished(r);
}

bool track_keep(struct request *r)
{
	return track_hold(r);
}

void track_let_go(struct request *r)
{
	track_drop_hold(r);
}

/* Lets go of the hold that its end has, whoever comes first. */
static void track_release(struct request *r)
{
	if (!__atomic_exchange_n(&r->released, 1, __ATOMIC_ACQ_REL))
		track_drop_hold(r);
}

/* ---- the current request of a thread ---- */

/* Awake again, or something is done in a signal handler of the host's meanwhile. */
static void track_unpark(void)
{
	struct request *r = self.current;
	bool kept;

	if (!self.parked)
		return;
	self.parked = false;
	kept = track_hold(r);
	if (!self.stray)
		callbacks->unparked(r, kept);
	if (kept)
		return;
	self.current = NULL;
	request_unref(r);
}

static void track_put_down(void)
{
	struct request *r;

	track_unpark();
	r = self.current;
	if (!r)
		return;
	self.current = NULL;
	if (!self.stray)
		callbacks->paused(r);
	track_drop_hold(r);
	request_unref(r);
}

/* ---- threads of pools ---- */

/*
 * Where a pool's threads take requests over, a thread that has no request, or has slept in a lock
 * since it did something for one, may work for any. What it writes next tells whose work that was.
 */
static void track_stray(void)
{
	if (self.turn || self.stray || !callbacks->stray_begins ||
	    !__atomic_load_n(&track_pools, __ATOMIC_RELAXED))
		return;
	if (self.current)
		callbacks->paused(self.current);
	self.stray = callbacks->stray_begins();
	if (self.current && !self.stray)
		callbacks->resumed(self.current);
}

/* It shows, or (NULL) will not. */
static void track_stray_ends(struct request *r)
{
	if (!self.stray)
		return;
	self.stray = false;
	callbacks->stray_ends(r, __atomic_load_n(&requests_open, __ATOMIC_RELAXED) > 0);
}

/* Before what a write of r's did is announced. */
static void track_answers(struct request *r)
{
	if (self.turn || !callbacks->stray_begins || !__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE))
		return;
	if (r->reader != &self)
		__atomic_store_n(&track_pools, true, __ATOMIC_RELAXED);
	if (self.stray) {
		track_stray_ends(r);
		self.stray = callbacks->stray_begins();
	} else if (self.current == r || r->reader == &self) {
		return;
	}
	if (self.current != r)
		track_put_down();
	track_stray();
	if (!self.stray || self.current || !r->profiled || !track_hold(r))
		return;
	/* Maybe it goes on with it. */
	request_ref(r);
	self.current = r;
}

static void track_let_go_of_ended(void)
{
	struct request *r = self.ended;

	self.ended = NULL;
	if (r) {
		track_release(r);
		request_unref(r);
	}
}

/* ---- turns of an event loop ---- */

/* How many requests the thread's work could be for. */
static void track_count_open(struct turn *turn)
{
	uint32_t waiting = connection_waiting();
	uint32_t open = __atomic_load_n(&requests_alive, __ATOMIC_RELAXED) + waiting;

	if (open > turn->open_most)
		turn->open_most = open;
	if (waiting > 0)
		turn->hidden = true;
}

static void track_turn_begins(void)
{
	struct turn *turn = self.turn;

	turn->running = true;
	turn->hidden = false;
	turn->open_most = 0;
	track_count_open(turn);
	callbacks->turn_begins(turn);
}

/* waits: for new work; else there only is no room for more events. */
static void track_turn_ends(bool waits)
{
	struct turn *turn = self.turn;
	struct turn_event *events = turn->events;
	unsigned count = turn->count;

	if (!turn->running)
		return;
	callbacks->turn_ends(turn, waits, __atomic_load_n(&requests_open, __ATOMIC_RELAXED) == 0);
	turn_remember(turn);
	turn->running = false;
	turn->count = 0;
	for (unsigned i = 0; i < count; i++) {
		track_drop_hold(events[i].request);
		request_unref(events[i].request);
	}
	if (!waits)
		track_turn_begins();
}

/* Something was read or written for r. Takes over one reference. */
static void track_turn_event(struct request *r, bool before, bool after, bool sent)
{
	struct turn *turn = self.turn;
	struct turn_event *event;

	if (!turn->running)
		track_turn_begins();
	if (turn->count == TURN_EVENTS_MAX)
		track_turn_ends(false);
	if (!__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE) || !track_hold(r)) {
		request_unref(r);
		return;
	}
	track_count_open(turn);
	event = &turn->events[turn->count++];
	*event = (struct turn_event){
		.request = r, .before = before, .after = after, .sent = sent, .several = self.several
	};
	callbacks->turn_event(event);
}

/* From now on the thread is an event loop. */
static bool track_take_turns(void)
{
	if (!callbacks->turn_ends)
		return false;
	self.turn = pool_get(&turn_pool);
	if (!self.turn)
		return false;
	memset((char *)self.turn + sizeof(void *), 0, sizeof(*self.turn) - sizeof(void *));
	return true;
}

/*
 * The thread goes to wait for new work, or turns to another request, and its own is not done: that
 * is how an event loop is known. (A thread of a pool may have waited in a lock for the other one, or
 * taken it from a queue, and its own be another thread's by now.) True when it is one from now on.
 */
static bool track_look_for_loop(bool waits)
{
	if (self.turn || !self.current || (!waits && (self.blocked || !self.polls)) ||
	    __atomic_load_n(&self.current->state, __ATOMIC_ACQUIRE) != REQUEST_OPEN)
		return false;
	return track_take_turns();
}

/*
 * A server with a thread for each connection answers pipelined requests one after the other. An event
 * loop may run all their handlers before it writes the first answer.
 */
static void track_look_for_pipeline(void)
{
	if (self.turn || !self.polls || !self.several || !track_take_turns())
		return;
	track_put_down();
	track_let_go_of_ended();
}

static void track_leave_turns(void)
{
	struct turn *turn = self.turn;

	if (!turn)
		return;
	track_turn_ends(true);
	turn_forget(turn);
	self.turn = NULL;
	pool_put(&turn_pool, turn);
}

/* ---- taking up and putting down ---- */

/* After each step of its connection: a head may come in pieces. */
static void track_tell_head(struct request *r)
{
	if (r->head_told || r->in.any.stage == WIRE_HEAD)
		return;
	r->head_told = true;
	callbacks->head(r);
}

/* Takes over one reference to r. begins: it did so with this call. */
static void track_take_up(struct request *r, bool begins)
{
	if (self.stray) {
		track_stray_ends(begins ? NULL : r);
		if (self.current == r)
			callbacks->resumed(r);
	}
	if (self.current == r)
		track_tell_head(r);
	if (self.current == r || !__atomic_load_n(&r->begun, __ATOMIC_ACQUIRE) ||
	    __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != REQUEST_OPEN || !track_hold(r)) {
		request_unref(r);
		return;
	}
	if (track_look_for_loop(false)) {
		track_put_down();
		track_let_go_of_ended();
		track_drop_hold(r);
		track_turn_event(r, false, true, false);
		return;
	}
	track_put_down();
	track_let_go_of_ended();
	/* Without a profile nobody asks who works for it, and a thread that ends would not let go of it. */
	if (!r->profiled) {
		track_drop_hold(r);
		request_unref(r);
		return;
	}
	self.current = r;
	self.blocked = false;
	callbacks->resumed(r);
	track_tell_head(r);
}

/* A request that another thread has ended is no longer ours to work for. */
static void track_notice_ended(void)
{
	track_unpark();
	if (self.current &&
	    __atomic_load_n(&self.current->state, __ATOMIC_ACQUIRE) == REQUEST_ENDED) {
		track_put_down();
		track_stray();
	}
}

static void track_quiet(void)
{
	if (self.turn)
		track_turn_ends(true);
	track_stray_ends(NULL);
	track_put_down();
	track_let_go_of_ended();
}

/* ---- what connections report ---- */

/*
 * CLOCK_REALTIME less CLOCK_MONOTONIC, so that a moment read from one is known by the other. A reading of
 * a clock costs as much as half a head's parsing in some virtual machines, so the difference, which only a step of the
 * wall clock changes, is taken ten times a second.
 */
static uint64_t track_wall_less_monotonic(uint64_t now_ns)
{
	enum { GOOD_FOR_NS = 100000000 };
	static uint64_t difference_ns, taken_ns; /* both atomic; written in this order */
	uint64_t taken = __atomic_load_n(&taken_ns, __ATOMIC_ACQUIRE);

	if (!taken || now_ns - taken >= GOOD_FOR_NS) {
		struct timespec wall;

		clock_gettime(CLOCK_REALTIME, &wall);
		taken = track_now();
		__atomic_store_n(&difference_ns,
				 (uint64_t)wall.tv_sec * 1000000000u + (uint64_t)wall.tv_nsec - taken,
				 __ATOMIC_RELAXED);
		__atomic_store_n(&taken_ns, taken, __ATOMIC_RELEASE);
	}
	return __atomic_load_n(&difference_ns, __ATOMIC_RELAXED);
}

static void track_began(struct request *r)
{
	r->start_unix_ns = r->start_ns + track_wall_less_monotonic(r->start_ns);
	r->serial = __atomic_add_fetch(&requests_begun, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->holds, 1, __ATOMIC_RELEASE);
	__atomic_fetch_add(&requests_alive, 1, __ATOMIC_RELAXED);
	r->reader = &self;
	callbacks->began(r);
	if (r->profiled && self.reading && r->start_ns == r->first_byte_ns && !r->prompt)
		r->arrived_known = arrived_before(self.reading - 1, r->start_ns,
						  r->start_ns + r->prepared_ns, &r->arrived_ns);
	if (r->profiled)
		__atomic_fetch_add(&requests_open, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&r->begun, true, __ATOMIC_RELEASE);
}

/*
 * May its profile be written now? When the client knows by the response's own framing that it has
 * everything, yes. When it waits for the connection to close, the close comes first: the client's
 * latency is not ours to spend. Nor when the TLS library left it to the host to write the ciphertext.
 */
static bool track_client_has_all(const struct connection *c, const struct request *r)
{
	if (c->secure && self.flushed != c)
		return false;
	return r->end == REQUEST_COMPLETE && !r->out.any.closes && request_facts(r)->keep_alive;
}

/* Takes over the queue's reference. c is NULL when the connection is gone. */
static void track_ended(struct connection *c, struct request *r)
{
	struct request *older = NULL;

	if (!self.tid)
		self.tid = (uint32_t)raw_gettid();
	r->end_tid = self.tid;
	__atomic_fetch_sub(&requests_alive, 1, __ATOMIC_RELAXED);
	if (r->profiled)
		__atomic_fetch_sub(&requests_open, 1, __ATOMIC_RELAXED);
	if (self.current == r) {
		track_put_down();
		track_stray();
	}
	if (self.turn) {
		request_ref(r);
		track_turn_event(r, true, false, c != NULL);
	}
	if (!c || !r->profiled || track_client_has_all(c, r)) {
		track_release(r);
		request_unref(r);
		return;
	}
	track_let_go_of_ended();
	request_ref(r);
	spin_lock(&c->endpoint.lock);
	older = c->finished;
	c->finished = r;
	spin_unlock(&c->endpoint.lock);
	self.ended = r;
	if (older) {
		track_release(older);
		request_unref(older);
	}
}

/* With the connection unlocked. */
static void track_happened(struct connection *c, const struct connection_events *events)
{
	if (events->abandoned)
		callbacks->connection_abandoned();
	if (events->dropped)
		callbacks->pipeline_dropped(events->dropped);
	if (events->pushed)
		callbacks->pushed(events->pushed);
	for (unsigned i = 0; i < events->count; i++) {
		if (events->list[i].kind == CONNECTION_BEGAN)
			track_began(events->list[i].request);
		else
			track_ended(c, events->list[i].request);
	}
}

/* ---- endpoints and slots ---- */

static struct endpoint *track_lock(int fd, slot_value value)
{
	struct endpoint *e = (struct endpoint *)value;

	spin_lock(&e->lock);
	if (slots_get(fd) == value)
		return e;
	/* Closed and perhaps used again meanwhile: not the socket this call was about. */
	spin_unlock(&e->lock);
	return NULL;
}

static void track_end_connection(struct connection *c)
{
	struct connection_events events;
	struct request *finished;

	sessions_remove(c);
	if (secure_unseen(c))
		callbacks->tls_unseen();
	do {
		events = (struct connection_events){ 0 };
		spin_lock(&c->endpoint.lock);
		connection_over(c, true, track_now(), &events);
		spin_unlock(&c->endpoint.lock);
		track_happened(NULL, &events);
	} while (events.more);
	spin_lock(&c->endpoint.lock);
	finished = c->finished;
	c->finished = NULL;
	spin_unlock(&c->endpoint.lock);
	if (finished) {
		track_release(finished);
		request_unref(finished);
	}
	pool_put(&connection_pool, c);
}

static void track_end_outbound(struct outbound *o)
{
	spin_lock(&o->endpoint.lock);
	outbound_stop(o);
	spin_unlock(&o->endpoint.lock);
	pool_put(&outbound_pool, o);
}

static void track_unref_endpoint(struct endpoint *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (e->kind == ENDPOINT_CONNECTION)
		track_end_connection((struct connection *)e);
	else
		track_end_outbound((struct outbound *)e);
}

/* Gives fd's slot a new meaning; what it stood for before ends here (a close that we did not see). */
static void track_reset(int fd, slot_value value)
{
	slot_value before = slots_exchange(fd, value, NULL);

	if (before >= SLOT_POINTER_MIN)
		track_unref_endpoint((struct endpoint *)before);
}

static struct connection *track_new_connection(void)
{
	struct connection *c = pool_get(&connection_pool);
	struct request *leftover;

	if (!c)
		return NULL;
	spin_lock(&c->endpoint.lock);
	/* Put there by a thread that did not yet know that the connection had gone. */
	leftover = c->finished;
	connection_start(c);
	c->endpoint.kind = ENDPOINT_CONNECTION;
	c->endpoint.refs = 1;
	spin_unlock(&c->endpoint.lock);
	request_unref(leftover);
	return c;
}

static bool track_is_stream_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return raw_syscall6(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&len, 0) ==
		       0 &&
	       type == SOCK_STREAM;
}

static bool track_is_listener(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return raw_syscall6(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, (long)&listens,
			    (long)&len, 0) == 0 &&
	       listens;
}

static void track_address(long call, int fd, struct request_address *address)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof(storage);

	if (raw_syscall3(call, fd, (long)&storage, (long)&len) < 0)
		return;
	if (storage.ss_family == AF_INET)
		memcpy(&address->u.in, &storage, sizeof(address->u.in));
	else if (storage.ss_family == AF_INET6)
		memcpy(&address->u.in6, &storage, sizeof(address->u.in6));
	else
		address->u.any.sa_family = storage.ss_family;
}

/*
 * The first bytes read from a descriptor that nobody judged yet. Looking at the bytes comes first:
 * it is free, and nearly every file and pipe is ruled out by it.
 */
static slot_value track_judge(int fd, slot_value value, const void *bytes, size_t len)
{
	enum wire_protocol protocol = bytes ? wire_sniff(bytes, len) : WIRE_NONE;
	struct connection *c;

	if (protocol == WIRE_NONE ||
	    (value == SLOT_UNKNOWN && (!track_is_stream_socket(fd) || track_is_listener(fd)))) {
		slots_replace(fd, value, SLOT_NOT);
		return SLOT_NOT;
	}
	c = track_new_connection();
	if (!c)
		return SLOT_NOT;
	c->adopted = value == SLOT_UNKNOWN;
	track_address(SYS_getpeername, fd, &c->peer);
	if (!slots_replace(fd, value, (slot_value)c)) {
		pool_put(&connection_pool, c);
		return SLOT_NOT;
	}
	return (slot_value)c;
}

/* ---- I/O ---- */

/* The request that the calling thread works for at this moment, as far as that is known; NULL: none. */
static struct request *track_working_for(void)
{
	return self.turn ? turn_working_for(self.turn, callbacks->turn_task()) : self.current;
}

static bool track_over(const struct request *r)
{
	return !r || __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == REQUEST_ENDED;
}

static void track_outbound_io(int fd, slot_value value, const void *bytes, size_t len, bool sent)
{
	struct request *r, *working_for = sent ? track_working_for() : NULL;
	struct outbound *o = (struct outbound *)track_lock(fd, value);
	bool relays = false;

	if (!o)
		return;
	/*
	 * A pooled connection, now the current request's: when its own has ended, or when another thread
	 * sent on it before, whose request may still be busy with its response. To one thread it stays
	 * the open request's, whatever came before it in an event loop's turn.
	 */
	if (working_for && (track_over(o->request) || (o->sender && o->sender != &self)))
		outbound_rebind(o, working_for);
	if (sent) {
		o->asked = true;
		o->sender = &self;
		relays = outbound_sent(o, bytes, len, self.turn);
	}
	r = o->request;
	if (r)
		request_ref(r);
	spin_unlock(&o->endpoint.lock);
	if (!r)
		return;
	if (relays && __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) == REQUEST_OPEN) {
		track_address(SYS_getsockname, fd, &r->upstream);
		r->role = REQUEST_PROXY;
	}
	/* Sockets of a pool's thread's may be those of whom it worked for before. */
	if (self.turn)
		track_turn_event(r, true, true, sent);
	else if (self.stray)
		request_unref(r);
	else
		track_take_up(r, false);
}

enum track_side track_side(int fd)
{
	slot_value value = slots_get(fd);

	if (value == SLOT_ACCEPTED)
		return TRACK_CLIENT;
	if (value == SLOT_OUTBOUND)
		return TRACK_PEER;
	if (value < SLOT_POINTER_MIN)
		return TRACK_OTHER;
	return ((struct endpoint *)value)->kind == ENDPOINT_OUTBOUND ? TRACK_PEER : TRACK_CLIENT;
}

bool track_answered(int fd)
{
	slot_value value = slots_get(fd);
	struct outbound *o;
	bool answered;

	if (value < SLOT_POINTER_MIN || ((struct endpoint *)value)->kind != ENDPOINT_OUTBOUND)
		return false;
	o = (struct outbound *)track_lock(fd, value);
	if (!o)
		return false;
	answered = o->asked && o->request &&
		   (self.turn ? !track_over(o->request) : o->request == self.current);
	o->asked = false;
	spin_unlock(&o->endpoint.lock);
	return answered;
}

/* What bytes of a connection are; plain text is a secure one's. */
enum track_bytes { TRACK_RECEIVED, TRACK_SENT, TRACK_RECEIVED_PLAIN, TRACK_SENT_PLAIN };

static size_t track_feed(struct connection *c, const void *bytes, size_t len, enum track_bytes what,
			 struct connection_events *events)
{
	uint64_t now = self.io_ns ? self.io_ns : track_now();
	bool sends = what == TRACK_SENT || what == TRACK_SENT_PLAIN;
	size_t used = len;

	if (c->secure && what == TRACK_RECEIVED) {
		secure_received(c, bytes, len);
	} else if (c->secure && what == TRACK_SENT) {
		secure_sent(c, len, now);
		self.flushed = c;
	} else {
		used = sends ? connection_sent(c, bytes, len, now, events) :
			       connection_received(c, bytes, len, now, events);
	}
	if (what == TRACK_SENT_PLAIN)
		secure_sent_plain(c, used, self.flushed == c);
	if (c->records.hello && !c->listed)
		sessions_add(c);
	return used;
}

static bool track_begins(const struct connection_events *events, const struct request *r)
{
	for (unsigned i = 0; i < events->count; i++) {
		if (events->list[i].kind == CONNECTION_BEGAN && events->list[i].request == r)
			return true;
	}
	return false;
}

/* With the connection locked; unlocks it. Returns how many of the bytes have been followed: if not all,
 * call again with the rest. */
static size_t track_connection_step(struct connection *c, const void *bytes, size_t len,
				    enum track_bytes what, bool *more)
{
	bool sends = what == TRACK_SENT || what == TRACK_SENT_PLAIN;
	struct connection_events events;
	struct request *open, *answered;
	size_t used;

	events.count = events.dropped = events.pushed = 0;
	events.abandoned = events.more = false;
	answered = sends ? c->first : NULL;
	if (answered)
		request_ref(answered);
	self.several = !c->streams && connection_several(c);
	used = track_feed(c, bytes, len, what, &events);
	self.several = self.several || connection_several(c);
	open = c->first;
	if (open)
		request_ref(open);
	spin_unlock(&c->endpoint.lock);
	track_look_for_pipeline();
	if (answered)
		track_answers(answered);
	request_unref(answered);
	track_happened(c, &events);
	if (open && self.turn)
		track_turn_event(open, !track_begins(&events, open), true, sends);
	else if (open && self.stray && sends)
		request_unref(open);
	else if (open)
		track_take_up(open, track_begins(&events, open));
	self.several = false;
	*more = events.more;
	return used;
}

static void track_connection_io(int fd, slot_value value, const void *bytes, size_t len, bool sent)
{
	struct connection *c;
	bool more = true;

	self.reading = sent ? 0 : fd + 1;
	while (more && (c = (struct connection *)track_lock(fd, value))) {
		size_t used = track_connection_step(c, bytes, len,
						    sent ? TRACK_SENT : TRACK_RECEIVED, &more);

		bytes = bytes ? (const char *)bytes + used : NULL;
		len -= used;
	}
	self.reading = 0;
}

void track_tls(const struct track_session *session, const void *bytes, size_t len, bool sent)
{
	struct connection *c;
	bool more = true;

	if (!callbacks || len == 0)
		return;
	track_notice_ended();
	c = sessions_find(session->random, session->object);
	if (!c)
		return;
	while (more) {
		size_t used;

		spin_lock(&c->endpoint.lock);
		used = track_connection_step(c, bytes, len,
					     sent ? TRACK_SENT_PLAIN : TRACK_RECEIVED_PLAIN, &more);
		bytes = bytes ? (const char *)bytes + used : NULL;
		len -= used;
	}
	track_unref_endpoint(&c->endpoint);
}

void track_tls_writing(void)
{
	self.flushed = NULL;
}

static void track_io(int fd, const void *bytes, size_t len, bool sent)
{
	slot_value value = slots_get(fd);

	if (!callbacks || value == SLOT_NOT || len == 0)
		return;
	track_notice_ended();
	if (value == SLOT_UNKNOWN || value == SLOT_ACCEPTED) {
		if (sent) /* a server that speaks first is not one of ours, but it may be a file */
			return;
		value = track_judge(fd, value, bytes, len);
	}
	if (value == SLOT_OUTBOUND && sent && track_working_for()) {
		track_connected(fd);
		value = slots_get(fd);
	}
	if (value < SLOT_POINTER_MIN)
		return;
	if (((struct endpoint *)value)->kind == ENDPOINT_OUTBOUND)
		track_outbound_io(fd, value, bytes, len, sent);
	else
		track_connection_io(fd, value, bytes, len, sent);
}

void track_moved_at(uint64_t at_ns)
{
	self.io_ns = at_ns;
}

void track_received(int fd, const void *bytes, size_t len)
{
	track_io(fd, bytes, len, false);
	self.io_ns = 0;
}

void track_sent(int fd, const void *bytes, size_t len)
{
	track_io(fd, bytes, len, true);
	self.io_ns = 0;
}

static void track_io_vector(int fd, const struct iovec *parts, size_t count, size_t len, bool sent)
{
	for (size_t i = 0; i < count && len > 0; i++) {
		size_t part = parts[i].iov_len < len ? parts[i].iov_len : len;

		if (part > 0)
			track_io(fd, parts[i].iov_base, part, sent);
		len -= part;
	}
	self.io_ns = 0;
}

void track_received_vector(int fd, const struct iovec *parts, size_t count, size_t len)
{
	track_io_vector(fd, parts, count, len, false);
}

void track_sent_vector(int fd, const struct iovec *parts, size_t count, size_t len)
{
	track_io_vector(fd, parts, count, len, true);
}

/* ---- descriptors come and go ---- */

void track_accepted(int listener, int fd)
{
	if (!callbacks)
		return;
	if (slots_get(listener) < SLOT_POINTER_MIN && slots_get(listener) != SLOT_LISTENER)
		slots_exchange(listener, SLOT_LISTENER, NULL);
	track_reset(fd, SLOT_ACCEPTED);
}

void track_arrived(int fd)
{
	if (callbacks)
		track_reset(fd, SLOT_UNKNOWN);
}

void track_connected(int fd)
{
	struct request *working_for;
	struct outbound *o;

	if (!callbacks)
		return;
	track_notice_ended();
	working_for = track_working_for();
	o = working_for ? pool_get(&outbound_pool) : NULL;
	if (!o) {
		track_reset(fd, SLOT_OUTBOUND);
		return;
	}
	spin_lock(&o->endpoint.lock);
	o->endpoint.kind = ENDPOINT_OUTBOUND;
	o->endpoint.refs = 1;
	outbound_start(o, working_for);
	spin_unlock(&o->endpoint.lock);
	track_reset(fd, (slot_value)o);
}

void track_duplicated(int from, int to)
{
	slot_value value = slots_get(from);

	if (!callbacks || from == to)
		return;
	if (value >= SLOT_POINTER_MIN)
		__atomic_fetch_add(&((struct endpoint *)value)->refs, 1, __ATOMIC_ACQ_REL);
	else if (value == SLOT_NOT)
		value = SLOT_UNKNOWN; /* cheaper than growing a leaf for it */
	track_reset(to, value);
}

/* A task that comes to wait until it can write works for whoever reads it. */
void track_epoll_changed(int fd)
{
	slot_value value = slots_get(fd);
	struct connection *c;
	struct request *r = NULL;
	uint64_t task;

	if (!self.turn || !self.turn->running || value < SLOT_POINTER_MIN ||
	    ((struct endpoint *)value)->kind != ENDPOINT_CONNECTION)
		return;
	task = callbacks->turn_task();
	if (!task || task == self.turn->loop_task)
		return;
	c = (struct connection *)track_lock(fd, value);
	if (!c)
		return;
	/* Of several that were sent at once, any may be answered by what is about to be written. */
	if (c->first && !c->first->next_in_queue) {
		r = c->first;
		request_ref(r);
	}
	spin_unlock(&c->endpoint.lock);
	if (r)
		track_turn_event(r, true, true, true);
}

void track_shutdown_write(int fd)
{
	slot_value value = slots_get(fd);
	struct connection_events events = { 0 };
	struct connection *c;

	if (!callbacks || value < SLOT_POINTER_MIN ||
	    ((struct endpoint *)value)->kind != ENDPOINT_CONNECTION)
		return;
	c = (struct connection *)track_lock(fd, value);
	if (!c)
		return;
	connection_over(c, false, track_now(), &events);
	spin_unlock(&c->endpoint.lock);
	track_happened(c, &events);
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
	if (!token || !callbacks)
		return;
	track_notice_ended();
	track_unref_endpoint(token);
	/* What ended on this thread has been announced with the connection, unless that lives on. */
	if (self.ended && __atomic_load_n(&self.ended->released, __ATOMIC_ACQUIRE)) {
		request_unref(self.ended);
		self.ended = NULL;
	}
}

/* ---- waits ---- */

/* Is waiting for this descriptor waiting for new work? */
static bool track_brings_work(int fd)
{
	slot_value value = slots_get(fd);
	const struct connection *c = (const struct connection *)value;

	if (value == SLOT_LISTENER || value == SLOT_ACCEPTED || value == SLOT_EPOLL_SERVING)
		return true;
	if (value < SLOT_POINTER_MIN || c->endpoint.kind != ENDPOINT_CONNECTION)
		return false;
	return self.turn || __atomic_load_n(&c->first, __ATOMIC_RELAXED) != self.current;
}

static bool track_has_work(void)
{
	return callbacks && (self.current || self.ended || self.stray || (self.turn && self.turn->running));
}

/* Before a look at what a thread waits for. True: it has no request whose wait this could be. */
static bool track_is_idle(void)
{
	track_notice_ended();
	return !self.current && !(self.turn && self.turn->running);
}

static void track_wait_for_work(void)
{
	track_look_for_loop(true);
	track_quiet();
}

void track_wait_accept(void)
{
	if (track_has_work())
		track_quiet();
}

void track_wait_epoll(int epoll_fd)
{
	bool serves = slots_get(epoll_fd) == SLOT_EPOLL_SERVING;

	if (serves)
		self.polls = true;
	if (track_has_work() && ((track_is_idle() && !self.stray) || serves))
		track_wait_for_work();
}

/* In an event loop that has nobody's sockets to wait for, that is a wait for new work, too. */
static bool track_waits_for_peer(int fd)
{
	slot_value value = slots_get(fd);

	return value == SLOT_OUTBOUND ||
	       (value >= SLOT_POINTER_MIN && ((struct endpoint *)value)->kind == ENDPOINT_OUTBOUND);
}

/* Event loops wait for several descriptors, or for one that stands for several: for new ones, and for those they have. */
static void track_wait_among(bool several)
{
	if (!several && !self.turn) {
		track_quiet();
		return;
	}
	self.polls = self.polls || several;
	track_wait_for_work();
}

static bool track_waits_for_several(int count, const fd_set *read_set, const fd_set *write_set)
{
	int n = 0;

	for (int fd = 0; fd < count && fd < FD_SETSIZE && n < 2; fd++)
		n += (read_set && FD_ISSET(fd, read_set)) || (write_set && FD_ISSET(fd, write_set));
	return n > 1;
}

void track_wait_poll(const struct pollfd *fds, size_t count)
{
	bool idle, peer = false;

	if (!track_has_work())
		return;
	idle = track_is_idle() && !self.stray;
	for (size_t i = 0; fds && i < count && !idle; i++) {
		idle = fds[i].fd >= 0 && track_brings_work(fds[i].fd);
		peer = peer || (fds[i].fd >= 0 && track_waits_for_peer(fds[i].fd));
	}
	if (idle || (self.turn && !peer))
		track_wait_among(count > 1 || (fds && count == 1 && slots_get(fds[0].fd) == SLOT_EPOLL_SERVING));
}

void track_wait_select(int count, const fd_set *read_set, const fd_set *write_set)
{
	bool idle, peer = false;

	if (!track_has_work())
		return;
	idle = track_is_idle() && !self.stray;
	for (int fd = 0; fd < count && fd < FD_SETSIZE && !idle; fd++) {
		if (!((read_set && FD_ISSET(fd, read_set)) ||
		      (write_set && FD_ISSET(fd, write_set))))
			continue;
		idle = track_brings_work(fd);
		peer = peer || track_waits_for_peer(fd);
	}
	if (idle || (self.turn && !peer))
		track_wait_among(track_waits_for_several(count, read_set, write_set));
}

bool track_parks(void)
{
	return self.current && !self.parked && callbacks->parked;
}

void track_park(void)
{
	struct request *r = self.current;

	self.blocked = true;
	if (!self.stray)
		callbacks->parked(r);
	self.parked = true;
	track_drop_hold(r);
}

void track_woken(void)
{
	track_unpark();
}

void track_goes_on(void)
{
	track_stray();
}

bool track_in_turns(void)
{
	return self.turn != NULL;
}

void track_waited(void)
{
	if (self.turn && !self.turn->running && __atomic_load_n(&requests_open, __ATOMIC_RELAXED))
		track_turn_begins();
}

void track_epoll_added(int epoll_fd, int fd)
{
	slot_value value = slots_get(fd);
	bool serves = value == SLOT_LISTENER || value == SLOT_ACCEPTED ||
		      (value >= SLOT_POINTER_MIN &&
		       ((struct endpoint *)value)->kind == ENDPOINT_CONNECTION);

	if (!callbacks || slots_get(epoll_fd) == SLOT_EPOLL_SERVING)
		return;
	if (!serves && value == SLOT_UNKNOWN && track_is_listener(fd)) {
		serves = true;
		slots_replace(fd, SLOT_UNKNOWN, SLOT_LISTENER);
	}
	if (serves)
		track_reset(epoll_fd, SLOT_EPOLL_SERVING);
}

/* ---- ends ---- */

void track_thread_ends(void)
{
	if (track_has_work())
		track_quiet();
	track_leave_turns();
}

unsigned track_postfork_child(void)
{
	unsigned lost = self.current != NULL;

	self.current = self.ended = NULL;
	self.parked = self.stray = false;
	self.turn = NULL; /* its events are the parent's */
	self.tid = 0;
	requests_open = requests_alive = 0;
	pool_postfork_child(&connection_pool);
	pool_postfork_child(&outbound_pool);
	pool_postfork_child(&turn_pool);
	connection_postfork_child();
	sessions_postfork_child();
	for (size_t i = 0; i < SLOTS_LEAVES; i++) {
		slot_value *leaf = i == 0 ? slots_first_leaf : slots_leaves[i];

		for (size_t j = 0; leaf && j < SLOTS_LEAF; j++) {
			struct endpoint *e = (struct endpoint *)leaf[j];

			if (leaf[j] < SLOT_POINTER_MIN)
				continue;
			e->lock = 0;
			if (e->kind == ENDPOINT_CONNECTION) {
				connection_forget((struct connection *)e);
			} else {
				((struct outbound *)e)->request = NULL;
				((struct outbound *)e)->probe = NULL;
				((struct outbound *)e)->judged = true;
			}
		}
	}
	return lost;
}
