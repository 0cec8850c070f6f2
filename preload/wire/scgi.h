/*
 * SCGI, request side (python.ca/scgi/protocol.txt): a netstring of NUL-terminated keys and values,
 * the first of which is CONTENT_LENGTH, then the body. The answer is CGI's: cgi_response.h.
 */
#ifndef REQPROF_WIRE_SCGI_H
#define REQPROF_WIRE_SCGI_H

#include "preload/wire/cgi_vars.h"
#include "preload/wire/wire.h"

enum { SCGI_DIGITS_MAX = 8 }; /* of the netstring's length */

struct scgi_request {
	WIRE_REQUEST_COMMON;
	/* internal to scgi.c below; the whole struct stays under 3 KiB */
	uint8_t state;
	uint8_t digits;
	uint32_t head_left;
	struct cgi_vars vars;
	uint64_t body_left;
};

void scgi_request_start(struct scgi_request *r);

/* As http1_request_feed. keep_alive is false: there is a connection for each request. WIRE_NOT: no
 * length of 1 to 8 digits and a colon, or a head that does not end where it says. */
ssize_t scgi_request_feed(struct scgi_request *r, const void *bytes, size_t len);
ssize_t scgi_request_skip(struct scgi_request *r, uint64_t len);

#endif
