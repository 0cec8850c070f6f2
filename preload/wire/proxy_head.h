/*
 * The head by which load balancers tell whose connection they pass on: the PROXY protocol
 * (haproxy's proxy-protocol.txt), version 1, a line of text, and 2, binary. What follows it is a
 * connection as any other.
 */
#ifndef REQPROF_WIRE_PROXY_HEAD_H
#define REQPROF_WIRE_PROXY_HEAD_H

#include "preload/wire/wire.h"

enum { PROXY_LINE_MAX = 107, PROXY_SIGNATURE = 12 };

struct proxy_head {
	bool ended;
	uint8_t family; /* once ended: 4 or 6, or 0 when the client's address is not told */
	uint16_t port;
	uint8_t address[16]; /* in network order; 4 bytes of it for family 4 */
	/* internal to proxy_head.c below */
	uint8_t version;
	uint8_t kept;  /* bytes of text that are used */
	uint16_t left; /* of version 2: bytes to come behind its first 16 */
	char text[PROXY_LINE_MAX +
		  1]; /* the line, or version 2's first 16 bytes and its addresses */
};

void proxy_head_start(struct proxy_head *h);

/* Returns how many bytes belong to the head (all, unless it ended), or WIRE_NOT. */
ssize_t proxy_head_feed(struct proxy_head *h, const void *bytes, size_t len);

/* What version 2 begins with: PROXY_SIGNATURE bytes. */
extern const unsigned char proxy_signature[PROXY_SIGNATURE];

#endif
