#include "preload/wire/http1.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state {
	LEAD, /* empty lines before the request line */
	METHOD,
	TARGET,
	VERSION,     /* after a space: the version, unless the space is the target's */
	VERSION_END, /* white space after it */
	REQUEST_LINE_LF,
	FIELDS,
	DEAD, /* WIRE_NOT was said */
};

static const char version[] = "HTTP/1.";

enum { VERSION_NAME = 5, VERSION_DIGIT = 7 }; /* bytes of "HTTP/" and before the digit */

void http1_request_start(struct http1_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->state = LEAD;
	r->matched = 0;
	r->asks_close = false;
	r->asks_keep_alive = false;
	http1_body_start(&r->body);
}

static const char *skip_lead(struct http1_request *r, const char *at, const char *end)
{
	while (at < end && (*at == '\r' || *at == '\n'))
		at++;
	if (at < end) {
		r->started = true;
		r->state = METHOD;
	}
	return at;
}

/* NULL when this is no method. */
static const char *take_method(struct http1_request *r, const char *at, const char *end)
{
	for (; at < end && facts_is_token_char((unsigned char)*at); at++) {
		if (r->matched == WIRE_METHOD_MAX - 1)
			return NULL;
		r->facts.method[r->matched++] = *at;
	}
	r->facts.method[r->matched] = '\0';
	if (at == end)
		return at;
	if (*at != ' ' || r->matched == 0)
		return NULL;
	facts_end_method(&r->facts);
	target_start(&r->target, &r->facts);
	r->state = TARGET;
	return at + 1;
}

/* NULL at a line that ends before a version (HTTP/0.9, or no HTTP at all). Other control bytes are
 * what a lenient server takes as part of the target, so they are one here. */
static const char *take_target(struct http1_request *r, const char *at, const char *end)
{
	at += target_feed(&r->target, &r->facts, at, (size_t)(end - at));
	if (at == end)
		return at;
	if (*at == '\n' || *at == '\r' || *at == '\0')
		return NULL;
	if (*at != ' ') {
		target_feed_odd(&r->target, &r->facts, at, 1);
		return at + 1;
	}
	if (!target_is_empty(&r->target)) {
		r->matched = 0;
		r->state = VERSION;
	}
	return at + 1;
}

static const char *take_version(struct http1_request *r, const char *at, const char *end)
{
	while (r->matched == 0 && at < end && (*at == ' ' || *at == '\t'))
		at++;
	while (r->matched < VERSION_DIGIT && at < end && *at == version[r->matched]) {
		r->matched++;
		at++;
	}
	if (at == end)
		return at;
	if (r->matched == VERSION_DIGIT && *at >= '0' && *at <= '9') {
		r->facts.http_minor = *at != '0';
		r->state = VERSION_END;
		return at + 1;
	}
	/* "PRI * HTTP/2.0" and its like, else a target with a space in it. */
	if (r->matched >= VERSION_NAME)
		return NULL;
	target_feed_odd(&r->target, &r->facts, " ", 1);
	target_feed_odd(&r->target, &r->facts, version, r->matched);
	r->state = TARGET;
	return at;
}

static const char *take_version_end(struct http1_request *r, const char *at)
{
	switch (*at) {
	case '\n':
		target_end(&r->target, &r->facts);
		http1_fields_start(&r->fields);
		r->state = FIELDS;
		return at + 1;
	case '\r':
		r->state = REQUEST_LINE_LF;
		return at + 1;
	case ' ':
	case '\t':
		return r->state == VERSION_END ? at + 1 : NULL;
	default:
		return NULL;
	}
}

static void take_connection(struct http1_request *r, const char *option, size_t len)
{
	if (facts_same_word(option, len, "close"))
		r->asks_close = true;
	else if (facts_same_word(option, len, "keep-alive"))
		r->asks_keep_alive = true;
	else if (facts_same_word(option, len, "upgrade"))
		r->facts.upgrade = true;
}

static void end_head(struct http1_request *r)
{
	struct wire_facts *facts = &r->facts;

	/* What follows a CONNECT is the tunnel's, whatever the fields say. */
	if (facts->is_connect)
		http1_body_start(&r->body);
	facts->keep_alive = !r->asks_close && (facts->http_minor > 0 || r->asks_keep_alive);
	/* Where this body ends cannot be told, and so neither where a next request begins. */
	if (r->body.kind == HTTP1_BODY_UNTIL_CLOSE)
		facts->keep_alive = false;
	r->stage = http1_body_ended(&r->body) ? WIRE_DONE : WIRE_BODY;
}

static const char *take_fields(struct http1_request *r, const char *at, const char *end)
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
			take_connection(r, value, len);
			break;
		case HTTP1_CONTENT_LENGTH:
			http1_body_add_length(&r->body, value, len);
			break;
		case HTTP1_EXPECT:
			r->facts.expect_continue |= facts_same_word(value, len, "100-continue");
			break;
		case HTTP1_UPGRADE:
			break; /* what becomes of it, the response says */
		case HTTP1_TRANSFER_ENCODING:
			http1_body_add_coding(&r->body, value, len);
			break;
		case HTTP1_TRACEPARENT:
			facts_take_traceparent(&r->facts, value, len);
			break;
		case HTTP1_X_REQPROF:
			r->facts.asked = len != 1 || value[0] != '0';
			break;
		case HTTP1_X_REQUEST_ID:
			facts_take_request_id(&r->facts, value, len);
			break;
		}
	}
}

/* One step in the head; NULL when it is none. */
static const char *take_head(struct http1_request *r, const char *at, const char *end)
{
	switch (r->state) {
	case LEAD:
		return skip_lead(r, at, end);
	case METHOD:
		return take_method(r, at, end);
	case TARGET:
		return take_target(r, at, end);
	case VERSION:
		return take_version(r, at, end);
	case VERSION_END:
	case REQUEST_LINE_LF:
		return take_version_end(r, at);
	case FIELDS:
		return take_fields(r, at, end);
	default:
		return NULL;
	}
}

ssize_t http1_request_feed(struct http1_request *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;
	uint64_t content = 0;

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
	if (r->stage == WIRE_BODY) {
		at += http1_body_feed(&r->body, at, (size_t)(end - at), &content);
		if (http1_body_ended(&r->body))
			r->stage = WIRE_DONE;
	}
	return at - start;
}

ssize_t http1_request_skip(struct http1_request *r, uint64_t len)
{
	uint64_t content = 0;
	ssize_t used = 0;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	if (r->stage == WIRE_BODY)
		used = http1_body_skip(&r->body, len, &content);
	if (r->stage == WIRE_HEAD || used < 0) {
		r->state = DEAD;
		return WIRE_NOT;
	}
	if (http1_body_ended(&r->body))
		r->stage = WIRE_DONE;
	return used;
}
