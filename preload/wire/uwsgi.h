/*
 * The uwsgi protocol, request side (uwsgi-docs: Protocol; the packet that `uwsgi --http` and
 * nginx's uwsgi_pass send to a worker): modifier1, 16-bit little-endian size, modifier2, then
 * size bytes of variables, each a 16-bit key length, key, 16-bit value length, value; then the
 * body, CONTENT_LENGTH bytes. The worker answers with an HTTP/1 response (http1.h).
 */
#ifndef REQPROF_WIRE_UWSGI_H
#define REQPROF_WIRE_UWSGI_H

#include "preload/wire/wire.h"

enum uwsgi_stage { UWSGI_HEAD, UWSGI_BODY, UWSGI_DONE };

struct uwsgi_request {
	struct wire_facts facts; /* path from PATH_INFO, else REQUEST_URI without its query */
	enum uwsgi_stage stage;
	bool started;
	/* internal to uwsgi.c below; add as needed, keep the whole struct under 3 KiB */
	uint8_t state;
	uint8_t header[4];
	uint8_t header_len;
	uint32_t vars_left;
	uint32_t item_len;
	uint32_t item_done;
	uint8_t key_len;
	char key[32];
	uint16_t value_len;
	char value[160];
	bool path_is_path_info;
	uint64_t body_left;
};

void uwsgi_request_start(struct uwsgi_request *r);

/* As http1_request_feed. keep_alive is false: one request per connection unless the variables say
 * UWSGI_... otherwise; a body of unknown length (chunked input relayed) is UWSGI_BODY until close. */
ssize_t uwsgi_request_feed(struct uwsgi_request *r, const void *bytes, size_t len);
ssize_t uwsgi_request_skip(struct uwsgi_request *r, uint64_t len);

#endif
