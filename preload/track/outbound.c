#include "preload/track/outbound.h"

#include <string.h>

void outbound_start(struct outbound *o, struct request *request)
{
	o->probe = NULL;
	o->judged = o->asked = false;
	o->sniffed = 0;
	o->sender = NULL;
	o->request = request;
	if (request)
		request_ref(request);
}

void outbound_stop(struct outbound *o)
{
	request_unref(o->probe);
	request_unref(o->request);
	o->probe = o->request = NULL;
	o->judged = true;
}

void outbound_rebind(struct outbound *o, struct request *request)
{
	outbound_stop(o);
	outbound_start(o, request);
}

/*
 * Is `sent` the same request as `served`? Some protocols are spoken by front ends only, and the
 * path may have been decoded and normalised on the way; HTTP is also what an application asks other
 * services by, so there the path must be the very same.
 */
static bool outbound_same(const struct request *sent, const struct request *served)
{
	const struct wire_facts *a = request_facts(sent), *b = request_facts(served);

	if (strcmp(a->method, b->method) != 0)
		return false;
	return wire_is_gateway(sent->protocol) ||
	       (a->path_full_len == b->path_full_len && a->path_len == b->path_len &&
		memcmp(a->path, b->path, a->path_len) == 0);
}

static void outbound_judge(struct outbound *o)
{
	o->judged = true;
	request_unref(o->probe);
	o->probe = NULL;
}

/* The first bytes, until they show what is spoken: then there is a probe, fed with all that came before. */
static void outbound_sniff(struct outbound *o, const uint8_t *bytes, size_t len)
{
	size_t room = sizeof(o->sniff) - o->sniffed;
	size_t before = o->sniffed;
	enum wire_protocol protocol;

	if (!bytes) {
		outbound_judge(o);
		return;
	}
	memcpy(o->sniff + before, bytes, len < room ? len : room);
	o->sniffed += (uint8_t)(len < room ? len : room);
	protocol = wire_sniff(o->sniff, o->sniffed);
	if (protocol == WIRE_UNKNOWN && o->sniffed < sizeof(o->sniff))
		return;
	if (wire_has_requests(protocol) && protocol != WIRE_HTTP2)
		o->probe = request_new();
	if (!o->probe) {
		outbound_judge(o);
		return;
	}
	o->probe->protocol = protocol;
	wire_request_start(protocol, &o->probe->in);
	if (wire_request_feed(protocol, &o->probe->in, o->sniff, before) < 0)
		outbound_judge(o);
}

static void outbound_give(struct outbound *o, struct request *r)
{
	if (r)
		request_ref(r);
	request_unref(o->request);
	o->request = r;
}

/*
 * Whose request is this? In an event loop it may be another's than of whom something was read last. Each is
 * passed on once; so of two that are the same it is the one that has not been.
 */
static enum outbound_tells outbound_relays(struct outbound *o, const struct request *sent,
					   const struct turn *turn)
{
	bool own = o->request && outbound_same(sent, o->request);
	struct request *r, *found = NULL;
	unsigned at = 0;

	if (own && (!turn || o->request->role != REQUEST_PROXY))
		return OUTBOUND_RELAYS;
	while (turn && (r = turn_next_open(turn, &at))) {
		if (r == found || r->role == REQUEST_PROXY || !outbound_same(sent, r))
			continue;
		if (found) {
			outbound_give(o, NULL);
			return OUTBOUND_NOTHING;
		}
		found = r;
	}
	if (found)
		outbound_give(o, found);
	return found || own ? OUTBOUND_RELAYS : OUTBOUND_ASKS;
}

enum outbound_tells outbound_sent(struct outbound *o, const void *bytes, size_t len,
				  const struct turn *turn)
{
	enum outbound_tells tells;
	struct request *p;

	if (turn && o->judged && !o->asked) {
		o->judged = false;
		o->sniffed = 0;
	}
	if (o->judged || (!o->request && !turn))
		return OUTBOUND_NOTHING;
	if (!o->probe)
		outbound_sniff(o, bytes, len);
	p = o->probe;
	if (!p)
		return OUTBOUND_NOTHING;
	if (!bytes || wire_request_feed(p->protocol, &p->in, bytes, len) < 0) {
		outbound_judge(o);
		return OUTBOUND_NOTHING;
	}
	if (p->in.any.stage == WIRE_HEAD)
		return OUTBOUND_NOTHING;
	tells = outbound_relays(o, p, turn);
	outbound_judge(o);
	return tells;
}
