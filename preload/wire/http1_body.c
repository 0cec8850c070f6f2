#include "preload/wire/http1_body.h"

#include <string.h>

#include "preload/wire/facts.h"

/* Of a chunked body. ENDED stands last, and for the other kinds is not used. */
enum state {
	SIZE_FIRST, /* before the first digit of a size */
	SIZE,
	EXTENSION, /* to the end of the size line: extensions, padding, CR */
	DATA,
	DATA_END, /* CR LF, or a bare LF */
	DATA_END_LF,
	TRAILER_FIRST, /* at the start of a trailer line, or of the empty line */
	TRAILER,
	TRAILER_END_LF,
	ENDED,
};

void http1_body_start(struct http1_body *body)
{
	body->kind = HTTP1_BODY_NONE;
	body->state = SIZE_FIRST;
	body->left = 0;
}

void http1_body_add_length(struct http1_body *body, const char *text, size_t len)
{
	uint64_t length;

	if (body->kind == HTTP1_BODY_CHUNKED || body->kind == HTTP1_BODY_UNTIL_CLOSE)
		return;
	if (!facts_parse_length(text, len, &length) ||
	    (body->kind == HTTP1_BODY_LENGTH && length != body->left)) {
		body->kind = HTTP1_BODY_UNTIL_CLOSE;
		return;
	}
	body->kind = HTTP1_BODY_LENGTH;
	body->left = length;
}

void http1_body_add_coding(struct http1_body *body, const char *text, size_t len)
{
	if (facts_same_word(text, len, "identity"))
		return;
	body->left = 0;
	body->kind = HTTP1_BODY_UNTIL_CLOSE;
	if (facts_same_word(text, len, "chunked"))
		body->kind = HTTP1_BODY_CHUNKED;
}

bool http1_body_ended(const struct http1_body *body)
{
	switch (body->kind) {
	case HTTP1_BODY_NONE:
		return true;
	case HTTP1_BODY_LENGTH:
		return body->left == 0;
	case HTTP1_BODY_CHUNKED:
		return body->state == ENDED;
	default:
		return false;
	}
}

static int hex_digit(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a chunk's size. False: this is no size. */
static bool take_size(struct http1_body *body, unsigned char c)
{
	int digit = hex_digit(c);

	if (digit >= 0) {
		if (body->left > (uint64_t)INT64_MAX >> 4)
			return false;
		body->left = body->left << 4 | (unsigned)digit;
		body->state = SIZE;
		return true;
	}
	if (body->state == SIZE_FIRST)
		return c == ' ' || c == '\t';
	if (c == '\n') {
		body->state = body->left ? DATA : TRAILER_FIRST;
		return true;
	}
	body->state = EXTENSION;
	return c == '\r' || c == ';' || c == ' ' || c == '\t';
}

/* One byte of the framing around the data. False: the framing is broken. */
static bool take_framing(struct http1_body *body, unsigned char c)
{
	switch (body->state) {
	case SIZE_FIRST:
	case SIZE:
		return take_size(body, c);
	case DATA_END:
	case DATA_END_LF:
		if (c == '\r' && body->state == DATA_END)
			body->state = DATA_END_LF;
		else if (c == '\n')
			body->state = SIZE_FIRST;
		else
			return false;
		return true;
	case TRAILER_FIRST:
	case TRAILER_END_LF:
		if (c == '\n')
			body->state = ENDED;
		else if (c == '\r' && body->state == TRAILER_FIRST)
			body->state = TRAILER_END_LF;
		else
			body->state = TRAILER;
		return true;
	default:
		return false;
	}
}

/* The end of the line that an extension or a trailer is on. */
static size_t skip_line(struct http1_body *body, const char *bytes, size_t len)
{
	const char *newline = memchr(bytes, '\n', len);

	if (!newline)
		return len;
	if (body->state == EXTENSION)
		body->state = body->left ? DATA : TRAILER_FIRST;
	else
		body->state = TRAILER_FIRST;
	return (size_t)(newline - bytes) + 1;
}

/* Counts up to len bytes of content off the body. */
static size_t take_content(struct http1_body *body, uint64_t len, uint64_t *content)
{
	if (len > body->left)
		len = body->left;
	body->left -= len;
	*content += len;
	return len;
}

static size_t feed_chunks(struct http1_body *body, const char *bytes, size_t len, uint64_t *content)
{
	size_t i = 0;

	while (i < len && body->state != ENDED) {
		switch (body->state) {
		case DATA:
			i += take_content(body, len - i, content);
			if (body->left == 0)
				body->state = DATA_END;
			break;
		case EXTENSION:
		case TRAILER:
			i += skip_line(body, bytes + i, len - i);
			break;
		default:
			if (!take_framing(body, (unsigned char)bytes[i])) {
				body->kind = HTTP1_BODY_UNTIL_CLOSE;
				*content += len - i;
				return len;
			}
			i++;
		}
	}
	return i;
}

size_t http1_body_feed(struct http1_body *body, const char *bytes, size_t len, uint64_t *content)
{
	switch (body->kind) {
	case HTTP1_BODY_LENGTH:
		return take_content(body, len, content);
	case HTTP1_BODY_CHUNKED:
		return feed_chunks(body, bytes, len, content);
	case HTTP1_BODY_UNTIL_CLOSE:
		*content += len;
		return len;
	default:
		return 0;
	}
}

ssize_t http1_body_skip(struct http1_body *body, uint64_t len, uint64_t *content)
{
	if (len > INT64_MAX)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	if (body->kind == HTTP1_BODY_CHUNKED && body->state != ENDED) {
		if (body->state != DATA || len > body->left)
			return WIRE_NOT;
		take_content(body, len, content);
		if (body->left == 0)
			body->state = DATA_END;
		return (ssize_t)len;
	}
	return (ssize_t)http1_body_feed(body, NULL, len, content);
}
