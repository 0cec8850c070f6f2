/*
 * A socket that this process connected while it worked for a request (rule 2): later I/O on it is
 * work for that request, and if the first thing sent on it is the same request again, we are a
 * proxy and our view of the request is only a proxy's.
 */
#ifndef REQPROF_TRACK_OUTBOUND_H
#define REQPROF_TRACK_OUTBOUND_H

#include "preload/track/connection.h"
#include "preload/track/turn.h"

struct outbound {
	struct endpoint endpoint;
	struct request *request; /* whose it is; holds a reference; NULL: nobody's */
	struct request *probe;   /* parses what is sent first; NULL once judged */
	bool judged;
	uint8_t sniffed; /* bytes of sniff, while no protocol is known: heads are written in parts */
	uint8_t sniff[WIRE_SNIFF_MAX];
	bool asked; /* something was sent, and nothing received since */
	const void *sender; /* names the thread that sent last; never followed */
};

/* All with the endpoint locked. */
void outbound_start(struct outbound *o, struct request *request);
/* Makes it another request's (a pooled connection used again), or (NULL) nobody's until that shows. */
void outbound_rebind(struct outbound *o, struct request *request);
void outbound_stop(struct outbound *o);
enum outbound_tells {
	OUTBOUND_NOTHING,
	OUTBOUND_RELAYS, /* the socket carries its request on to an upstream */
	OUTBOUND_ASKS,	 /* it asks an upstream what no request asks that has begun */
};
/*
 * What these bytes show. turn: of an event loop, or NULL: there each time that something is asked is looked
 * at anew, and if it carries on another request of that, the socket is that one's from now on; nobody's, if
 * it may be one of several.
 */
enum outbound_tells outbound_sent(struct outbound *o, const void *bytes, size_t len,
				  const struct turn *turn);

#endif
