#include "preload/track/outbound.h"

#include <string.h>

void outbound_start(struct outbound *o, struct request *request)
{
	o->probe = NULL;
	o->judged = o->asked = false;
	o->sniffed = 0;
	o->sender = NULL;
	o->request = request;
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

static bool outbound_judge(struct outbound *o, bool same)
{
	o->judged = true;
	request_unref(o->probe);
	o->probe = NULL;
	return same;
}

/* The first bytes, until they show what is spoken: then there is a probe, fed with all that came before. */
static void outbound_sniff(struct outbound *o, const uint8_t *bytes, size_t len)
{
	size_t room = sizeof(o->sniff) - o->sniffed;
	size_t before = o->sniffed;
	enum wire_protocol protocol;

	if (!bytes) {
		outbound_judge(o, false);
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
		outbound_judge(o, false);
		return;
	}
	o->probe->protocol = protocol;
	wire_request_start(protocol, &o->probe->in);
	if (wire_request_feed(protocol, &o->probe->in, o->sniff, before) < 0)
		outbound_judge(o, false);
}

/* Whose request is this? In an event loop it may be another's than of whom something was read last. */
static bool outbound_relays(struct outbound *o, const struct request *sent, const struct turn *turn)
{
	if (outbound_same(sent, o->request))
		return true;
	for (unsigned i = turn ? turn->count : 0; i-- > 0;) {
		struct request *r = turn->events[i].request;

		if (r == o->request || __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != REQUEST_OPEN ||
		    !outbound_same(sent, r))
			continue;
		request_ref(r);
		request_unref(o->request);
		o->request = r;
		return true;
	}
	return false;
}

bool outbound_sent(struct outbound *o, const void *bytes, size_t len, const struct turn *turn)
{
	struct request *p;

	if (o->judged || !o->request)
		return false;
	if (!o->probe)
		outbound_sniff(o, bytes, len);
	p = o->probe;
	if (!p)
		return false;
	if (!bytes || wire_request_feed(p->protocol, &p->in, bytes, len) < 0)
		return outbound_judge(o, false);
	if (p->in.any.stage == WIRE_HEAD)
		return false;
	return outbound_judge(o, outbound_relays(o, p, turn));
}
