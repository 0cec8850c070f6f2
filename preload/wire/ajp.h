/*
 * AJP 1.3, from the side of the container (tomcat): packets of a 4-byte header, "\x12\x34" and a
 * 16-bit length, or "AB" and a length in the other direction. A request is a Forward Request
 * packet, in which common methods and headers are numbers, then packets of its body; the answer
 * is Send Headers, Send Body Chunk and End Response.
 */
#ifndef REQPROF_WIRE_AJP_H
#define REQPROF_WIRE_AJP_H

#include "preload/wire/cgi_vars.h"
#include "preload/wire/wire.h"

/* The packet at hand, of either direction. */
struct ajp_packet {
	uint8_t header[4];
	uint8_t header_len;
	uint16_t left;
};

struct ajp_request {
	WIRE_REQUEST_COMMON; /* started: with the first byte of a Forward Request */
	/* internal to ajp.c below; the whole struct stays under 3 KiB */
	uint8_t step;
	uint8_t text;	   /* which part of a string comes next */
	uint8_t attribute; /* code of the one at hand */
	uint16_t headers_left;
	uint16_t number;    /* the 16-bit number at hand, or a string's length */
	uint16_t text_left; /* bytes of the string */
	struct ajp_packet packet;
	struct cgi_vars vars;
	uint64_t body_left;
};

void ajp_request_start(struct ajp_request *r);

/*
 * As http1_request_feed. keep_alive is true: front ends keep their connections. Packets before a
 * Forward Request (pings) are passed over; `started` stays false. The body ends with its
 * Content-Length or an empty packet. WIRE_NOT: no packet, or contents that do not add up.
 */
ssize_t ajp_request_feed(struct ajp_request *r, const void *bytes, size_t len);
ssize_t ajp_request_skip(struct ajp_request *r, uint64_t len);

/* The request has been answered before all of its body came: do these bytes begin the next one? */
bool ajp_request_withheld(const struct ajp_request *r, const void *bytes, size_t len);

struct ajp_response {
	WIRE_RESPONSE_COMMON;
	/* internal to ajp.c below; the whole struct stays under 512 bytes */
	uint8_t begin[3]; /* the first bytes of the packet's payload */
	uint8_t begin_len;
	struct ajp_packet packet;
};

void ajp_response_start(struct ajp_response *r);

/* As http1_response_feed. End Response ends it and tells whether the connection closes. */
ssize_t ajp_response_feed(struct ajp_response *r, const void *bytes, size_t len);
ssize_t ajp_response_skip(struct ajp_response *r, uint64_t len);

#endif
