#include "preload/track/dormant.h"

/* Of HTTP/1, since others keep state from request to request, or have one request only. Of TLS the bytes are counted. */
static bool dormant_may_begin(const struct connection *c)
{
	return c->protocol == WIRE_HTTP1 && !c->secure && !c->dead && !c->streams && !c->first &&
	       c->incoming && c->incoming->in.any.stage == WIRE_DONE;
}

bool dormant_falls(struct connection *c)
{
	if (!dormant_may_begin(c))
		return false;
	__atomic_store_n(&c->endpoint.dormant, DORMANT_READ, __ATOMIC_RELAXED);
	return true;
}

/* Only from what it was seen to be: it may have been closed meanwhile, and be another's by now. */
static bool dormant_becomes(struct endpoint *e, uint32_t from, enum endpoint_dormant to)
{
	return __atomic_compare_exchange_n(&e->dormant, &from, to, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

enum dormant_step dormant_step(struct endpoint *e, const void *bytes, size_t len, bool sent,
			       bool (*off)(void))
{
	uint32_t is = __atomic_load_n(&e->dormant, __ATOMIC_RELAXED);

	if (is == DORMANT_NOT)
		return DORMANT_WAKES;
	if (sent) {
		if (is == DORMANT_READ)
			dormant_becomes(e, is, DORMANT_ANSWERED);
		return DORMANT_PASSES;
	}
	/* In the middle of a body there may stand anything. */
	if (is == DORMANT_READ)
		return DORMANT_PASSES;
	if (bytes && !(off && off()) && wire_sniff(bytes, len) == WIRE_HTTP1) {
		dormant_becomes(e, is, DORMANT_NOT);
		return DORMANT_WAKES;
	}
	return dormant_becomes(e, is, DORMANT_READ) ? DORMANT_HEAD : DORMANT_PASSES;
}
