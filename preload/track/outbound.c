#include "preload/track/outbound.h"

#include <string.h>

void outbound_start(struct outbound *o, struct request *request)
{
	o->probe = NULL;
	o->judged = false;
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

bool outbound_sent(struct outbound *o, const void *bytes, size_t len)
{
	struct request *p = o->probe;
	ssize_t used;

	if (o->judged || !o->request)
		return false;
	if (!p) {
		enum wire_protocol protocol = bytes ? wire_sniff(bytes, len) : WIRE_NONE;

		if (protocol == WIRE_UNKNOWN || protocol == WIRE_NONE || protocol == WIRE_HTTP2)
			return outbound_judge(o, false);
		p = o->probe = request_new();
		if (!p)
			return outbound_judge(o, false);
		p->protocol = protocol;
		wire_request_start(protocol, &p->in);
	}
	used = bytes ? wire_request_feed(p->protocol, &p->in, bytes, len) : WIRE_NOT;
	if (used < 0)
		return outbound_judge(o, false);
	if (p->in.any.stage == WIRE_HEAD)
		return false;
	return outbound_judge(o, outbound_same(p, o->request));
}
