#include "preload/track/endpoints.h"

#include <netinet/in.h>
#include <string.h>

#include "preload/sigsafe/monotonic.h"
#include "preload/sigsafe/raw.h"
#include "preload/track/happened.h"
#include "preload/track/holds.h"
#include "preload/track/pool.h"
#include "preload/track/secure.h"
#include "preload/track/self.h"
#include "preload/track/sessions.h"
#include "preload/track/spin.h"
#include "preload/track/track.h"

static struct pool connection_pool = { .object_size = (sizeof(struct connection) + 15) / 16 * 16 };
static struct pool outbound_pool = { .object_size = (sizeof(struct outbound) + 15) / 16 * 16 };

struct endpoint *endpoints_lock(int fd, slot_value value)
{
	struct endpoint *e = (struct endpoint *)value;

	spin_lock(&e->lock);
	if (slots_get(fd) == value)
		return e;
	/* Closed and perhaps used again meanwhile: not the socket this call was about. */
	spin_unlock(&e->lock);
	return NULL;
}

struct connection *endpoints_lock_connection(int fd)
{
	slot_value value = slots_get(fd);

	return endpoints_is(value, ENDPOINT_CONNECTION) ? (struct connection *)endpoints_lock(fd, value) : NULL;
}

static void endpoints_end_connection(struct connection *c)
{
	struct connection_events events;
	struct request *finished;

	sessions_remove(c);
	if (secure_unseen(c))
		track_callbacks->tls_unseen();
	do {
		events = (struct connection_events){ 0 };
		spin_lock(&c->endpoint.lock);
		connection_over(c, true, monotonic_ns(), &events);
		spin_unlock(&c->endpoint.lock);
		happened_tell(NULL, &events);
	} while (events.more);
	spin_lock(&c->endpoint.lock);
	finished = c->finished;
	c->finished = NULL;
	spin_unlock(&c->endpoint.lock);
	if (finished) {
		holds_release(finished);
		request_unref(finished);
	}
	pool_put(&connection_pool, c);
}

static void endpoints_end_outbound(struct outbound *o)
{
	spin_lock(&o->endpoint.lock);
	outbound_stop(o);
	spin_unlock(&o->endpoint.lock);
	pool_put(&outbound_pool, o);
}

void endpoints_unref(struct endpoint *e)
{
	if (__atomic_sub_fetch(&e->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (e->kind == ENDPOINT_CONNECTION)
		endpoints_end_connection((struct connection *)e);
	else
		endpoints_end_outbound((struct outbound *)e);
}

void endpoints_reset(int fd, slot_value value)
{
	slot_value before = slots_exchange(fd, value, NULL);

	if (before >= SLOT_POINTER_MIN)
		endpoints_unref((struct endpoint *)before);
}

static struct connection *endpoints_new_connection(void)
{
	struct connection *c = pool_get(&connection_pool);
	struct request *leftover;

	if (!c)
		return NULL;
	spin_lock(&c->endpoint.lock);
	/* Put there by a thread that did not yet know that the connection had gone. */
	leftover = c->finished;
	connection_start(c);
	c->endpoint.kind = ENDPOINT_CONNECTION;
	c->endpoint.refs = 1;
	__atomic_store_n(&c->endpoint.dormant, DORMANT_NOT, __ATOMIC_RELAXED);
	spin_unlock(&c->endpoint.lock);
	request_unref(leftover);
	return c;
}

struct outbound *endpoints_new_outbound(struct request *r)
{
	struct outbound *o = pool_get(&outbound_pool);

	if (!o)
		return NULL;
	spin_lock(&o->endpoint.lock);
	o->endpoint.kind = ENDPOINT_OUTBOUND;
	o->endpoint.refs = 1;
	outbound_start(o, r);
	spin_unlock(&o->endpoint.lock);
	return o;
}

static bool endpoints_is_stream_socket(int fd)
{
	int type = 0;
	socklen_t len = sizeof(type);

	return raw_syscall6(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)&type, (long)&len, 0) ==
		       0 &&
	       type == SOCK_STREAM;
}

bool endpoints_is_listener(int fd)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	return raw_syscall6(SYS_getsockopt, fd, SOL_SOCKET, SO_ACCEPTCONN, (long)&listens,
			    (long)&len, 0) == 0 &&
	       listens;
}

void endpoints_address(long call, int fd, struct request_address *address)
{
	struct sockaddr_storage storage = { 0 };
	socklen_t len = sizeof(storage);

	if (raw_syscall3(call, fd, (long)&storage, (long)&len) < 0)
		return;
	if (storage.ss_family == AF_INET)
		memcpy(&address->u.in, &storage, sizeof(address->u.in));
	else if (storage.ss_family == AF_INET6)
		memcpy(&address->u.in6, &storage, sizeof(address->u.in6));
	else
		address->u.any.sa_family = storage.ss_family;
}

/*
 * The first bytes read from a descriptor that nobody judged yet. Looking at the bytes comes first:
 * it is free, and nearly every file and pipe is ruled out by it.
 */
slot_value endpoints_judge(int fd, slot_value value, const void *bytes, size_t len)
{
	enum wire_protocol protocol = bytes ? wire_sniff(bytes, len) : WIRE_NONE;
	struct connection *c;

	if (protocol == WIRE_NONE ||
	    (value == SLOT_UNKNOWN && (!endpoints_is_stream_socket(fd) || endpoints_is_listener(fd)))) {
		slots_replace(fd, value, SLOT_NOT);
		return SLOT_NOT;
	}
	c = endpoints_new_connection();
	if (!c)
		return SLOT_NOT;
	c->adopted = value == SLOT_UNKNOWN;
	endpoints_address(SYS_getpeername, fd, &c->peer);
	if (!slots_replace(fd, value, (slot_value)c)) {
		pool_put(&connection_pool, c);
		return SLOT_NOT;
	}
	return (slot_value)c;
}

void endpoints_postfork_child(void)
{
	pool_postfork_child(&connection_pool);
	pool_postfork_child(&outbound_pool);
	for (size_t i = 0; i < SLOTS_LEAVES; i++) {
		slot_value *leaf = i == 0 ? slots_first_leaf : slots_leaves[i];

		for (size_t j = 0; leaf && j < SLOTS_LEAF; j++) {
			struct endpoint *e = (struct endpoint *)leaf[j];

			if (leaf[j] < SLOT_POINTER_MIN)
				continue;
			e->lock = 0;
			if (e->kind == ENDPOINT_CONNECTION) {
				connection_forget((struct connection *)e);
			} else {
				((struct outbound *)e)->request = NULL;
				((struct outbound *)e)->probe = NULL;
				((struct outbound *)e)->judged = true;
			}
		}
	}
}
