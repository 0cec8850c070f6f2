/*
 * The head of an answer as gateways give it (RFC 3875 6.3): fields, one of which may be Status,
 * up to an empty line. An HTTP status line in front of them is taken too, for some send one.
 */
#ifndef REQPROF_WIRE_CGI_HEAD_H
#define REQPROF_WIRE_CGI_HEAD_H

#include "preload/wire/wire.h"

enum { CGI_REASON_MAX = 12 };

struct cgi_head {
	bool ended;
	uint16_t status; /* once ended: as told, else 302 with a Location, else 200 */
	uint8_t lines;	 /* before the empty one, at most 255 */
	uint8_t reason_len;
	char reason[CGI_REASON_MAX]; /* behind the status, cut; not NUL-terminated */
	/* internal to cgi_head.c below */
	uint8_t state;
	uint8_t matched; /* bytes of the word, or digits of the status */
	bool has_location;
	uint16_t code;
};

void cgi_head_start(struct cgi_head *h);

/* Returns how many bytes belong to the head: all of them unless it ended. Any bytes are a head. */
size_t cgi_head_feed(struct cgi_head *h, const char *bytes, size_t len);

/* Is the head nothing but a status with this reason? */
bool cgi_head_says(const struct cgi_head *h, const char *reason);

#endif
