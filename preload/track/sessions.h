/*
 * Which connection carries this TLS session? Secure connections by their ClientHello's random, which the server's TLS library
 * can be asked for: so it matters not whether the library has the descriptor (nginx), reads through
 * the host's own functions (apache) or knows memory only (asyncio, puma), nor which thread reads.
 */
#ifndef REQPROF_TRACK_SESSIONS_H
#define REQPROF_TRACK_SESSIONS_H

#include "preload/track/connection.h"

/* With the connection locked, once c->records.hello is true. */
void sessions_add(struct connection *c);
/* When nothing stands for it any more. */
void sessions_remove(struct connection *c);

/*
 * The connection of the session that the TLS library knows as `session`, or NULL. With a reference
 * (endpoint.refs) that the caller drops. A client may repeat another's random: then the connection
 * that is not yet known to be another session's is taken. Nothing locked.
 */
struct connection *sessions_find(const uint8_t random[TLS_RANDOM], const void *session);

void sessions_postfork_child(void);

#endif
