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

enum variable {
	OTHER,
	CONTENT_LENGTH,
	HTTP_CONNECTION,
	HTTP_EXPECT,
	HTTP_TRACEPARENT,
	HTTP_TRANSFER_ENCODING,
	HTTP_X_REQPROF,
	HTTP_X_REQUEST_ID,
	PATH_INFO,
	REQUEST_METHOD,
	REQUEST_URI,
	SERVER_PROTOCOL,
};

void uwsgi_request_start(struct uwsgi_request *r)
{
	facts_start(&r->facts);
	r->stage = WIRE_HEAD;
	r->started = false;
	r->state = HEADER;
	r->header_len = 0;
	r->path_is_path_info = false;
	r->length_known = false;
	r->body_unknown = false;
	r->body_left = 0;
	target_start(&r->target, &r->facts);
}

static enum variable look_up(const char *key, size_t len)
{
	static const struct {
		const char *key;
		uint8_t len;
		uint8_t variable;
	} wanted[] = {
		{ "PATH_INFO", 9, PATH_INFO },
		{ "HTTP_EXPECT", 11, HTTP_EXPECT },
		{ "REQUEST_URI", 11, REQUEST_URI },
		{ "HTTP_X_REQPROF", 14, HTTP_X_REQPROF },
		{ "CONTENT_LENGTH", 14, CONTENT_LENGTH },
		{ "REQUEST_METHOD", 14, REQUEST_METHOD },
		{ "HTTP_CONNECTION", 15, HTTP_CONNECTION },
		{ "SERVER_PROTOCOL", 15, SERVER_PROTOCOL },
		{ "HTTP_TRACEPARENT", 16, HTTP_TRACEPARENT },
		{ "HTTP_X_REQUEST_ID", 17, HTTP_X_REQUEST_ID },
		{ "HTTP_TRANSFER_ENCODING", 22, HTTP_TRANSFER_ENCODING },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].len == len && memcmp(wanted[i].key, key, len) == 0)
			return wanted[i].variable;
	}
	return OTHER;
}

/* Is the word an element of this comma-separated list? */
static bool list_has(const char *list, size_t len, const char *word)
{
	const char *end = list + len;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const char *stop = comma ? comma : end;
		const char *first = list, *last = stop;

		while (first < last && (*first == ' ' || *first == '\t'))
			first++;
		while (last > first && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		if (facts_same_word(first, (size_t)(last - first), word))
			return true;
		list = comma ? comma + 1 : end;
	}
	return false;
}

static void take_content_length(struct uwsgi_request *r, const char *text, size_t len)
{
	/* nginx sends it empty with requests that have no body. */
	if (len == 0)
		return;
	r->length_known = true;
	r->body_unknown = !facts_parse_length(text, len, &r->body_left);
}

static void take_method(struct uwsgi_request *r, const char *text, size_t len)
{
	if (len > WIRE_METHOD_MAX - 1)
		len = WIRE_METHOD_MAX - 1;
	memcpy(r->facts.method, text, len);
	r->facts.method[len] = '\0';
	facts_end_method(&r->facts);
}

/* The item holds the value, or as much of it as fits. */
static void take_whole_value(struct uwsgi_request *r)
{
	struct wire_facts *facts = &r->facts;
	size_t len = r->item_len < sizeof(r->item) ? r->item_len : sizeof(r->item);

	switch ((enum variable)r->variable) {
	case CONTENT_LENGTH:
		take_content_length(r, r->item, len);
		break;
	case HTTP_CONNECTION:
		facts->upgrade = list_has(r->item, len, "upgrade");
		break;
	case HTTP_EXPECT:
		facts->expect_continue = list_has(r->item, len, "100-continue");
		break;
	case HTTP_TRACEPARENT:
		facts_take_traceparent(facts, r->item, len);
		break;
	case HTTP_TRANSFER_ENCODING:
		if (len > 0 && !r->length_known)
			r->body_unknown = true;
		break;
	case HTTP_X_REQPROF:
		facts->asked = len != 1 || r->item[0] != '0';
		break;
	case HTTP_X_REQUEST_ID:
		facts_take_request_id(facts, r->item, len);
		break;
	case REQUEST_METHOD:
		take_method(r, r->item, len);
		break;
	case REQUEST_URI:
		if (!r->path_is_path_info)
			target_end(&r->target, facts);
		break;
	case SERVER_PROTOCOL:
		if (facts_same_word(r->item, len, "http/1.0"))
			facts->http_minor = 0;
		break;
	case PATH_INFO:
	case OTHER:
		break;
	}
}

