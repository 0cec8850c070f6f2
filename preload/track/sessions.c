#include "preload/track/sessions.h"

#include <string.h>

#include "preload/track/spin.h"

/* A connection's lock is taken before a bucket's, never after it. */
enum { BUCKETS = 1024 };
static struct bucket {
	uint32_t lock;
	struct connection *first; /* guarded by lock, as are the links and session of those in it */
} buckets[BUCKETS];
static bool used; /* atomic: fresh memory need not be touched */

static struct bucket *sessions_bucket(const uint8_t random[TLS_RANDOM])
{
	uint32_t word;

	/* Not its first bytes: in old clients they are the time. */
	memcpy(&word, random + TLS_RANDOM - sizeof(word), sizeof(word));
	return &buckets[word % BUCKETS];
}

void sessions_add(struct connection *c)
{
	struct bucket *b = sessions_bucket(c->records.random);

	__atomic_store_n(&used, true, __ATOMIC_RELAXED);
	spin_lock(&b->lock);
	c->listed = true;
	c->next_session = b->first;
	b->first = c;
	spin_unlock(&b->lock);
}

void sessions_remove(struct connection *c)
{
	struct bucket *b;

	if (!c->listed)
		return;
	b = sessions_bucket(c->records.random);
	spin_lock(&b->lock);
	for (struct connection **at = &b->first; *at; at = &(*at)->next_session) {
		if (*at == c) {
			*at = c->next_session;
			break;
		}
	}
	c->listed = false;
	spin_unlock(&b->lock);
}

/* Not one whose last descriptor has been closed: it is on its way out of the list. */
static bool sessions_ref(struct connection *c)
{
	uint32_t refs = __atomic_load_n(&c->endpoint.refs, __ATOMIC_ACQUIRE);

	while (refs > 0)
		if (__atomic_compare_exchange_n(&c->endpoint.refs, &refs, refs + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

struct connection *sessions_find(const uint8_t random[TLS_RANDOM], const void *session)
{
	struct bucket *b = sessions_bucket(random);
	struct connection *found = NULL;

	if (!__atomic_load_n(&used, __ATOMIC_RELAXED))
		return NULL;
	spin_lock(&b->lock);
	for (struct connection *c = b->first; c; c = c->next_session) {
		if ((c->session && c->session != session) ||
		    memcmp(c->records.random, random, TLS_RANDOM) != 0 || !sessions_ref(c))
			continue;
		c->session = session;
		found = c;
		break;
	}
	spin_unlock(&b->lock);
	return found;
}

void sessions_postfork_child(void)
{
	if (!used)
		return;
	for (int i = 0; i < BUCKETS; i++)
		buckets[i].lock = 0;
}
