/*
 * A client's connection: its bytes in both directions become requests that begin and end. Knows
 * nothing of threads: it reports what happened, and happened.c draws the conclusions.
 */
#ifndef REQPROF_TRACK_CONNECTION_H
#define REQPROF_TRACK_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/track/endpoint.h"
#include "preload/track/request.h"
#include "preload/wire/proxy_head.h"
#include "preload/wire/tls.h"

struct streams;

enum { CONNECTION_QUEUE_MAX = 16, CONNECTION_EVENTS_MAX = 2 * CONNECTION_QUEUE_MAX + 2 };

struct connection {
	struct endpoint endpoint;
	enum wire_protocol protocol;
	bool dead;                  /* its bytes can no longer be followed, or it was upgraded */
	bool adopted;               /* first read was not preceded by an accept we saw */
	uint8_t sniffed;
	uint8_t sniff[WIRE_SNIFF_MAX];
	struct proxy_head proxy;    /* while protocol is WIRE_PROXY */
	struct request *incoming;   /* the one whose bytes are being read, or the last read; holds a reference.
				     * It may have been answered already: servers read left-over bodies later */
	struct request *first, *last; /* not yet ended, in order of arrival; first is OPEN, others QUEUED */
	uint32_t queued;
	uint64_t answered_ns;       /* when its last response ended; 0: none has */
	struct streams *
		streams; /* of HTTP/2, where first is the request touched last, and last is not used */
	struct request *finished;   /* ended, to be announced at close at the latest; holds a reference */
	struct request_address peer;
	bool peer_known;
	/* TLS that this process terminates itself: secure.h. The functions below get plain text only. */
	bool secure;
	bool listed;                /* among the sessions (sessions.h) */
	struct connection *next_session; /* guarded by the list's lock */
	const void *session;        /* the TLS library's object for it; NULL: no plain text has come yet */
	uint64_t unsent;            /* plain text whose ciphertext the host keeps, to write it itself */
	struct tls_records records; /* the client's, until plain text comes */
};

/* What one call made happen, in order. With CONNECTION_ENDED comes the queue's reference. */
enum connection_event_kind { CONNECTION_BEGAN, CONNECTION_ENDED };
struct connection_event {
	enum connection_event_kind kind;
	struct request *request;
};
struct connection_events {
	unsigned count;
	bool abandoned; /* the connection could not be followed any more */
	bool more; /* the list is full: announce it and call again with the bytes that are left, if any */
	unsigned dropped; /* requests beyond CONNECTION_QUEUE_MAX or STREAMS_MAX */
	unsigned pushed;  /* responses that were announced though nobody asked (HTTP/2) */
	struct connection_event list[CONNECTION_EVENTS_MAX];
};

/* All below: with the connection locked. now_ns is CLOCK_MONOTONIC, after the host's call returned.
 * Those that get events begin with none there. */

void connection_start(struct connection *c);

/* The host read these bytes; bytes NULL: len bytes whose content is unknown (splice). Returns how
 * many have been followed: all, unless events->more. */
size_t connection_received(struct connection *c, const void *bytes, size_t len, uint64_t now_ns,
			   struct connection_events *events);
/* The host wrote these. */
size_t connection_sent(struct connection *c, const void *bytes, size_t len, uint64_t now_ns,
		       struct connection_events *events);
/* The host will write no more: shutdown of the write side, or close (closed = true). */
void connection_over(struct connection *c, bool closed, uint64_t now_ns,
		     struct connection_events *events);
/* Has it more than one request in flight, or were the last bytes of more than one? */
bool connection_several(const struct connection *c);
/* Of all connections, without any locked: requests that wait for those before them to be answered. */
uint32_t connection_waiting(void);
/* Forgets its requests without events (a forked child: they are the parent's). */
void connection_forget(struct connection *c);

/* A request begins, and ends: announced by events, which must have room. The end takes over a reference. */
void connection_begin(struct request *r, uint64_t start_ns, struct connection_events *events);
void connection_end(struct request *r, enum request_end end, uint64_t end_ns,
		    struct connection_events *events);

/* A request with one reference, or NULL; everything before its parsers is zero. */
struct request *request_new(void);
void request_ref(struct request *r);
void request_unref(struct request *r); /* NULL is fine */
/* Of a request that is merely known to have been one: false when nobody has a reference any more. Its
 * memory may be another request's by then: look again, at what named it, afterwards. */
bool request_try_ref(struct request *r);
void connection_postfork_child(void);

#endif
