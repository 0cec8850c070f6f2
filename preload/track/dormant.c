#include "preload/track/dormant.h"

/* Of HTTP/1, since others keep state from request to request, or have one request only. Of TLS the bytes are counted. */
static bool dormant_may_begin(const struct connection *c)
{
	return c->protocol == WIRE_HTTP1 && !c->secure && !c->dead && !c->streams && !c->first &&
	       c->incoming && c->incoming->in.any.stage == WIRE_DONE;
}

bool dormant_passes(struct connection *c, const void *bytes, size_t len, bool sent, bool off,
		    bool *head)
{
	bool answered = c->dormant == DORMANT_ANSWERED;

	*head = false;
	if (c->dormant == DORMANT_NOT) {
		if (!off || sent || !dormant_may_begin(c))
			return false;
		answered = true;
	}
	*head = answered && !sent;
	/* In the middle of a body there may stand anything. */
	if (!off && *head && bytes && wire_sniff(bytes, len) == WIRE_HTTP1) {
		c->dormant = DORMANT_NOT;
		return false;
	}
	c->dormant = sent ? DORMANT_ANSWERED : DORMANT_READ;
	return true;
}
