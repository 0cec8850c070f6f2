/*
 * HTTP/1.x requests and responses as they pass on one connection (RFC 9110, RFC 9112), leniently:
 * what a server might accept is accepted, for we are not the server.
 */
#ifndef REQPROF_WIRE_HTTP1_H
#define REQPROF_WIRE_HTTP1_H

#include "preload/wire/wire.h"

/* Body framing, shared by both directions. */
struct http1_body {
	uint8_t kind;   /* internal to http1.c */
	uint8_t state;  /* internal to http1.c */
	uint64_t left;  /* bytes still to come of the body or of the current chunk */
};

enum http1_stage {
	HTTP1_HEAD, /* before the end of the head (also: nothing seen yet) */
	HTTP1_BODY,
	HTTP1_DONE, /* the last byte of this message has been used */
};

struct http1_request {
	struct wire_facts facts; /* final once stage leaves HTTP1_HEAD; method and path earlier */
	enum http1_stage stage;
	bool started; /* a byte of the head has been seen: leading CR/LF do not count */
	/* internal to http1.c below (line state, current header name, body framing...);
	 * add fields as needed, keep the whole struct under 3 KiB */
	struct http1_body body;
	uint8_t state;
	uint8_t name_len;
	char name[32];
	uint16_t value_len;
	char value[160];
	uint64_t head_bytes;
};

/* Makes *r ready for a new request. Touches only what parsing needs: does not clear the whole struct. */
void http1_request_start(struct http1_request *r);

/*
 * Feeds len bytes that the host read. Returns how many belong to this request (all of them, unless
 * the request ended inside them: then stage is HTTP1_DONE and the rest is the next request's), or
 * WIRE_NOT. A head may be any size (64 KiB and more); only the facts are kept. After DONE, call
 * http1_request_start before feeding again. An upgrade or CONNECT request is DONE at its head's end.
 */
ssize_t http1_request_feed(struct http1_request *r, const void *bytes, size_t len);

/* The same for bytes whose content cannot be seen (splice from the socket): only counted off the
 * body. Returns bytes used, or WIRE_NOT if they cannot be placed (inside a head). */
ssize_t http1_request_skip(struct http1_request *r, uint64_t len);

struct http1_response {
	enum http1_stage stage;
	uint16_t status;      /* the final status; 0 until its line has been seen */
	uint8_t interim;      /* number of 1xx responses seen before it (100, 102, 103), at most 255 */
	bool started;         /* a byte of the final response's head has been seen */
	bool until_close;     /* the end of the body is the end of the connection */
	bool closes;          /* the connection ends after this response (Connection: close, HTTP/1.0...) */
	bool upgraded;        /* 101, or 2xx to CONNECT: what follows is not HTTP */
	uint64_t body_bytes;  /* content bytes seen so far, transfer coding removed */
	/* internal below; add as needed, keep under 512 bytes */
	struct http1_body body;
	uint8_t state;
	uint8_t minor;
	bool is_head;
	bool is_connect;
	bool keep_alive_request;
	uint8_t name_len;
	char name[32];
	uint16_t value_len;
	char value[64];
	bool content_length_seen;
	bool chunked;
};

/* Makes *r ready for the response to a request with these facts. */
void http1_response_start(struct http1_response *r, const struct wire_facts *request);

/*
 * Feeds len bytes that the host wrote. Returns how many belong to this response (all, unless it
 * ended inside them; the rest belongs to the next one), or WIRE_NOT. Interim (1xx, not 101)
 * responses are used up and do not end it. 204, 304 and answers to HEAD end with their head; a
 * response with neither length nor chunks is until_close and never reaches HTTP1_DONE by bytes.
 * Also accepted as a first line: "Status: 200 ..." as CGI, SCGI and mod_wsgi daemons send it.
 */
ssize_t http1_response_feed(struct http1_response *r, const void *bytes, size_t len);

/* The same for bytes written by sendfile or splice, whose content is not seen. */
ssize_t http1_response_skip(struct http1_response *r, uint64_t len);

#endif
