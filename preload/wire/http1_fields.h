/*
 * The header section of an HTTP/1 message: finds the few fields that decide framing or name the
 * request, and passes over all others at memchr's speed. Folded lines (obs-fold), spaces before
 * the colon, bare LF and lines that are no field at all are put up with, as servers do.
 */
#ifndef REQPROF_WIRE_HTTP1_FIELDS_H
#define REQPROF_WIRE_HTTP1_FIELDS_H

#include "preload/wire/wire.h"

enum http1_field {
	HTTP1_FIELDS_MORE, /* all bytes used, the section goes on */
	HTTP1_FIELDS_END,  /* its empty line has been used */
	HTTP1_CONNECTION,  /* this and the next four: one element of the list at a time */
	HTTP1_CONTENT_LENGTH,
	HTTP1_EXPECT,
	HTTP1_UPGRADE,
	HTTP1_TRANSFER_ENCODING,
	HTTP1_TRACEPARENT,
	HTTP1_X_REQPROF,
	HTTP1_X_REQUEST_ID,
};

struct http1_fields {
	/* The element just found: no white space around it, not empty, not NUL-terminated. One
	 * that fills value has been cut. */
	uint8_t value_len;
	char value[WIRE_ID_MAX];
	/* internal to http1_fields.c */
	uint8_t state;
	uint8_t field; /* enum http1_field the value belongs to; HTTP1_FIELDS_MORE: to none of ours */
	uint8_t name_len;
	char name[20];
};

void http1_fields_start(struct http1_fields *fields);

/* Moves *at forward, at most to end, and says why it stopped. Call again until MORE or END. */
enum http1_field http1_fields_next(struct http1_fields *fields, const char **at, const char *end);

#endif