/* Everything is part of a value, spaces and control bytes too: only its length ends it. */
static void take_uri(struct uwsgi_request *r, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t used = target_feed(&r->target, &r->facts, bytes, len);

		if (used == 0) {
			used = 1;
			target_feed_odd(&r->target, &r->facts, bytes, used);
		}
		bytes += used;
		len -= used;
	}
}

static void take_item(struct uwsgi_request *r, const char *bytes, size_t len)
{
	if (r->item_done >= sizeof(r->item))
		return;
	if (len > sizeof(r->item) - r->item_done)
		len = sizeof(r->item) - r->item_done;
	memcpy(r->item + r->item_done, bytes, len);
}

/* The next len bytes of the value at hand. */
static void take_wanted_value(struct uwsgi_request *r, const char *bytes, size_t len)
{
	switch ((enum variable)r->variable) {
	case PATH_INFO:
		if (r->item_done == 0)
			facts_clear_path(&r->facts);
		r->path_is_path_info = true;
		facts_add_path(&r->facts, bytes, len);
		break;
	case REQUEST_URI:
		if (!r->path_is_path_info)
			take_uri(r, bytes, len);
		break;
	default:
		take_item(r, bytes, len);
	}
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

/* A value is whole, and with it a variable, and with the last one the packet. */
static void end_value(struct uwsgi_request *r)
{
	take_whole_value(r);
	r->state = KEY_LEN;
	if (r->vars_left == 0)
		r->stage = r->body_left || r->body_unknown ? WIRE_BODY : WIRE_DONE;
}

static void end_key(struct uwsgi_request *r, const char *key)
{
	r->variable = OTHER;
	if (r->item_len <= sizeof(r->item))
		r->variable = (uint8_t)look_up(key, r->item_len);
	r->state = VALUE_LEN;
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
		r->item_len = (unsigned char)*at++;
		r->vars_left--;
		r->state = is_key ? KEY_LEN_HIGH : VALUE_LEN_HIGH;
		if (at == end)
			return at;
	}
	r->item_len = (uint16_t)(r->item_len | (unsigned char)*at++ << 8);
	r->vars_left--;
	r->item_done = 0;
	r->state = is_key ? KEY : VALUE;
	needed = r->item_len + (is_key ? 2U : 0U);
	if (needed > r->vars_left)
		return NULL;
	if (r->item_len == 0 && is_key)
		end_key(r, at);
	else if (r->item_len == 0)
		end_value(r);
	return at;
}

/* Bytes of a key. One that the input does not cut is looked at where it stands. */
static void take_key(struct uwsgi_request *r, const char *bytes, size_t len)
{
	if (len == r->item_len) {
		end_key(r, bytes);
		return;
	}
	take_item(r, bytes, len);
	r->item_done += (uint16_t)len;
	if (r->item_done == r->item_len)
		end_key(r, r->item);
}

/* Bytes of a value. */
static void take_value(struct uwsgi_request *r, const char *bytes, size_t len)
{
	if (r->variable != OTHER)
		take_wanted_value(r, bytes, len);
	r->item_done += (uint16_t)len;
	if (r->item_done == r->item_len)
		end_value(r);
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
		if (len > (size_t)(r->item_len - r->item_done))
			len = r->item_len - r->item_done;
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
	if (r->body_unknown)
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
