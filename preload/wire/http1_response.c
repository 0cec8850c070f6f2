#include "preload/wire/http1.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state {
	START,	    /* before the first line; empty lines are skipped, as before a request */
	VERSION,    /* in "HTTP/1.1" */
	CGI_STATUS, /* in "Status:" */
	GAP,	    /* before the code */
	CODE,
	CODE_END,
	REASON,
	FIELDS,
	DEAD, /* WIRE_NOT was said */
};

enum { CODE_DIGITS = 3, CODE_FIRST = 100, CODE_FINAL = 200, CODE_UPGRADED = 101 };

static void start_message(struct http1_response *r)
{
	r->state = START;
	r->matched = 0;
	r->code = 0;
	r->minor = 1;
	r->says_close = false;
	r->says_keep_alive = false;
	r->says_h2c = false;
	http1_body_start(&r->body);
}

void http1_response_start(struct http1_response *r, const struct wire_facts *request)
{
	r->stage = WIRE_HEAD;
	r->status = 0;
	r->interim = 0;
	r->started = false;
	r->until_close = false;
	r->closes = false;
	r->upgraded = false;
	r->body_bytes = 0;
	r->is_head = request->is_head;
	r->is_connect = request->is_connect;
	r->keep_alive_request = request->keep_alive;
	start_message(r);
}

/* Each of these takes what it can of one part of the first line; NULL when it is no such part. */

static const char *skip_lead(struct http1_response *r, const char *at, const char *end)
{
	while (at < end && (*at == '\r' || *at == '\n'))
		at++;
	if (at < end)
		r->state = *at == 'H' ? VERSION : CGI_STATUS;
	return at;
}

static const char *take_version(struct http1_response *r, const char *at, const char *end)
{
	static const char version[] = "HTTP/1.";

	for (; at < end && version[r->matched]; at++) {
		if (*at != version[r->matched++])
			return NULL;
	}
	if (at == end)
		return at;
	if (*at < '0' || *at > '9')
		return NULL;
	r->minor = *at != '0';
	r->state = GAP;
	return at + 1;
}

static const char *take_cgi_status(struct http1_response *r, const char *at, const char *end)
{
	static const char status[] = "status:";

	for (; at < end && status[r->matched]; at++) {
		char c = *at;

		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (c != status[r->matched++])
			return NULL;
	}
	if (!status[r->matched])
		r->state = GAP;
	return at;
}

static const char *take_gap(struct http1_response *r, const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	if (at < end) {
		r->matched = 0;
		r->state = CODE;
	}
	return at;
}

static const char *take_code(struct http1_response *r, const char *at, const char *end)
{
	for (; at < end && r->matched < CODE_DIGITS; at++) {
		if (*at < '0' || *at > '9')
			return NULL;
		r->code = (uint16_t)(r->code * 10 + (*at - '0'));
		r->matched++;
	}
	if (r->matched < CODE_DIGITS)
		return at;
	if (r->code < CODE_FIRST)
		return NULL;
	r->state = CODE_END;
	if (r->code >= CODE_FINAL || r->code == CODE_UPGRADED) {
		r->status = r->code;
		r->started = true;
	}
	return at;
}

static const char *skip_reason(struct http1_response *r, const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	if (!newline)
		return end;
	http1_fields_start(&r->fields);
	r->state = FIELDS;
	return newline + 1;
}

static void end_head(struct http1_response *r)
{
	bool has_body = !r->is_head && r->status != 204 && r->status != 304;

	if (!r->status) {
		if (r->interim < UINT8_MAX)
			r->interim++;
		start_message(r);
		return;
	}
	r->upgraded = r->status == CODE_UPGRADED || (r->is_connect && r->status / 100 == 2);
	if (r->upgraded || !has_body)
		http1_body_start(&r->body);
	else if (r->body.kind == HTTP1_BODY_NONE)
		r->body.kind = HTTP1_BODY_UNTIL_CLOSE;
	r->closes =
		!r->keep_alive_request || r->says_close || (r->minor == 0 && !r->says_keep_alive);
	r->stage = http1_body_ended(&r->body) ? WIRE_DONE : WIRE_BODY;
}

static const char *take_fields(struct http1_response *r, const char *at, const char *end)
{
	for (;;) {
		enum http1_field field = http1_fields_next(&r->fields, &at, end);
		const char *value = r->fields.value;
		size_t len = r->fields.value_len;

		switch (field) {
		case HTTP1_FIELDS_MORE:
			return at;
		case HTTP1_FIELDS_END:
			end_head(r);
			return at;
		case HTTP1_CONNECTION:
			r->says_close |= facts_same_word(value, len, "close");
			r->says_keep_alive |= facts_same_word(value, len, "keep-alive");
			break;
		case HTTP1_UPGRADE:
			r->says_h2c |= facts_same_word(value, len, "h2c");
			break;
		case HTTP1_CONTENT_LENGTH:
			http1_body_add_length(&r->body, value, len);
			break;
		case HTTP1_TRANSFER_ENCODING:
			http1_body_add_coding(&r->body, value, len);
			break;
		default:
			break;
		}
	}
}

/* One step in the head; NULL when it is none. */
static const char *take_head(struct http1_response *r, const char *at, const char *end)
{
	switch (r->state) {
	case START:
		return skip_lead(r, at, end);
	case VERSION:
		return take_version(r, at, end);
	case CGI_STATUS:
		return take_cgi_status(r, at, end);
	case GAP:
		return take_gap(r, at, end);
	case CODE:
		return take_code(r, at, end);
	case CODE_END:
		r->state = REASON;
		return *at < '0' || *at > '9' ? at : NULL;
	case REASON:
		return skip_reason(r, at, end);
	case FIELDS:
		return take_fields(r, at, end);
	default:
		return NULL;
	}
}

/* After body bytes, or none: has the body ended, or its end been lost? */
static void follow_body(struct http1_response *r)
{
	if (r->stage != WIRE_BODY)
		return;
	if (http1_body_ended(&r->body))
		r->stage = WIRE_DONE;
	if (r->body.kind == HTTP1_BODY_UNTIL_CLOSE) {
		r->until_close = true;
		r->closes = true;
	}
}

ssize_t http1_response_feed(struct http1_response *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage == WIRE_HEAD) {
		at = take_head(r, at, end);
		if (!at) {
			r->state = DEAD;
			return WIRE_NOT;
		}
	}
	if (r->stage == WIRE_BODY)
		at += http1_body_feed(&r->body, at, (size_t)(end - at), &r->body_bytes);
	follow_body(r);
	return at - start;
}

ssize_t http1_response_skip(struct http1_response *r, uint64_t len)
{
	ssize_t used = 0;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	if (r->stage == WIRE_BODY)
		used = http1_body_skip(&r->body, len, &r->body_bytes);
	if (r->stage == WIRE_HEAD || used < 0) {
		r->state = DEAD;
		return WIRE_NOT;
	}
	follow_body(r);
	return used;
}
