#include "preload/track/secure.h"

void secure_start(struct connection *c, size_t before)
{
	c->secure = true;
	c->protocol = WIRE_UNKNOWN;
	c->sniffed = 0;
	tls_start(&c->records);
	tls_feed(&c->records, c->sniff, before);
}

void secure_received(struct connection *c, const void *bytes, size_t len)
{
	if (!c->session)
		tls_feed(&c->records, bytes, len);
}

void secure_sent(struct connection *c, size_t len, uint64_t now_ns)
{
	struct request *r = c->finished;

	/* Ciphertext is longer than its plain text, so the count is even when most of the last record
	 * is out. Tickets and alerts, which belong to no response, do not count. */
	if (c->unsent == 0)
		return;
	c->unsent -= len < c->unsent ? len : c->unsent;
	if (c->first)
		c->first->last_write_ns = now_ns;
	else if (r && !__atomic_load_n(&r->released, __ATOMIC_ACQUIRE))
		r->end_ns = now_ns;
}

void secure_sent_plain(struct connection *c, size_t len, bool flushed)
{
	c->unsent = flushed ? 0 : c->unsent + len;
}

bool secure_unseen(const struct connection *c)
{
	return c->secure && !c->session && tls_carries_data(&c->records);
}
