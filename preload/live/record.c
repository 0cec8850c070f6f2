#include "preload/live/record.h"

#include <string.h>

#include "preload/wire/protocol.h"

static struct live_request *record_of(const struct request *r)
{
	return r->live;
}

static void record_text(char *to, size_t size, const char *text)
{
	size_t len = strnlen(text, size - 1);

	memcpy(to, text, len);
	to[len] = '\0';
}

void record_began(struct request *r)
{
	struct live_request *l = live_take_request();

	r->live = l;
	if (!l)
		return;
	l->start_ns = l->seen_ns = r->start_ns;
	l->start_unix_ns = r->start_unix_ns;
	l->prepared_ns = r->prepared_ns;
	l->arrived_ns = r->arrived_ns;
	l->begun_tid = r->begun_tid;
	l->rate = r->rate;
	l->waits = r->waits;
	l->secure = r->secure;
	_Static_assert(sizeof(l->peer) >= sizeof(r->peer.u.in6), "a peer's address");
	memcpy(l->peer, &r->peer, sizeof(r->peer.u.in6));
}

void record_head(struct request *r)
{
	const struct wire_facts *facts = request_facts(r);
	struct live_request *l = record_of(r);

	if (!l || l->known)
		return;
	record_text(l->method, sizeof(l->method), facts->method);
	record_text(l->path, sizeof(l->path), facts->path);
	record_text(l->traceparent, sizeof(l->traceparent), facts->traceparent);
	record_text(l->request_id, sizeof(l->request_id), facts->request_id);
	record_text(l->protocol, sizeof(l->protocol), wire_protocol_name(r->protocol, &r->in));
	l->path_full_len = facts->path_full_len;
	__atomic_store_n(&l->known, 1, __ATOMIC_RELEASE);
}

void record_moved(struct request *r, uint64_t now_ns)
{
	struct live_request *l = record_of(r);

	if (!l)
		return;
	l->seen_ns = now_ns;
	l->cpu_ns = r->cpu_ns;
	l->idle_ns = r->idle_ns;
	/* What event loops did for it meanwhile was no idle time. */
	l->idle_since_ns = r->idle_since_ns ? r->idle_since_ns + r->looped_ns : 0;
	l->prepared_ns = r->prepared_ns;
	l->threads = r->threads;
	l->rate = r->rate;
	l->clock = r->clock;
	l->clock_error = r->clock_error;
	l->proxy = r->role == REQUEST_PROXY;
}

void record_writing(struct request *r, uint64_t counter)
{
	struct live_request *l = record_of(r);

	if (!l)
		return;
	l->counter = (uint32_t)counter;
	live_head()->files = counter;
}

void record_over(struct request *r)
{
	live_put_request(record_of(r));
	r->live = NULL;
}
