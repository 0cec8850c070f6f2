/*
 * What apache's mod_wsgi sends to its daemon processes for a request, as version 4.9 does: a
 * 64-bit length of all that follows in the head, a 64-bit count of strings (the machine's byte
 * order), that many NUL-terminated strings, keys and values in turn; then the body in HTTP's
 * chunks, one of length 0 if there is none. The answer is CGI's: cgi_response.h.
 */
#ifndef REQPROF_WIRE_MODWSGI_H
#define REQPROF_WIRE_MODWSGI_H

#include "preload/wire/cgi_vars.h"
#include "preload/wire/http1_body.h"
#include "preload/wire/wire.h"

enum { MODWSGI_HEAD_MAX = 1 << 24 };

struct modwsgi_request {
	WIRE_REQUEST_COMMON;
	/* internal to modwsgi.c below; the whole struct stays under 3 KiB */
	uint8_t state;
	uint8_t header_len;
	uint8_t header[16];
	uint32_t head_left;
	uint32_t strings_left;
	struct cgi_vars vars;
	struct http1_body body;
};

void modwsgi_request_start(struct modwsgi_request *r);

/* As http1_request_feed. keep_alive is false: there is a connection for each request. WIRE_NOT: a
 * length of 16 MiB or more, an odd number of strings, or strings that are not that many. */
ssize_t modwsgi_request_feed(struct modwsgi_request *r, const void *bytes, size_t len);
ssize_t modwsgi_request_skip(struct modwsgi_request *r, uint64_t len);

/*
 * Do these 16 bytes, or as many as there are, begin a head? Told for wire_sniff; true as long as
 * it is possible.
 */
bool modwsgi_header_fits(const unsigned char *bytes, size_t len);

#endif
