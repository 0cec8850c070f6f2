/*
 * TLS records (RFC 8446 5.1, RFC 5246 6.2.1) as a client sends them: ciphertext, of which the first
 * record tells one thing of use, the ClientHello's random. It names the session: the server's TLS
 * library has the same 32 bytes, whatever way the ciphertext took to it.
 */
#ifndef REQPROF_WIRE_TLS_H
#define REQPROF_WIRE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_HANDSHAKE = 22, /* types of records */
	TLS_APPLICATION_DATA = 23,
	TLS_CLIENT_HELLO = 1, /* the type of the first message in the first record */
	TLS_RANDOM = 32,
	TLS_HEADER = 5,
};

struct tls_records {
	bool hello; /* random is whole */
	uint8_t random[TLS_RANDOM];
	uint8_t handshakes, data; /* records of these types, at most 255 counted */
	/* internal */
	uint8_t header[TLS_HEADER];
	uint8_t header_len; /* bytes of it that have come */
	uint32_t body_len;  /* bytes of the record behind it that have come */
	bool first_over;
	bool lost; /* unseen bytes came where a header should be */
};

void tls_start(struct tls_records *t);

/* Feeds what the client sent, from the connection's first byte on, cut anywhere; bytes NULL: unseen
 * bytes. Any bytes are survived. */
void tls_feed(struct tls_records *t, const void *bytes, size_t len);

/* Has the client sent more than its side of the handshake? */
bool tls_carries_data(const struct tls_records *t);

#endif
