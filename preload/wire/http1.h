/*
 * HTTP/1.x requests and responses as they pass on one connection (RFC 9110, RFC 9112), leniently:
 * what a server might accept is accepted, for we are not the server.
 */
#ifndef REQPROF_WIRE_HTTP1_H
#define REQPROF_WIRE_HTTP1_H

#include "preload/wire/http1_body.h"
#include "preload/wire/http1_fields.h"
#include "preload/wire/target.h"
#include "preload/wire/wire.h"

struct http1_request {
	WIRE_REQUEST_COMMON; /* started: leading CR/LF do not count */
	/* internal to http1_request.c below; the whole struct stays under 3 KiB */
	struct http1_body body;
	uint8_t state;
	uint8_t matched; /* bytes of the method, then of the version */
	bool asks_close;
	bool asks_keep_alive;
	struct target target;
	struct http1_fields fields;
};

/* Makes *r ready for a new request. Touches what parsing needs, not the whole struct. */
void http1_request_start(struct http1_request *r);

/*
 * Feeds len bytes that the host read. Returns how many belong to this request (all of them, unless
 * the request ended inside them: then stage is WIRE_DONE and the rest is the next request's), or
 * WIRE_NOT. A head may be any size (64 KiB and more); only the facts are kept. After DONE, call
 * http1_request_start before feeding again. A CONNECT request is DONE at its head's end, as is an
 * upgrade without a body (some clients offer h2c with every POST).
 *
 * A body whose end cannot be told (contradicting or malformed Content-Length, a coding other than
 * chunked, a chunk size that is none) takes all that follows: stage stays WIRE_BODY, and
 * keep_alive is false if the head told so. Servers answer such a request with 400 and close.
 * WIRE_NOT: a method of 24 bytes or more or of other than token characters, a control byte in the
 * target, a first line that does not end in HTTP/1.DIGIT (so also HTTP/0.9, "PRI * HTTP/2.0").
 */
ssize_t http1_request_feed(struct http1_request *r, const void *bytes, size_t len);

/* The same for bytes whose content cannot be seen (splice from the socket): only counted off the
 * body. Returns bytes used, or WIRE_NOT if they cannot be placed (inside a head). */
ssize_t http1_request_skip(struct http1_request *r, uint64_t len);

struct http1_response {
	WIRE_RESPONSE_COMMON;
	/* internal to http1_response.c below; the whole struct stays under 512 bytes */
	struct http1_body body;
	uint8_t state;
	uint8_t matched; /* bytes of a literal or of the code */
	uint8_t minor;
	uint16_t code; /* of the message at hand, interim or final */
	bool is_head;
	bool is_connect;
	bool keep_alive_request;
	bool says_close;
	bool says_keep_alive;
	bool says_h2c;
	struct http1_fields fields;
};

/* Makes *r ready for the response to a request with these facts. */
void http1_response_start(struct http1_response *r, const struct wire_facts *request);

/*
 * Feeds len bytes that the host wrote. Returns how many belong to this response (all, unless it
 * ended inside them; the rest belongs to the next one), or WIRE_NOT. Interim (1xx, not 101)
 * responses are used up and do not end it. 204, 304 and answers to HEAD end with their head; a
 * response with neither length nor chunks, or whose chunks stop making sense, is until_close and
 * never reaches WIRE_DONE by bytes.
 * Also accepted as a first line: "Status: 200 ..." as CGI, SCGI and mod_wsgi daemons send it.
 */
ssize_t http1_response_feed(struct http1_response *r, const void *bytes, size_t len);

/* The same for bytes written by sendfile or splice, whose content is not seen. In a chunked body
 * they must lie within one chunk's data. */
ssize_t http1_response_skip(struct http1_response *r, uint64_t len);

#endif
