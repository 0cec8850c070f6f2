/*
 * HTTP/2's frames, RFC 9113, one direction of a connection at a time. What is followed is the
 * framing and the header blocks; which stream is whose is the caller's business.
 */
#ifndef REQPROF_WIRE_HTTP2_H
#define REQPROF_WIRE_HTTP2_H

#include "preload/wire/hpack.h"
#include "preload/wire/wire.h"

enum {
	HTTP2_PREFACE_LEN = 24, /* what a client sends first */
	HTTP2_FRAME_HEADER = 9,
};

enum http2_type {
	HTTP2_DATA,
	HTTP2_HEADERS,
	HTTP2_PRIORITY,
	HTTP2_RST_STREAM,
	HTTP2_SETTINGS,
	HTTP2_PUSH_PROMISE,
	HTTP2_PING,
	HTTP2_GOAWAY,
	HTTP2_WINDOW_UPDATE,
	HTTP2_CONTINUATION,
	HTTP2_KNOWN_TYPES, /* others are extensions, and are passed over */
};

enum http2_event {
	HTTP2_MORE,  /* all bytes have been used */
	HTTP2_FRAME, /* a frame's header has been read. At HTTP2_HEADERS say where its fields go */
	HTTP2_FRAME_END, /* its last byte has been used */
};

struct http2_flow {
	struct hpack hpack; /* facts and status: the caller sets and reads them */
	/* the frame at hand, from HTTP2_FRAME on */
	uint8_t type; /* enum http2_type, or some other */
	uint8_t flags;
	uint32_t stream;
	/* what has ended with it, at HTTP2_FRAME_END */
	bool head_ended;   /* a header block; status is that of a response, or 0 in trailers */
	bool stream_ended; /* this side of the stream */
	bool promise;	   /* the header block is that of a PUSH_PROMISE */
	/* internal to http2.c */
	uint8_t state;
	uint8_t header[HTTP2_FRAME_HEADER];
	uint8_t header_len; /* bytes of the header or of the preface that have been seen */
	uint8_t prefix;	    /* bytes before the header block still to come */
	uint8_t padding;    /* bytes behind it */
	bool padding_known;
	bool any;      /* a frame has been seen */
	bool in_block; /* a header block goes on: only its stream's CONTINUATION may come */
	bool block_ends_stream;
	uint32_t block_stream;
	uint32_t left; /* bytes of the payload still to come */
};

/* A direction of a new connection; client: its bytes begin with the preface. Memory as for hpack_start. */
void http2_start(struct http2_flow *f, bool client, struct hpack_entry *entries,
		 uint32_t max_entries, char *text, uint32_t max_text);

/*
 * Feeds bytes up to the next event. Returns how many were used, with *event; call again with the
 * others until HTTP2_MORE (that may be with none: a frame without payload ends at once). WIRE_NOT:
 * this is no HTTP/2, or no header block that can be followed.
 */
ssize_t http2_feed(struct http2_flow *f, const void *bytes, size_t len, enum http2_event *event);

/* The same for bytes that cannot be seen: WIRE_NOT unless they are within a frame without fields. */
ssize_t http2_skip(struct http2_flow *f, uint64_t len, enum http2_event *event);

/* Is a frame at hand, which the next bytes go on with? Then its stream is f->stream. */
bool http2_in_frame(const struct http2_flow *f);

/* Have any bytes of the next frame's header been seen? */
bool http2_in_header(const struct http2_flow *f);

#endif
