/*
 * wire: bytes in, facts out. What every protocol parser of this room shares.
 *
 * A parser is a pure push machine: it is fed the bytes that the host has just read or written, in
 * order and cut anywhere, keeps what it needs in the state struct it is given, and never blocks,
 * allocates, reads a clock or looks outside its arguments. Any bytes are survived. Callers: track,
 * from any thread that holds the connection; parsers themselves know nothing of threads.
 */
#ifndef REQPROF_WIRE_WIRE_H
#define REQPROF_WIRE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	WIRE_NOT = -2, /* these bytes are not this protocol; do not feed this parser again */
	WIRE_METHOD_MAX = 24,
	WIRE_PATH_MAX = 2048,
	WIRE_ID_MAX = 128,
	WIRE_TRACEPARENT_MAX = 56,
	WIRE_SNIFF_MAX = 24, /* wire_sniff never needs more bytes than this to decide */
};

enum wire_protocol {
	WIRE_UNKNOWN, /* could still become one of those below: ask again with more bytes */
	WIRE_NONE,    /* none of them, whatever follows */
	WIRE_HTTP1,
	WIRE_UWSGI,
	WIRE_HTTP2,
	WIRE_FASTCGI,
	WIRE_SCGI,
	WIRE_AJP,
	WIRE_MODWSGI,
	WIRE_TLS,   /* ciphertext, whose plain text may come another way (tls.h) */
	WIRE_PROXY, /* a PROXY protocol head: ask again of what follows it (proxy_head.h) */
};

/* What a request says of itself. Strings are NUL-terminated, raw as received: escape before showing. */
struct wire_facts {
	char method[WIRE_METHOD_MAX];
	char path[WIRE_PATH_MAX];      /* no query string, no fragment, no scheme://host; "*" stays */
	uint32_t path_len;             /* bytes stored in path, without the NUL */
	uint32_t path_full_len;        /* bytes it had on the wire: greater than path_len if it was cut */
	char traceparent[WIRE_TRACEPARENT_MAX]; /* "" when absent, too long or malformed */
	char request_id[WIRE_ID_MAX];  /* x-request-id; "" when absent; cut when longer */
	uint8_t http_minor;            /* 0 or 1: HTTP/1.x; 1 where the protocol does not say */
	bool keep_alive;               /* the client lets the connection live on after the response */
	bool expect_continue;
	bool upgrade;                  /* Connection: upgrade was asked for */
	bool is_head;                  /* method HEAD: the response has no body */
	bool is_connect;
	bool asked;                    /* x-reqprof is there, and its value is not 0 */
};

enum wire_stage {
	WIRE_HEAD, /* before the end of the head (also: nothing seen yet) */
	WIRE_BODY,
	WIRE_DONE, /* the last byte of this message has been used */
};

/* What the state of every request parser begins with, so that callers need not ask which it is. */
#define WIRE_REQUEST_COMMON                                                                       \
	struct wire_facts facts; /* final once stage leaves WIRE_HEAD; method and path earlier */ \
	enum wire_stage stage;                                                                    \
	bool started /* a byte of the head has been seen */

/* The same for responses. */
#define WIRE_RESPONSE_COMMON                                                                         \
	enum wire_stage stage;                                                                       \
	uint16_t status; /* the final status; 0 until it has been seen */                            \
	uint8_t interim; /* number of interim answers seen before it (100, 102, 103), at most 255 */ \
	bool started; /* the final response has begun; known with the last digit of its status */    \
	bool until_close;   /* the end of the body is the end of the connection */                   \
	bool closes;	    /* the connection ends after this response (Connection: close, ...) */   \
	bool upgraded;	    /* 101, or 2xx to CONNECT: what follows is not of this protocol */       \
	uint64_t body_bytes /* content bytes seen so far, transfer coding removed */

/*
 * Which protocol do a connection's first bytes speak? Looks at no more than WIRE_SNIFF_MAX bytes,
 * and gives the same verdict however they come: it stays WIRE_UNKNOWN until no byte can change it.
 * HTTP/1: a token method of at most 23 characters, then a space (leading CR/LF allowed, as RFC 9112
 * 2.2 asks).
 * HTTP/2 with prior knowledge: "PRI * HTTP/2".
 * uwsgi: modifier1 0, a 16-bit little-endian size, modifier2 0..255, then a first key of 1 to 256
 * printable characters that fits.
 * FastCGI: BEGIN_REQUEST for one of the three roles. SCGI: a length and CONTENT_LENGTH. AJP: Forward
 * Request or a ping. TLS: a handshake record of version 3.x that begins with a ClientHello. mod_wsgi's daemon: two 64-bit numbers that can be its, then a printable byte.
 */
enum wire_protocol wire_sniff(const void *bytes, size_t len);

#endif
