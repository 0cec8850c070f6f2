#include "preload/track/track.h"

#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/current.h"
#include "preload/track/dormant.h"
#include "preload/track/endpoints.h"
#include "preload/track/happened.h"
#include "preload/track/holds.h"
#include "preload/track/outbound.h"
#include "preload/track/secure.h"
#include "preload/track/self.h"
#include "preload/track/sessions.h"
#include "preload/track/spin.h"
#include "preload/track/strays.h"
#include "preload/track/turns.h"

static bool io_over(const struct request *r)
{
	return !r || request_has_ended(r);
}

static void io_outbound(int fd, slot_value value, const void *bytes, size_t len, bool sent)
{
	struct request *r, *working_for = sent ? current_working_for() : NULL;
	struct outbound *o = (struct outbound *)endpoints_lock(fd, value);
	enum outbound_tells tells = OUTBOUND_NOTHING;

	if (!o)
		return;
	/*
	 * A pooled connection, now the current request's: when its own has ended, or when another thread
	 * sent on it before, whose request may still be busy with its response. To one thread it stays
	 * the open request's, whatever came before it in an event loop's turn.
	 */
	if (working_for && (io_over(o->request) || (o->sender && o->sender != &track_self)))
		outbound_rebind(o, working_for);
	else if (sent && track_self.turn && o->request && io_over(o->request))
		outbound_rebind(o, NULL);
	if (sent) {
		tells = outbound_sent(o, bytes, len, track_self.turn);
		o->asked = true;
		o->sender = &track_self;
	}
	r = o->request;
	if (r)
		request_ref(r);
	spin_unlock(&o->endpoint.lock);
	if (tells != OUTBOUND_NOTHING && track_self.turn)
		turns_passed_on(tells == OUTBOUND_RELAYS ? r : NULL);
	if (!r)
		return;
	if (tells == OUTBOUND_RELAYS && request_is_open(r)) {
		endpoints_address(SYS_getsockname, fd, &r->upstream);
		r->role = REQUEST_PROXY;
	}
	/* Sockets of a pool's thread's may be those of whom it worked for before. */
	if (track_self.turn)
		turns_event(r, true, true, sent);
	else if (track_self.stray)
		request_unref(r);
	else
		current_take_up(r, false);
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

const struct connection *track_connection(int fd, struct request **open)
{
	struct connection *c = endpoints_lock_connection(fd);

	*open = NULL;
	if (!c)
		return NULL;
	if (!c->streams && c->first && !connection_several(c) && c->first->in.any.stage != WIRE_HEAD) {
		*open = c->first;
		request_ref(*open);
	}
	spin_unlock(&c->endpoint.lock);
	if (*open && !holds_take(*open)) {
		request_unref(*open);
		*open = NULL;
	}
	return c;
}

void track_connection_done(struct request *open)
{
	if (!open)
		return;
	holds_drop(open);
	request_unref(open);
}

bool track_answered(int fd)
{
	slot_value value = slots_get(fd);
	struct outbound *o;
	bool answered;

	if (!endpoints_is(value, ENDPOINT_OUTBOUND))
		return false;
	o = (struct outbound *)endpoints_lock(fd, value);
	if (!o)
		return false;
	answered = o->asked && o->request &&
		   (track_self.turn ? !io_over(o->request) : o->request == track_self.current);
	o->asked = false;
	spin_unlock(&o->endpoint.lock);
	return answered;
}

/* What bytes of a connection are; plain text is a secure one's. */
enum io_bytes { IO_RECEIVED, IO_SENT, IO_RECEIVED_PLAIN, IO_SENT_PLAIN };

static size_t io_feed(struct connection *c, const void *bytes, size_t len, enum io_bytes what,
			 struct connection_events *events)
{
	uint64_t now = track_self.io_ns ? track_self.io_ns : monotonic_ns();
	bool sends = what == IO_SENT || what == IO_SENT_PLAIN;
	size_t used = len;

	if (c->secure && what == IO_RECEIVED) {
		secure_received(c, bytes, len);
	} else if (c->secure && what == IO_SENT) {
		secure_sent(c, len, now);
		track_self.flushed = c;
	} else {
		used = sends ? connection_sent(c, bytes, len, now, events) :
			       connection_received(c, bytes, len, now, events);
	}
	if (what == IO_SENT_PLAIN)
		secure_sent_plain(c, used, track_self.flushed == c);
	if (c->records.hello && !c->listed)
		sessions_add(c);
	return used;
}

static bool io_begins(const struct connection_events *events, const struct request *r)
{
	for (unsigned i = 0; i < events->count; i++) {
		if (events->list[i].kind == CONNECTION_BEGAN && events->list[i].request == r)
			return true;
	}
	return false;
}

/* A connection or an outbound socket: are these bytes nobody's, since profiling is switched off? */
static bool io_sleeps(struct endpoint *e, const void *bytes, size_t len, bool sent)
{
	enum dormant_step step = dormant_step(e, bytes, len, sent, track_callbacks->off);

	if (step == DORMANT_HEAD)
		track_callbacks->passed_over();
	return step != DORMANT_WAKES;
}

/* With the connection locked; unlocks it if true: from these bytes on, which were received, it sleeps. */
static bool io_falls_asleep(struct connection *c)
{
	if (!track_callbacks->off || !track_callbacks->off() || !dormant_falls(c))
		return false;
	spin_unlock(&c->endpoint.lock);
	track_callbacks->passed_over();
	return true;
}

/* With the connection locked; unlocks it. Returns how many of the bytes have been followed: if not all,
 * call again with the rest. */
static size_t io_connection_step(struct connection *c, const void *bytes, size_t len,
				    enum io_bytes what, bool *more)
{
	bool sends = what == IO_SENT || what == IO_SENT_PLAIN;
	struct connection_events events;
	struct request *open, *answered;
	bool whole;
	size_t used;

	*more = false;
	if (!sends && io_falls_asleep(c))
		return len;
	events.count = events.dropped = events.pushed = 0;
	events.abandoned = events.more = false;
	answered = sends ? c->first : NULL;
	if (answered)
		request_ref(answered);
	track_self.several = !c->streams && connection_several(c);
	used = io_feed(c, bytes, len, what, &events);
	track_self.several = track_self.several || connection_several(c);
	track_self.followed = c->streams ? NULL : c;
	open = c->first;
	if (open)
		request_ref(open);
	whole = !open || open->in.any.stage == WIRE_DONE;
	spin_unlock(&c->endpoint.lock);
	turns_look_for_pipeline();
	if (answered)
		strays_answered(answered);
	request_unref(answered);
	happened_tell(c, &events);
	if (open && track_self.turn)
		turns_event(open, !io_begins(&events, open), true, sends);
	else if (open && sends && (track_self.stray || (io_begins(&events, open) && strays_begun(open))))
		request_unref(open);
	else if (open)
		current_take_up(open, io_begins(&events, open));
	/* A pool's thread may leave the rest to others, and go on with something that it need not read. */
	if (!sends && !whole)
		strays_begin(false);
	track_self.several = false;
	track_self.followed = NULL;
	*more = events.more;
	return used;
}

static void io_connection(int fd, slot_value value, const void *bytes, size_t len, bool sent)
{
	struct connection *c;
	bool more = true;

	track_self.reading = sent ? 0 : fd + 1;
	while (more && (c = (struct connection *)endpoints_lock(fd, value))) {
		size_t used = io_connection_step(c, bytes, len,
						    sent ? IO_SENT : IO_RECEIVED, &more);

		bytes = bytes ? (const char *)bytes + used : NULL;
		len -= used;
	}
	track_self.reading = 0;
}

void track_tls(const struct track_session *session, const void *bytes, size_t len, bool sent)
{
	struct connection *c;
	bool more = true;

	if (!track_callbacks || len == 0)
		return;
	current_notice_ended();
	c = sessions_find(session->random, session->object);
	if (!c)
		return;
	while (more) {
		size_t used;

		spin_lock(&c->endpoint.lock);
		used = io_connection_step(c, bytes, len,
					     sent ? IO_SENT_PLAIN : IO_RECEIVED_PLAIN, &more);
		bytes = bytes ? (const char *)bytes + used : NULL;
		len -= used;
	}
	endpoints_unref(&c->endpoint);
}

void track_tls_writing(void)
{
	track_self.flushed = NULL;
}

static void io_moved(int fd, const void *bytes, size_t len, bool sent)
{
	slot_value value = slots_get(fd);

	if (!track_callbacks || value == SLOT_NOT || len == 0)
		return;
	if (value >= SLOT_POINTER_MIN && io_sleeps((struct endpoint *)value, bytes, len, sent))
		return;
	current_notice_ended();
	if (value == SLOT_UNKNOWN || value == SLOT_ACCEPTED) {
		if (sent) /* a server that speaks first is not one of ours, but it may be a file */
			return;
		value = endpoints_judge(fd, value, bytes, len);
	}
	if (value == SLOT_OUTBOUND && sent && (track_self.turn || current_working_for())) {
		track_connected(fd);
		value = slots_get(fd);
	}
	if (value < SLOT_POINTER_MIN)
		return;
	if (((struct endpoint *)value)->kind == ENDPOINT_OUTBOUND)
		io_outbound(fd, value, bytes, len, sent);
	else
		io_connection(fd, value, bytes, len, sent);
}

void track_moved_at(uint64_t at_ns)
{
	track_self.io_ns = at_ns;
}

void track_received(int fd, const void *bytes, size_t len)
{
	io_moved(fd, bytes, len, false);
	track_self.io_ns = 0;
}

void track_sent(int fd, const void *bytes, size_t len)
{
	io_moved(fd, bytes, len, true);
	track_self.io_ns = 0;
}

static void io_moved_vector(int fd, const struct iovec *parts, size_t count, size_t len, bool sent)
{
	for (size_t i = 0; i < count && len > 0; i++) {
		size_t part = parts[i].iov_len < len ? parts[i].iov_len : len;

		if (part > 0)
			io_moved(fd, parts[i].iov_base, part, sent);
		len -= part;
	}
	track_self.io_ns = 0;
}

void track_received_vector(int fd, const struct iovec *parts, size_t count, size_t len)
{
	io_moved_vector(fd, parts, count, len, false);
}

void track_sent_vector(int fd, const struct iovec *parts, size_t count, size_t len)
{
	io_moved_vector(fd, parts, count, len, true);
}
