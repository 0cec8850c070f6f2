/*
 * FastCGI 1.0, from the side of the application: records of an 8-byte header, content and padding.
 * A request is BEGIN_REQUEST, PARAMS up to an empty one, STDIN up to an empty one; its answer
 * STDOUT, which begins with a CGI head, and END_REQUEST.
 *
 * The protocol lets requests share a connection at the same time, told apart by an id; no front end
 * known does so. Here one request is followed, that of the first id; records of others are passed
 * over, and their requests counted.
 */
#ifndef REQPROF_WIRE_FASTCGI_H
#define REQPROF_WIRE_FASTCGI_H

#include "preload/wire/cgi_head.h"
#include "preload/wire/cgi_vars.h"
#include "preload/wire/wire.h"

/* The record at hand, of either direction. */
struct fastcgi_record {
	uint8_t header[8];
	uint8_t header_len;
	uint8_t padding_left;
	uint16_t content_left;
};

struct fastcgi_request {
	WIRE_REQUEST_COMMON; /* started: all but the last bytes of BEGIN_REQUEST have been seen */
	uint16_t id;
	uint8_t others; /* requests that began meanwhile on the same connection, at most 255 */
	/* internal to fastcgi.c below; the whole struct stays under 3 KiB */
	uint8_t state;
	uint8_t begin_len;
	uint8_t role;
	uint8_t length_bytes; /* of the length at hand that have been seen */
	uint8_t pair;	      /* which part of a pair comes next */
	bool last;	      /* STDIN has ended: so will the request, with this record */
	struct fastcgi_record record;
	uint32_t key_left, value_left;
	struct cgi_vars vars;
};

void fastcgi_request_start(struct fastcgi_request *r);

/*
 * As http1_request_feed. keep_alive: the front end asked to keep the connection. Records that come
 * before a BEGIN_REQUEST are passed over; `started` stays false. WIRE_NOT: another version, type or
 * role than exist, or PARAMS after their end. A pair that the PARAMS' end cuts is ignored.
 */
ssize_t fastcgi_request_feed(struct fastcgi_request *r, const void *bytes, size_t len);
ssize_t fastcgi_request_skip(struct fastcgi_request *r, uint64_t len);

struct fastcgi_response {
	WIRE_RESPONSE_COMMON; /* body_bytes: of STDOUT, behind the head */
	/* internal to fastcgi.c below; the whole struct stays under 512 bytes */
	uint16_t id;
	bool last; /* END_REQUEST has come */
	struct fastcgi_record record;
	struct cgi_head head;
};

/* For the answer to r, whose head has been read, or has at least begun. */
void fastcgi_response_start(struct fastcgi_response *r, const struct fastcgi_request *request);

/* As http1_response_feed. Without a CGI head before END_REQUEST the status stays 0. */
ssize_t fastcgi_response_feed(struct fastcgi_response *r, const void *bytes, size_t len);
ssize_t fastcgi_response_skip(struct fastcgi_response *r, uint64_t len);

#endif
