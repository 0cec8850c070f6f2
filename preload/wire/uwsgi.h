/*
 * The uwsgi protocol, request side (uwsgi-docs: Protocol; the packet that `uwsgi --http` and
 * nginx's uwsgi_pass send to a worker): modifier1, 16-bit little-endian size, modifier2, then
 * size bytes of variables, each a 16-bit key length, key, 16-bit value length, value; then the
 * body, CONTENT_LENGTH bytes. The worker answers with an HTTP/1 response (http1.h).
 */
#ifndef REQPROF_WIRE_UWSGI_H
#define REQPROF_WIRE_UWSGI_H

#include "preload/wire/cgi_vars.h"
#include "preload/wire/wire.h"

struct uwsgi_request {
	WIRE_REQUEST_COMMON; /* path from PATH_INFO, else REQUEST_URI without its query */
	/* internal to uwsgi.c below; the whole struct stays under 3 KiB */
	uint8_t state;
	uint8_t header[4];
	uint8_t header_len;
	uint16_t item_left; /* of the key or value at hand */
	uint16_t vars_left;
	struct cgi_vars vars;
	uint64_t body_left;
};

void uwsgi_request_start(struct uwsgi_request *r);

/*
 * As http1_request_feed. keep_alive is false: routers open one connection per request. A body of
 * unknown length (no CONTENT_LENGTH but HTTP_TRANSFER_ENCODING, as with --http-chunked-input; or
 * a length that is no number) is WIRE_BODY until close. WIRE_NOT: modifier1 is not 0, there are
 * no variables, or their lengths do not add up to the packet's.
 */
ssize_t uwsgi_request_feed(struct uwsgi_request *r, const void *bytes, size_t len);
ssize_t uwsgi_request_skip(struct uwsgi_request *r, uint64_t len);

#endif
