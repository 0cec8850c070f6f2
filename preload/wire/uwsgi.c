#include "preload/wire/uwsgi.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state {
	HEADER,
	KEY_LEN, /* low byte, then high byte */
	KEY_LEN_HIGH,
	KEY,
	VALUE_LEN,
	VALUE_LEN_HIGH,
	VALUE,
	DEAD, /* WIRE_NOT was said */
};

void uwsgi_request_start(struct uwsgi_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->state = HEADER;
	r->header_len = 0;
	r->body_left = 0;
	cgi_vars_start(&r->vars, &r->facts, CGI_PATH_INFO_FIRST);
}

static const char *take_header(struct uwsgi_request *r, const char *at, const char *end)
{
	r->started = true;
	while (at < end && r->header_len < sizeof(r->header))
		r->header[r->header_len++] = (uint8_t)*at++;
	if (r->header[0] != 0)
		return NULL;
	if (r->header_len == sizeof(r->header)) {
		r->vars_left = (uint16_t)(r->header[1] | r->header[2] << 8);
		r->state = KEY_LEN;
		if (r->vars_left == 0)
			return NULL;
	}
	return at;
}

/* Bytes of a key. */
static void take_key(struct uwsgi_request *r, const char *bytes, size_t len)
{
	r->item_left -= (uint16_t)len;
	cgi_vars_key(&r->vars, bytes, len, r->item_left == 0);
	if (r->item_left == 0)
		r->state = VALUE_LEN;
}

/* Bytes of a value. When it is whole a variable is, and with the last one the packet. */
static void take_value(struct uwsgi_request *r, const char *bytes, size_t len)
{
	r->item_left -= (uint16_t)len;
	cgi_vars_value(&r->vars, &r->facts, bytes, len, r->item_left == 0);
	if (r->item_left > 0)
		return;
	r->state = KEY_LEN;
	if (r->vars_left > 0)
		return;
	r->body_left = r->vars.length;
	r->stage = r->body_left || r->vars.body_unknown ? WIRE_BODY : WIRE_DONE;
}

/* A key's or a value's length, or its first byte. NULL: it reaches beyond the packet. */
static const char *take_length(struct uwsgi_request *r, const char *at, const char *end)
{
	bool is_key = r->state == KEY_LEN || r->state == KEY_LEN_HIGH;
	unsigned needed;

	/* The rest of a packet cannot be shorter than the two lengths of a variable. */
	if (r->state == KEY_LEN && r->vars_left < 4)
		return NULL;
	if (r->state == KEY_LEN || r->state == VALUE_LEN) {
		r->item_left = (unsigned char)*at++;
		r->vars_left--;
		r->state = is_key ? KEY_LEN_HIGH : VALUE_LEN_HIGH;
		if (at == end)
			return at;
	}
	r->item_left = (uint16_t)(r->item_left | (unsigned char)*at++ << 8);
	r->vars_left--;
	r->state = is_key ? KEY : VALUE;
	needed = r->item_left + (is_key ? 2U : 0U);
	if (needed > r->vars_left)
		return NULL;
	if (r->item_left == 0 && is_key)
		take_key(r, at, 0);
	else if (r->item_left == 0)
		take_value(r, at, 0);
	return at;
}

/* One step in the packet; NULL when it is none. */
static const char *take_packet(struct uwsgi_request *r, const char *at, const char *end)
{
	size_t len = (size_t)(end - at);

	switch (r->state) {
	case HEADER:
		return take_header(r, at, end);
	case KEY_LEN:
	case KEY_LEN_HIGH:
	case VALUE_LEN:
	case VALUE_LEN_HIGH:
		return take_length(r, at, end);
	case KEY:
	case VALUE:
		if (len > r->item_left)
			len = r->item_left;
		r->vars_left -= (uint16_t)len;
		if (r->state == KEY)
			take_key(r, at, len);
		else
			take_value(r, at, len);
		return at + len;
	default:
		return NULL;
	}
}

/* Counts up to len bytes off the body. */
static uint64_t take_body(struct uwsgi_request *r, uint64_t len)
{
	if (r->vars.body_unknown)
		return len;
	if (len > r->body_left)
		len = r->body_left;
	r->body_left -= len;
	if (r->body_left == 0)
		r->stage = WIRE_DONE;
	return len;
}

ssize_t uwsgi_request_feed(struct uwsgi_request *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage == WIRE_HEAD) {
		at = take_packet(r, at, end);
		if (!at) {
			r->state = DEAD;
			return WIRE_NOT;
		}
	}
	if (r->stage == WIRE_BODY)
		at += take_body(r, (size_t)(end - at));
	return at - start;
}

ssize_t uwsgi_request_skip(struct uwsgi_request *r, uint64_t len)
{
	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	if (r->stage == WIRE_HEAD || len > INT64_MAX) {
		r->state = DEAD;
		return WIRE_NOT;
	}
	return (ssize_t)take_body(r, len);
}
