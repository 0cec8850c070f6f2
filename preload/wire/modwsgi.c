#include "preload/wire/modwsgi.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state { HEADER, KEY, VALUE, DEAD };

enum { NUMBER = 8, HEADER_LEN = 2 * NUMBER };

void modwsgi_request_start(struct modwsgi_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->state = HEADER;
	r->header_len = 0;
	cgi_vars_start(&r->vars, &r->facts, CGI_REQUEST_URI_FIRST);
	http1_body_start(&r->body);
	http1_body_add_coding(&r->body, "chunked", strlen("chunked"));
}

static uint32_t small_number(const unsigned char *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
}

bool modwsgi_header_fits(const unsigned char *bytes, size_t len)
{
	uint32_t total, count;

	/* Both numbers are below MODWSGI_HEAD_MAX. */
	for (size_t i = 0; i < len && i < HEADER_LEN; i++) {
		if (i % NUMBER >= 3 && bytes[i] != 0)
			return false;
	}
	if (len < NUMBER)
		return true;
	total = small_number(bytes);
	/* A count, and a string or two of a NUL each. */
	if (total < NUMBER + 2)
		return false;
	if (len < HEADER_LEN)
		return true;
	count = small_number(bytes + NUMBER);
	return count >= 2 && count % 2 == 0 && count <= total - NUMBER;
}

static const char *take_header(struct modwsgi_request *r, const char *at, const char *end)
{
	r->started = true;
	while (at < end && r->header_len < HEADER_LEN)
		r->header[r->header_len++] = (uint8_t)*at++;
	if (!modwsgi_header_fits(r->header, r->header_len))
		return NULL;
	if (r->header_len == HEADER_LEN) {
		r->head_left = small_number(r->header) - NUMBER;
		r->strings_left = small_number(r->header + NUMBER);
		r->state = KEY;
	}
	return at;
}

/* Bytes of a key or a value, up to its NUL. */
static const char *take_item(struct modwsgi_request *r, const char *at, const char *end)
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
	if (nul) {
		r->strings_left--;
		r->state = r->state == KEY ? VALUE : KEY;
	}
	if ((r->head_left == 0) != (r->strings_left == 0))
		return NULL;
	if (r->head_left == 0)
		r->stage = WIRE_BODY;
	return at + len;
}

ssize_t modwsgi_request_feed(struct modwsgi_request *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;
	uint64_t content = 0;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage == WIRE_HEAD) {
		at = r->state == HEADER ? take_header(r, at, end) : take_item(r, at, end);
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

ssize_t modwsgi_request_skip(struct modwsgi_request *r, uint64_t len)
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
	return used;
}
