#include "preload/track/connection.h"

#include <string.h>

#include "preload/track/pool.h"
#include "preload/track/secure.h"
#include "preload/track/streams.h"

enum { CONNECTION_PROMPT_NS = 1000000 }; /* the kernel tells how long bytes lay there in milliseconds */

static uint32_t requests_waiting; /* atomic */

static struct pool request_pool = { .object_size = (sizeof(struct request) + 15) / 16 * 16 };

struct request *request_new(void)
{
	struct request *r = pool_get(&request_pool);

	if (!r)
		return NULL;
	/* Everything before the parsers; those clear themselves as far as they need. */
	memset(r, 0, offsetof(struct request, in));
	r->refs = 1;
	return r;
}

void request_ref(struct request *r)
{
	__atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);
}

bool request_try_ref(struct request *r)
{
	uint32_t refs = __atomic_load_n(&r->refs, __ATOMIC_ACQUIRE);

	while (refs > 0)
		if (__atomic_compare_exchange_n(&r->refs, &refs, refs + 1, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return true;
	return false;
}

void request_unref(struct request *r)
{
	if (r && __atomic_sub_fetch(&r->refs, 1, __ATOMIC_ACQ_REL) == 0)
		pool_put(&request_pool, r);
}

void connection_postfork_child(void)
{
	pool_postfork_child(&request_pool);
	streams_postfork_child();
	requests_waiting = 0;
}

void connection_start(struct connection *c)
{
	memset((char *)c + sizeof(struct endpoint), 0, sizeof(*c) - sizeof(struct endpoint));
}

bool connection_several(const struct connection *c)
{
	return c->streams ? streams_several(c->streams) : c->queued > 1;
}

uint32_t connection_waiting(void)
{
	return __atomic_load_n(&requests_waiting, __ATOMIC_RELAXED);
}

static void connection_note(struct connection_events *events, enum connection_event_kind kind,
			    struct request *r)
{
	if (events->count < CONNECTION_EVENTS_MAX)
		events->list[events->count++] = (struct connection_event){ kind, r };
}

void connection_begin(struct request *r, uint64_t start_ns, struct connection_events *events)
{
	r->start_ns = start_ns;
	__atomic_store_n(&r->state, REQUEST_OPEN, __ATOMIC_RELEASE);
	connection_note(events, CONNECTION_BEGAN, r);
}

void connection_end(struct request *r, enum request_end end, uint64_t end_ns,
		    struct connection_events *events)
{
	r->end = end;
	r->end_ns = end_ns > r->start_ns ? end_ns : r->start_ns;
	__atomic_store_n(&r->state, REQUEST_ENDED, __ATOMIC_RELEASE);
	connection_note(events, CONNECTION_ENDED, r);
}

/* Ends the first request, and begins the one queued behind it: a request may start without a read. */
static void connection_end_first(struct connection *c, enum request_end end, uint64_t end_ns,
				 struct connection_events *events)
{
	struct request *r = c->first;

	c->first = r->next_in_queue;
	if (!c->first)
		c->last = NULL;
	c->queued--;
	connection_end(r, end, end_ns, events);
	c->answered_ns = r->end_ns;
	if (!c->first)
		return;
	__atomic_fetch_sub(&requests_waiting, 1, __ATOMIC_RELAXED);
	connection_begin(c->first,
			 end_ns > c->first->first_byte_ns ? end_ns : c->first->first_byte_ns,
			 events);
}

/* Requests that wait behind the first were read but never served: nobody will answer them. */
static void connection_drop_queued(struct connection *c)
{
	struct request *r = c->first ? c->first->next_in_queue : NULL;

	while (r) {
		struct request *next = r->next_in_queue;

		__atomic_fetch_sub(&requests_waiting, 1, __ATOMIC_RELAXED);
		request_unref(r);
		c->queued--;
		r = next;
	}
	if (c->first)
		c->first->next_in_queue = NULL;
	c->last = c->first;
}

static void connection_set_incoming(struct connection *c, struct request *r)
{
	request_unref(c->incoming);
	c->incoming = r;
}

/* No more requests from here. An open one lives on: its response can still be followed. */
static void connection_abandon(struct connection *c, struct connection_events *events)
{
	connection_drop_queued(c);
	connection_set_incoming(c, NULL);
	c->dead = true;
	events->abandoned = true;
}

static void connection_response_start(struct request *r)
{
	if (!r->out_ready)
		wire_response_start(r->protocol, &r->out, &r->in);
	r->out_ready = true;
}

static bool request_read(const struct request *r)
{
	return r->in.any.stage == WIRE_DONE;
}

/* Its body will not be read any more: what comes now is the next request. */
static bool request_withheld(const struct request *r, const uint8_t *bytes, size_t len)
{
	return r->state == REQUEST_ENDED &&
	       wire_request_withheld(r->protocol, &r->in, &r->out, bytes, len);
}

/* Puts a request whose first byte has just been seen in line. */
static bool connection_arrive(struct connection *c, struct request *r, uint64_t now_ns,
			      struct connection_events *events)
{
	r->first_byte_ns = now_ns;
	r->prompt = c->answered_ns && now_ns - c->answered_ns < CONNECTION_PROMPT_NS;
	r->peer = c->peer;
	r->secure = c->secure;
	request_ref(r);
	/* The next head ends a response that has no end of its own. */
	if (c->first && c->first->out_ready && c->first->out.any.started &&
	    c->first->out.any.until_close)
		connection_end_first(c, REQUEST_NEXT, c->first->last_write_ns, events);
	if (c->queued >= (wire_pipelines(c->protocol) ? CONNECTION_QUEUE_MAX : 1)) {
		request_unref(r);
		return false;
	}
	if (c->last)
		c->last->next_in_queue = r;
	else
		c->first = r;
	c->last = r;
	c->queued++;
	if (c->first == r)
		connection_begin(r, now_ns, events);
	else
		__atomic_fetch_add(&requests_waiting, 1, __ATOMIC_RELAXED);
	return true;
}

static void connection_feed(struct connection *c, const uint8_t *bytes, size_t len, uint64_t now_ns,
			    struct connection_events *events)
{
	while (len > 0 && !c->dead) {
		struct request *r = c->incoming;
		bool fresh = false;
		ssize_t used;

		if (!r || request_read(r) || request_withheld(r, bytes, len)) {
			r = request_new();
			if (!r) {
				connection_abandon(c, events);
				return;
			}
			r->connection = c;
			r->protocol = c->protocol;
			wire_request_start(r->protocol, &r->in);
			connection_set_incoming(c, r);
			fresh = true;
		} else if (!r->in.any.started) {
			fresh = true; /* only blank lines so far: it is not in line yet */
		}
		used = wire_request_feed(r->protocol, &r->in, bytes, len);
		if (fresh && used >= 0 && r->in.any.started &&
		    !connection_arrive(c, r, now_ns, events)) {
			events->dropped++;
			used = WIRE_NOT;
		}
		if (used < 0) {
			connection_abandon(c, events);
			return;
		}
		if (r->in.any.stage != WIRE_HEAD)
			connection_response_start(r);
		if (request_read(r) && wire_request_others(c->protocol, &r->in)) {
			events->dropped += wire_request_others(c->protocol, &r->in);
			connection_abandon(c, events);
			return;
		}
		if (bytes)
			bytes += used;
		len -= (size_t)used;
		if (used == 0 && !request_read(r))
			return; /* a parser that neither uses bytes nor ends: never loop on it */
	}
}

/* The first bytes of HTTP/2's preface are in c->sniff, those after `before` also in this read. */
static size_t connection_start_streams(struct connection *c, size_t before, const uint8_t *bytes,
				       size_t len, uint64_t now_ns,
				       struct connection_events *events)
{
	c->streams = streams_new();
	if (!c->streams) {
		connection_abandon(c, events);
		return len;
	}
	streams_received(c, c->sniff, before, now_ns, events);
	return streams_received(c, bytes, len, now_ns, events);
}

/* The client that a load balancer passes on takes the load balancer's place. */
static void connection_take_peer(struct connection *c)
{
	const struct proxy_head *h = &c->proxy;

	if (h->family == 4) {
		memset(&c->peer.u.in, 0, sizeof(c->peer.u.in));
		c->peer.u.in.sin_family = AF_INET;
		c->peer.u.in.sin_port = htons(h->port);
		memcpy(&c->peer.u.in.sin_addr, h->address, sizeof(c->peer.u.in.sin_addr));
	} else if (h->family == 6) {
		memset(&c->peer.u.in6, 0, sizeof(c->peer.u.in6));
		c->peer.u.in6.sin6_family = AF_INET6;
		c->peer.u.in6.sin6_port = htons(h->port);
		memcpy(&c->peer.u.in6.sin6_addr, h->address, sizeof(c->peer.u.in6.sin6_addr));
	}
}

/* Bytes of a PROXY protocol head; how many. What follows is sniffed as if nothing had been there. */
static size_t connection_feed_proxy(struct connection *c, const uint8_t *bytes, size_t len)
{
	ssize_t used = proxy_head_feed(&c->proxy, bytes, len);

	if (used < 0) {
		c->dead = true;
		return len;
	}
	if (c->proxy.ended) {
		connection_take_peer(c);
		c->protocol = WIRE_UNKNOWN;
		c->sniffed = 0;
	}
	return (size_t)used;
}

/* The first bytes, until they show what is spoken. */
static void connection_sniff(struct connection *c, const uint8_t *bytes, size_t len,
			     uint64_t now_ns, struct connection_events *events)
{
	size_t room = sizeof(c->sniff) - c->sniffed;
	size_t take = len < room ? len : room;
	size_t before = c->sniffed;

	memcpy(c->sniff + c->sniffed, bytes, take);
	c->sniffed += (uint8_t)take;
	c->protocol = wire_sniff(c->sniff, c->sniffed);
	if (c->protocol == WIRE_UNKNOWN && c->sniffed < sizeof(c->sniff))
		return;
	if (c->protocol == WIRE_TLS && !c->secure) {
		secure_start(c, before);
		return;
	}
	if (!wire_has_requests(c->protocol) && c->protocol != WIRE_PROXY) {
		c->dead = true;
		return;
	}
	/* What earlier reads brought: then comes this read from its own buffer. */
	if (c->protocol == WIRE_PROXY) {
		proxy_head_start(&c->proxy);
		connection_feed_proxy(c, c->sniff, before);
	} else if (c->protocol != WIRE_HTTP2) {
		connection_feed(c, c->sniff, before, now_ns, events);
	}
}

/* The rest of a request that the server answered with HTTP/2 before it had read it all. */
static size_t connection_feed_upgraded(struct connection *c, const uint8_t *bytes, size_t len)
{
	ssize_t used;

	if (!c->incoming)
		return 0;
	/* Its protocol is that of the response by now. */
	used = wire_request_feed(WIRE_HTTP1, &c->incoming->in, bytes, len);
	if (used < 0)
		c->dead = true;
	if (used < 0 || request_read(c->incoming))
		connection_set_incoming(c, NULL);
	return used < 0 ? 0 : (size_t)used;
}

static size_t connection_received_streams(struct connection *c, const uint8_t *bytes, size_t len,
					  uint64_t now_ns, struct connection_events *events)
{
	size_t used = connection_feed_upgraded(c, bytes, len);

	return used + streams_received(c, bytes ? bytes + used : NULL, len - used, now_ns, events);
}

size_t connection_received(struct connection *c, const void *bytes, size_t len, uint64_t now_ns,
			   struct connection_events *events)
{
	const uint8_t *p = bytes;
	size_t all = len, before;
	bool secure = c->secure;

	if (c->streams)
		return connection_received_streams(c, p, len, now_ns, events);
	if (!bytes && (c->protocol == WIRE_UNKNOWN || c->protocol == WIRE_PROXY))
		c->dead = true;
	while (len > 0 && !c->dead && (c->protocol == WIRE_UNKNOWN || c->protocol == WIRE_PROXY)) {
		size_t used = 0;

		if (c->protocol == WIRE_UNKNOWN) {
			before = c->sniffed;
			connection_sniff(c, p, len, now_ns, events);
			if (c->secure && !secure) {
				secure_received(c, p, len);
				return all;
			}
			if (c->protocol == WIRE_UNKNOWN)
				return all;
			if (c->protocol == WIRE_HTTP2)
				return all - len +
				       connection_start_streams(c, before, p, len, now_ns, events);
		}
		if (c->protocol == WIRE_PROXY)
			used = connection_feed_proxy(c, p, len);
		p += used;
		len -= used;
	}
	connection_feed(c, p, len, now_ns, events);
	return all;
}

/* "Upgrade: h2c": from here on both sides speak HTTP/2, and the response comes as that. */
static bool connection_turn_http2(struct connection *c)
{
	if (!wire_response_turns_http2(c->first->protocol, &c->first->out))
		return false;
	c->streams = streams_new();
	if (!c->streams)
		return false;
	streams_adopt(c);
	c->protocol = WIRE_HTTP2;
	c->last = NULL;
	c->queued = 0;
	if (c->incoming && request_read(c->incoming))
		connection_set_incoming(c, NULL);
	return true;
}

size_t connection_sent(struct connection *c, const void *bytes, size_t len, uint64_t now_ns,
		       struct connection_events *events)
{
	const uint8_t *p = bytes;
	size_t all = len;

	if (c->streams)
		return streams_sent(c, p, len, now_ns, events);
	while (len > 0 && c->first) {
		struct request *r = c->first;
		ssize_t used;

		r->last_write_ns = now_ns;
		connection_response_start(r); /* here only for an answer before the head was whole: 400, 408, 414 */
		used = wire_response_feed(r->protocol, &r->out, p, len);
		if (used < 0) {
			wire_response_give_up(&r->out);
			events->abandoned = true;
			c->dead = true;
			break;
		}
		if (p)
			p += used;
		len -= (size_t)used;
		if (r->out.any.stage == WIRE_DONE) {
			if (r->out.any.upgraded) {
				connection_drop_queued(c);
				if (connection_turn_http2(c))
					return all - len + streams_sent(c, p, len, now_ns, events);
				c->dead = true;
			}
			connection_end_first(
				c, r->out.any.upgraded ? REQUEST_UPGRADED : REQUEST_COMPLETE,
				now_ns, events);
		} else if (used == 0) {
			break;
		}
	}
	return all;
}

void connection_over(struct connection *c, bool closed, uint64_t now_ns,
		     struct connection_events *events)
{
	struct request *r = c->first;

	if (closed)
		connection_set_incoming(c, NULL);
	if (c->streams) {
		if (closed)
			streams_over(c, now_ns, events);
		return;
	}
	if (!r) {
		/* What a server reads after its own end, lingering, it throws away: that is no request. */
		c->dead |= !closed;
		return;
	}
	if (r->out_ready && r->out.any.started && r->out.any.until_close) {
		connection_drop_queued(c);
		connection_end_first(c, REQUEST_CLOSED, r->last_write_ns, events);
	} else if (closed) {
		connection_drop_queued(c);
		connection_end_first(c, REQUEST_ABORTED, now_ns, events);
	}
}

void connection_forget(struct connection *c)
{
	/* The objects stay with the parent's copy of the pool; the child merely loses sight of them. */
	bool clean = !c->first && c->sniffed == 0 && (!c->incoming || request_read(c->incoming));

	c->first = c->last = c->incoming = c->finished = NULL;
	c->queued = 0;
	c->streams = NULL;
	c->records.handshakes = c->records.data = 0;
	if (!clean)
		c->dead = true;
}
