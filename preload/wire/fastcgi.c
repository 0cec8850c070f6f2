#include "preload/wire/fastcgi.h"

#include <string.h>

#include "preload/wire/facts.h"

enum { HEADER_LEN = 8, BEGIN_LEN = 8, VERSION = 1, TYPE_LAST = 11, KEEP_CONNECTION = 1 };

enum type {
	BEGIN_REQUEST = 1,
	ABORT_REQUEST,
	END_REQUEST,
	PARAMS,
	STDIN,
	STDOUT,
};

enum role { RESPONDER = 1, AUTHORIZER, FILTER };

/* What the content of a request's record is for. */
enum state { IGNORED, BEGIN, PAIRS, DEAD };

enum pair { KEY_LEN, VALUE_LEN, KEY, VALUE };

static void record_start(struct fastcgi_record *record)
{
	record->header_len = 0;
	record->content_left = 0;
	record->padding_left = 0;
}

static unsigned record_type(const struct fastcgi_record *record)
{
	return record->header[1];
}

static uint16_t record_id(const struct fastcgi_record *record)
{
	return (uint16_t)(record->header[2] << 8 | record->header[3]);
}

/* Takes bytes of a header. False: this is none. */
static bool record_take_header(struct fastcgi_record *record, const char **at, const char *end)
{
	while (*at < end && record->header_len < HEADER_LEN)
		record->header[record->header_len++] = (uint8_t) * (*at)++;
	if (record->header[0] != VERSION)
		return false;
	if (record->header_len > 1 && (record_type(record) == 0 || record_type(record) > TYPE_LAST))
		return false;
	if (record->header_len == HEADER_LEN) {
		record->content_left = (uint16_t)(record->header[4] << 8 | record->header[5]);
		record->padding_left = record->header[6];
	}
	return true;
}

/* Passes over what is left of a record, or up to len bytes of it; it may end with that. */
static size_t record_pass(struct fastcgi_record *record, uint64_t len)
{
	size_t content = record->content_left < len ? record->content_left : (size_t)len;
	size_t padding = len - content;

	if (padding > record->padding_left)
		padding = record->padding_left;
	record->content_left -= (uint16_t)content;
	record->padding_left -= (uint8_t)padding;
	return content + padding;
}

static bool record_ended(const struct fastcgi_record *record)
{
	return record->header_len == HEADER_LEN && record->content_left == 0 &&
	       record->padding_left == 0;
}

/* ---- requests ---- */

void fastcgi_request_start(struct fastcgi_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->id = 0;
	r->others = 0;
	r->state = IGNORED;
	r->begin_len = 0;
	r->role = 0;
	r->length_bytes = 0;
	r->pair = KEY_LEN;
	r->last = false;
	record_start(&r->record);
	r->key_left = r->value_left = 0;
	cgi_vars_start(&r->vars, &r->facts, CGI_REQUEST_URI_FIRST);
}

static bool begin_record(struct fastcgi_request *r)
{
	uint16_t id = record_id(&r->record);

	r->state = IGNORED;
	if (record_type(&r->record) == BEGIN_REQUEST) {
		if (r->record.content_left != BEGIN_LEN || id == 0 || (r->started && id == r->id))
			return false;
		if (r->started) {
			if (r->others < UINT8_MAX)
				r->others++;
			return true;
		}
		r->id = id;
		r->begin_len = 0;
		r->state = BEGIN;
		return true;
	}
	if (!r->started || id != r->id)
		return true;
	if (record_type(&r->record) == PARAMS) {
		if (r->stage != WIRE_HEAD)
			return false;
		r->state = PAIRS;
		if (r->record.content_left == 0) {
			r->stage = WIRE_BODY;
			r->last = r->role == AUTHORIZER;
		}
	} else if (record_type(&r->record) == STDIN) {
		if (r->stage == WIRE_HEAD)
			return false;
		r->last = r->record.content_left == 0;
	}
	return true;
}

/* One byte of BEGIN_REQUEST: a 16-bit role, flags, five bytes of nothing. */
static bool take_begin(struct fastcgi_request *r, unsigned char byte)
{
	switch (r->begin_len++) {
	case 0:
		return byte == 0;
	case 1:
		r->role = byte;
		return byte >= RESPONDER && byte <= FILTER;
	case 2:
		r->facts.keep_alive = byte & KEEP_CONNECTION;
		r->started = true;
		return true;
	default:
		return true;
	}
}

/* A byte of a length: the first tells by its top bit whether there are three more. */
static void take_length(struct fastcgi_request *r, unsigned char byte)
{
	uint32_t *left = r->pair == KEY_LEN ? &r->key_left : &r->value_left;
	bool is_long;

	if (r->length_bytes == 0)
		*left = 0;
	*left = *left << 8 | byte;
	r->length_bytes++;
	is_long = r->length_bytes == 1 ? byte & 0x80 : *left >> (8 * r->length_bytes - 1) & 1;
	if (is_long && r->length_bytes < 4)
		return;
	*left &= INT32_MAX;
	r->length_bytes = 0;
	r->pair++;
}

/* A key without bytes, and a value without, end where they begin. */
static void end_empty(struct fastcgi_request *r)
{
	if (r->pair == KEY && r->key_left == 0) {
		cgi_vars_key(&r->vars, "", 0, true);
		r->pair = VALUE;
	}
	if (r->pair == VALUE && r->value_left == 0) {
		cgi_vars_value(&r->vars, &r->facts, "", 0, true);
		r->pair = KEY_LEN;
	}
}

