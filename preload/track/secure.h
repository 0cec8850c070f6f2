/*
 * A connection that speaks TLS which this process terminates: what is read and written on it is
 * ciphertext. The plain text goes to connection.h's functions, when the TLS library gives it to the
 * host and takes it from there. All below: with the connection locked.
 */
#ifndef REQPROF_TRACK_SECURE_H
#define REQPROF_TRACK_SECURE_H

#include "preload/track/connection.h"

/* The first bytes were a ClientHello: `before` of them, in c->sniff, came with earlier reads. The plain
 * text will be sniffed anew. */
void secure_start(struct connection *c, size_t before);

/* Ciphertext that the host read, those bytes among it that showed that it is some. */
void secure_received(struct connection *c, const void *bytes, size_t len);

/*
 * Ciphertext that was written. Where the host writes it itself after it had it made (asyncio, puma)
 * only now the client gets the response, whose end this is, unless its profile has been written meanwhile.
 */
void secure_sent(struct connection *c, size_t len, uint64_t now_ns);

/* The host had plain text made ciphertext. `flushed`: that has been written too. */
void secure_sent_plain(struct connection *c, size_t len, bool flushed);

/* Did the client send more than a handshake, and nobody showed us a byte of it? */
bool secure_unseen(const struct connection *c);

#endif
