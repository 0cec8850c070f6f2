/* Where the body of an HTTP/1 message ends (RFC 9112 6 and 7), for both directions. */
#ifndef REQPROF_WIRE_HTTP1_BODY_H
#define REQPROF_WIRE_HTTP1_BODY_H

#include "preload/wire/wire.h"

enum http1_body_kind {
	HTTP1_BODY_NONE,   /* no field said anything: nothing follows */
	HTTP1_BODY_LENGTH, /* Content-Length */
	HTTP1_BODY_CHUNKED,
	HTTP1_BODY_UNTIL_CLOSE, /* no end to be seen in the bytes */
};

struct http1_body {
	uint8_t kind;  /* enum http1_body_kind */
	uint8_t state; /* internal to http1_body.c */
	uint64_t left; /* bytes still to come of the body or of the current chunk */
};

void http1_body_start(struct http1_body *body);

/*
 * The fields that decide, one list element at a time, in the order received. Transfer-Encoding
 * beats Content-Length; its last coding counts. A length that is no number or contradicts an
 * earlier one, and a coding that is not chunked, leave no end to be seen: UNTIL_CLOSE.
 */
void http1_body_add_length(struct http1_body *body, const char *text, size_t len);
void http1_body_add_coding(struct http1_body *body, const char *text, size_t len);

/* Has the last byte of the body (and of its trailers) been used? Never, when UNTIL_CLOSE. */
bool http1_body_ended(const struct http1_body *body);

/*
 * Uses up body bytes; returns how many, and adds the content among them (no chunk sizes) to
 * *content. Chunks that do not parse turn the body into UNTIL_CLOSE, for their end is lost.
 */
size_t http1_body_feed(struct http1_body *body, const char *bytes, size_t len, uint64_t *content);

/* The same for bytes that cannot be seen: WIRE_NOT if they would reach beyond a chunk. */
ssize_t http1_body_skip(struct http1_body *body, uint64_t len, uint64_t *content);

#endif
