#include "preload/wire/scgi.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state { LENGTH, KEY, VALUE, COMMA, DEAD };

void scgi_request_start(struct scgi_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->state = LENGTH;
	r->digits = 0;
	r->head_left = 0;
	r->body_left = 0;
	cgi_vars_start(&r->vars, &r->facts, CGI_REQUEST_URI_FIRST);
}

static const char *take_length(struct scgi_request *r, const char *at)
{
	r->started = true;
	if (*at >= '0' && *at <= '9' && r->digits < SCGI_DIGITS_MAX) {
		r->head_left = r->head_left * 10 + (uint32_t)(*at - '0');
		r->digits++;
		return at + 1;
	}
	if (*at != ':' || r->head_left == 0)
		return NULL;
	r->state = KEY;
	return at + 1;
}

/* Bytes of a key or a value, up to its NUL. */
static const char *take_item(struct scgi_request *r, const char *at, const char *end)
{
	size_t len = (size_t)(end - at);
	const char *nul;

	if (len > r->head_left)
		len = r->head_left;
	nul = memchr(at, '\0', len);
	if (nul)
		len = (size_t)(nul - at);
	if (r->state == KEY)
		cgi_vars_key(&r->vars, at, len, nul != NULL);
	else
		cgi_vars_value(&r->vars, &r->facts, at, len, nul != NULL);
	len += nul != NULL;
	r->head_left -= (uint32_t)len;
	if (nul)
		r->state = r->state == KEY ? VALUE : KEY;
	if (r->head_left == 0) {
		/* The last byte of the head is a value's NUL. */
		if (!nul || r->state != KEY)
			return NULL;
		r->state = COMMA;
	}
	return at + len;
}

static const char *take_comma(struct scgi_request *r, const char *at)
{
	if (*at != ',')
		return NULL;
	r->body_left = r->vars.length;
	r->stage = r->body_left || r->vars.body_unknown ? WIRE_BODY : WIRE_DONE;
	return at + 1;
}

static const char *take_head(struct scgi_request *r, const char *at, const char *end)
{
	switch (r->state) {
	case LENGTH:
		return take_length(r, at);
	case KEY:
	case VALUE:
		return take_item(r, at, end);
	case COMMA:
		return take_comma(r, at);
	default:
		return NULL;
	}
}

static uint64_t take_body(struct scgi_request *r, uint64_t len)
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

ssize_t scgi_request_feed(struct scgi_request *r, const void *bytes, size_t len)
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
		at += take_body(r, (size_t)(end - at));
	return at - start;
}

ssize_t scgi_request_skip(struct scgi_request *r, uint64_t len)
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