/* Bytes of PARAMS. Pairs go on from one record to the next. */
static void take_pairs(struct fastcgi_request *r, const char *at, size_t len)
{
	while (len > 0) {
		size_t used = 1;

		switch (r->pair) {
		case KEY_LEN:
		case VALUE_LEN:
			take_length(r, (unsigned char)*at);
			break;
		case KEY:
			used = len < r->key_left ? len : r->key_left;
			r->key_left -= (uint32_t)used;
			cgi_vars_key(&r->vars, at, used, r->key_left == 0);
			if (r->key_left == 0)
				r->pair = VALUE;
			break;
		default:
			used = len < r->value_left ? len : r->value_left;
			r->value_left -= (uint32_t)used;
			cgi_vars_value(&r->vars, &r->facts, at, used, r->value_left == 0);
			if (r->value_left == 0)
				r->pair = KEY_LEN;
		}
		/* The lengths of both stand in front of both. */
		end_empty(r);
		at += used;
		len -= used;
	}
}

/* Bytes of a record's content. False: they cannot be that. */
static bool take_content(struct fastcgi_request *r, const char *at, size_t len)
{
	if (r->state == PAIRS)
		take_pairs(r, at, len);
	for (size_t i = 0; r->state == BEGIN && i < len; i++) {
		if (!take_begin(r, (unsigned char)at[i]))
			return false;
	}
	return true;
}

static void end_record(struct fastcgi_request *r)
{
	if (!record_ended(&r->record))
		return;
	record_start(&r->record);
	if (r->last)
		r->stage = WIRE_DONE;
}

static const char *take_record(struct fastcgi_request *r, const char *at, const char *end)
{
	size_t content;

	if (r->record.header_len < HEADER_LEN) {
		if (!record_take_header(&r->record, &at, end))
			return NULL;
		if (r->record.header_len == HEADER_LEN && !begin_record(r))
			return NULL;
	} else {
		content = (size_t)(end - at);
		if (content > r->record.content_left)
			content = r->record.content_left;
		if (!take_content(r, at, content))
			return NULL;
		at += record_pass(&r->record, (size_t)(end - at));
	}
	end_record(r);
	return at;
}

ssize_t fastcgi_request_feed(struct fastcgi_request *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage != WIRE_DONE) {
		at = take_record(r, at, end);
		if (!at) {
			r->state = DEAD;
			return WIRE_NOT;
		}
	}
	return at - start;
}

ssize_t fastcgi_request_skip(struct fastcgi_request *r, uint64_t len)
{
	size_t used;

	if (r->state == DEAD)
		return WIRE_NOT;
	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	if (r->record.header_len < HEADER_LEN || r->state != IGNORED || len > UINT16_MAX) {
		r->state = DEAD;
		return WIRE_NOT;
	}
	used = record_pass(&r->record, len);
	if (used < len) {
		r->state = DEAD;
		return WIRE_NOT;
	}
	end_record(r);
	return (ssize_t)used;
}

/* ---- responses ---- */

void fastcgi_response_start(struct fastcgi_response *r, const struct fastcgi_request *request)
{
	r->stage = WIRE_HEAD;
	r->status = 0;
	r->interim = 0;
	r->started = false;
	r->until_close = false;
	r->closes = !request->facts.keep_alive;
	r->upgraded = false;
	r->body_bytes = 0;
	r->id = request->id;
	r->last = false;
	record_start(&r->record);
	cgi_head_start(&r->head);
}

/* Is the record at hand one of our request's, of this type? */
static bool is_ours(const struct fastcgi_response *r, enum type type)
{
	return record_type(&r->record) == type && record_id(&r->record) == r->id;
}

static void take_output(struct fastcgi_response *r, const char *at, size_t len)
{
	size_t used = 0;

	if (!r->head.ended) {
		used = cgi_head_feed(&r->head, at, len);
		if (r->head.ended) {
			r->status = r->head.status;
			r->started = true;
			r->stage = WIRE_BODY;
		}
	}
	r->body_bytes += len - used;
}

static void end_response_record(struct fastcgi_response *r)
{
	if (!record_ended(&r->record))
		return;
	record_start(&r->record);
	if (r->last)
		r->stage = WIRE_DONE;
}

ssize_t fastcgi_response_feed(struct fastcgi_response *r, const void *bytes, size_t len)
{
	const char *start = bytes, *at = start, *end;
	size_t content;

	if (len == 0)
		return 0;
	end = start + len;
	while (at < end && r->stage != WIRE_DONE) {
		if (r->record.header_len < HEADER_LEN) {
			if (!record_take_header(&r->record, &at, end))
				return WIRE_NOT;
			r->last |= r->record.header_len == HEADER_LEN && is_ours(r, END_REQUEST);
		} else {
			content = (size_t)(end - at);
			if (content > r->record.content_left)
				content = r->record.content_left;
			if (is_ours(r, STDOUT))
				take_output(r, at, content);
			at += record_pass(&r->record, (size_t)(end - at));
		}
		end_response_record(r);
	}
	return at - start;
}

ssize_t fastcgi_response_skip(struct fastcgi_response *r, uint64_t len)
{
	uint16_t before = r->record.content_left;

	if (len == 0 || r->stage == WIRE_DONE)
		return 0;
	/* A file that is sent behind the head: within one record's content, as its length was told. */
	if (r->record.header_len < HEADER_LEN || !r->head.ended || len > before)
		return WIRE_NOT;
	record_pass(&r->record, len);
	if (is_ours(r, STDOUT))
		r->body_bytes += len;
	end_response_record(r);
	return (ssize_t)len;
}
