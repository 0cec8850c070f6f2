#include "preload/wire/cgi_response.h"

#include <string.h>

static void start_message(struct cgi_response *r)
{
	cgi_head_start(&r->head);
	http1_fields_start(&r->fields);
	http1_body_start(&r->body);
}

void cgi_response_start(struct cgi_response *r, const struct wire_facts *request, bool modwsgi)
{
	r->stage = WIRE_HEAD;
	r->status = 0;
	r->interim = 0;
	r->started = false;
	r->until_close = false;
	r->closes = true;
	r->upgraded = false;
	r->body_bytes = 0;
	r->is_head = request->is_head;
	r->is_modwsgi = modwsgi;
	start_message(r);
}

static uint16_t final_status(const struct cgi_response *r)
{
	if (r->is_modwsgi && cgi_head_says(&r->head, "Error"))
		return 500;
	if (r->is_modwsgi && cgi_head_says(&r->head, "Timeout"))
		return 504;
	return r->head.status;
}

static void end_head(struct cgi_response *r)
{
	bool interim = (r->head.status < 200 && r->head.status != 101) ||
		       (r->is_modwsgi && cgi_head_says(&r->head, "Continue"));

	if (interim) {
		if (r->interim < UINT8_MAX)
			r->interim++;
		start_message(r);
		return;
	}
	r->status = final_status(r);
	r->started = true;
	r->upgraded = r->status == 101;
	if (r->is_head || r->upgraded || r->status == 204 || r->status == 304)
		http1_body_start(&r->body);
	else if (r->body.kind == HTTP1_BODY_NONE)
		r->body.kind = HTTP1_BODY_UNTIL_CLOSE;
	r->stage = http1_body_ended(&r->body) ? WIRE_DONE : WIRE_BODY;
}

/* The fields that tell where the body ends, in bytes of the head. */
static void take_fields(struct cgi_response *r, const char *at, const char *end)
{
	for (;;) {
		enum http1_field field = http1_fields_next(&r->fields, &at, end);

		if (field == HTTP1_FIELDS_MORE || field == HTTP1_FIELDS_END)
			return;
		if (field == HTTP1_CONTENT_LENGTH)
			http1_body_add_length(&r->body, r->fields.value, r->fields.value_len);
		if (field == HTTP1_TRANSFER_ENCODING)
			http1_body_add_coding(&r->body, r->fields.value, r->fields.value_len);
	}
}

static void follow_body(struct cgi_response *r)
{
	if (r->stage != WIRE_BODY)
		return;
	if (http1_body_ended(&r->body))
		r->stage = WIRE_DONE;
	if (r->body.kind == HTTP1_BODY_UNTIL_CLOSE)
		r->until_close = true;
}

ssize_t cgi_response_feed(struct cgi_response *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage == WIRE_HEAD) {
		size_t used = cgi_head_feed(&r->head, at, (size_t)(end - at));

		take_fields(r, at, at + used);
		at += used;
		if (r->head.ended)
			end_head(r);
	}
	if (r->stage == WIRE_BODY)
		at += http1_body_feed(&r->body, at, (size_t)(end - at), &r->body_bytes);
	follow_body(r);
	return at - start;
}

ssize_t cgi_response_skip(struct cgi_response *r, uint64_t len)
{
	ssize_t used = 0;

	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	if (r->stage == WIRE_HEAD)
		return WIRE_NOT;
	used = http1_body_skip(&r->body, len, &r->body_bytes);
	if (used >= 0)
		follow_body(r);
	return used;
}
