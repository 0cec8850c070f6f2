/*
 * A connection that speaks HTTP/2: several requests at a time, each a stream with a number of its
 * own. What connection.h says of one request is true of each of them: it begins with the first byte
 * of its HEADERS, and ends with the frame that ends the response or with a reset.
 */
#ifndef REQPROF_TRACK_STREAMS_H
#define REQPROF_TRACK_STREAMS_H

#include "preload/track/connection.h"

/* Requests that are followed at the same time on one connection; others are counted as dropped. */
enum { STREAMS_MAX = 128 };

struct streams;

/* All with the connection locked. NULL: no memory. */
struct streams *streams_new(void);
void streams_free(struct streams *s); /* NULL is fine */

/* The connection's first request, whose HTTP/1 response turned it into HTTP/2, becomes stream 1. */
void streams_adopt(struct connection *c);

/*
 * As connection_received and connection_sent, from the client's preface on. Afterwards c->first is
 * the request of the stream that these bytes touched last and that is still open, or NULL.
 */
size_t streams_received(struct connection *c, const uint8_t *bytes, size_t len, uint64_t now_ns,
			struct connection_events *events);
size_t streams_sent(struct connection *c, const uint8_t *bytes, size_t len, uint64_t now_ns,
		    struct connection_events *events);

/* The connection is closed: so are all its streams. Again while events->more. */
void streams_over(struct connection *c, uint64_t now_ns, struct connection_events *events);

/* Did the last call touch more than one stream? */
bool streams_several(const struct streams *s);

void streams_postfork_child(void);

#endif
