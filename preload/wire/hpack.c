#include "preload/wire/hpack.h"

#include <string.h>

#include "preload/wire/facts.h"

enum state {
	FIELD, /* before a field */
	INDEX, /* in the number that follows its first bits */
	NAME_LENGTH,
	NAME_LENGTH_MORE,
	NAME,
	VALUE_LENGTH,
	VALUE_LENGTH_MORE,
	VALUE,
	DEAD, /* false was said */
};

/* RFC 7541 6: what a field's first bits say. */
enum representation {
	INDEXED,
	ADDED,	   /* to the dynamic table */
	NOT_ADDED, /* now, or ever */
	RESIZED,
};

/* Numbers beyond this mean nothing here; RFC 7541 5.1 asks for a limit. */
enum { NUMBER_MAX = 1 << 28, SHIFT_MAX = 28, STATUS_DIGITS = 3 };

void hpack_start(struct hpack *h, struct hpack_entry *entries, uint32_t max_entries, char *text,
		 uint32_t max_text)
{
	memset(h, 0, sizeof(*h));
	hpack_table_start(&h->table, entries, max_entries, text, max_text);
}

void hpack_begin(struct hpack *h, struct wire_facts *facts)
{
	h->facts = facts;
	h->status = 0;
}

static enum hpack_name look_up(const char *text, size_t len)
{
	static const struct {
		const char *text;
		uint8_t len;
		uint8_t name;
	} wanted[] = {
		{ ":path", 5, HPACK_PATH },
		{ ":method", 7, HPACK_METHOD },
		{ ":status", 7, HPACK_STATUS },
		{ "traceparent", 11, HPACK_TRACEPARENT },
		{ "x-request-id", 12, HPACK_X_REQUEST_ID },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].len == len && memcmp(wanted[i].text, text, len) == 0)
			return wanted[i].name;
	}
	return HPACK_OTHER;
}

/* ---- values ---- */

static void start_value(struct hpack *h)
{
	h->value_len = 0;
	h->value_kept = 0;
	h->query = false;
	if (h->name == HPACK_PATH && h->facts)
		target_start(&h->target, h->facts);
}

/* How many bytes of the path are no query and no fragment? */
static size_t before_query(const char *bytes, size_t len)
{
	size_t i = 0;

	while (i < len && bytes[i] != '?' && bytes[i] != '#')
		i++;
	return i;
}

/* Only its length ends a value: spaces and control bytes are part of the path. */
static void take_path(struct hpack *h, const char *bytes, size_t len)
{
	while (h->facts && len > 0) {
		size_t used = target_feed(&h->target, h->facts, bytes, len);

		if (used == 0) {
			used = 1;
			target_feed_odd(&h->target, h->facts, bytes, used);
		}
		bytes += used;
		len -= used;
	}
}

static void take_value(struct hpack *h, const char *bytes, size_t len)
{
	size_t room = sizeof(h->value) - h->value_kept;

	h->value_len += len;
	if (h->name == HPACK_PATH) {
		take_path(h, bytes, len);
	} else if (h->name != HPACK_OTHER) {
		if (room > len)
			room = len;
		memcpy(h->value + h->value_kept, bytes, room);
		h->value_kept += (uint8_t)room;
	}
}

static bool add_piece(struct hpack *h, const char *bytes, size_t len)
{
	bool kept = true;
	size_t wanted = len;

	hpack_table_grow(&h->table, len);
	if (h->name == HPACK_PATH) {
		wanted = h->query ? 0 : before_query(bytes, len);
		h->query |= wanted < len;
	}
	if (h->name != HPACK_OTHER && h->name != HPACK_STATUS)
		kept = hpack_table_keep(&h->table, bytes, wanted);
	return kept;
}

/*
 * Of the value, what goes into the table, too. Where that may be larger than its memory, whether there is
 * room depends on what has been dropped so far: byte by byte, for it must not depend on the pieces.
 */
static bool add_value(struct hpack *h, const char *bytes, size_t len)
{
	const struct hpack_table *t = &h->table;
	size_t step = t->text && t->limit > t->max_text ? 1 : len;

	for (size_t at = 0; at < len; at += step)
		if (!add_piece(h, bytes + at, step))
			return false;
	return true;
}

static uint16_t parse_status(const char *text, size_t len)
{
	unsigned status = 0;

	if (len != STATUS_DIGITS)
		return 0;
	for (size_t i = 0; i < STATUS_DIGITS; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		status = status * 10 + (unsigned)(text[i] - '0');
	}
	return (uint16_t)status;
}

static void take_method(struct wire_facts *facts, const char *text, size_t len)
{
	if (len > WIRE_METHOD_MAX - 1)
		len = WIRE_METHOD_MAX - 1;
	memcpy(facts->method, text, len);
	facts->method[len] = '\0';
	facts_end_method(facts);
}

static void end_value(struct hpack *h)
{
	struct wire_facts *facts = h->facts;

	if (h->name == HPACK_STATUS)
		h->status = parse_status(h->value, h->value_len);
	if (!facts)
		return;
	switch ((enum hpack_name)h->name) {
	case HPACK_METHOD:
		take_method(facts, h->value, h->value_kept);
		break;
	case HPACK_PATH:
		target_end(&h->target, facts);
		break;
	case HPACK_TRACEPARENT:
		if (h->value_len == h->value_kept)
			facts_take_traceparent(facts, h->value, h->value_kept);
		break;
	case HPACK_X_REQUEST_ID:
		facts_take_request_id(facts, h->value, h->value_kept);
		break;
	case HPACK_STATUS:
	case HPACK_OTHER:
		break;
	}
}

/* ---- fields ---- */

static bool take_indexed(struct hpack *h)
{
	struct hpack_row row;

	if (!hpack_table_get(&h->table, h->number, &row))
		return false;
	h->name = (uint8_t)row.name;
	h->state = FIELD;
	if (row.status) {
		h->status = row.status;
		return true;
	}
	start_value(h);
	for (size_t i = 0; i < 2; i++) {
		if (row.value_len[i])
			take_value(h, row.value[i], row.value_len[i]);
	}
	end_value(h);
	return true;
}

static void start_string(struct hpack *h, uint8_t state)
{
	h->huffman = (struct huffman){ 0 };
	h->string_left = h->number;
	h->state = state;
}

static bool end_string(struct hpack *h)
{
	if (h->coded && !huffman_ended(&h->huffman))
		return false;
	if (h->state == NAME) {
		h->name = HPACK_OTHER;
		if (h->name_len <= sizeof(h->text))
			h->name = (uint8_t)look_up(h->text, h->name_len);
		start_value(h);
		h->state = VALUE_LENGTH;
		return true;
	}
	end_value(h);
	h->state = FIELD;
	return h->representation != ADDED ||
	       hpack_table_add(&h->table, h->name, h->name_len,
			       parse_status(h->value, h->name == HPACK_STATUS ? h->value_len : 0));
}

/* The field's name is one of the table's, and its value follows. */
static bool take_known_name(struct hpack *h)
{
	struct hpack_row row;

	if (!hpack_table_get(&h->table, h->number, &row))
		return false;
	h->name = (uint8_t)row.name;
	h->name_len = row.name_len;
	if (h->representation == ADDED)
		hpack_table_grow(&h->table, h->name_len);
	start_value(h);
	h->state = VALUE_LENGTH;
	return true;
}

/* The number at hand is whole. */
static bool end_number(struct hpack *h)
{
	switch (h->state) {
	case NAME_LENGTH:
	case NAME_LENGTH_MORE:
		start_string(h, NAME);
		break;
	case VALUE_LENGTH:
	case VALUE_LENGTH_MORE:
		start_string(h, VALUE);
		break;
	default:
		if (h->representation == INDEXED)
			return take_indexed(h);
		if (h->representation == RESIZED) {
			h->state = FIELD;
			return hpack_table_resize(&h->table, h->number);
		}
		if (h->number > 0)
			return take_known_name(h);
		h->name_len = 0;
		h->state = NAME_LENGTH;
		return true;
	}
	return h->string_left > 0 || end_string(h);
}

/* The first byte of a number, RFC 7541 5.1, of which it has `bits`; `more` if it has others. */
static bool start_number(struct hpack *h, uint8_t byte, unsigned bits, uint8_t more)
{
	uint32_t mask = (1U << bits) - 1;

	h->number = byte & mask;
	if (h->number < mask)
		return end_number(h);
	h->shift = 0;
	h->state = more;
	return true;
}

static bool continue_number(struct hpack *h, uint8_t byte)
{
	if (h->shift > SHIFT_MAX)
		return false;
	if (h->shift == SHIFT_MAX && (byte & 0x7f))
		return false;
	h->number += (uint32_t)(byte & 0x7f) << h->shift;
	h->shift += 7;
	if (h->number > NUMBER_MAX)
		return false;
	return byte & 0x80 || end_number(h);
}

static bool start_field(struct hpack *h, uint8_t byte)
{
	unsigned bits = 4; /* 0000: without indexing, 0001: never indexed */

	h->representation = NOT_ADDED;
	if (byte & 0x80) {
		h->representation = INDEXED;
		bits = 7;
	} else if (byte & 0x40) {
		h->representation = ADDED;
		hpack_table_make(&h->table);
		bits = 6;
	} else if (byte & 0x20) {
		h->representation = RESIZED;
		bits = 5;
	}
	return start_number(h, byte, bits, INDEX);
}

/* ---- strings ---- */

/* Characters of a name or a value. */
static bool take_text(struct hpack *h, const char *text, size_t len)
{
	if (h->state == VALUE) {
		take_value(h, text, len);
		return h->representation != ADDED || add_value(h, text, len);
	}
	if (h->representation == ADDED)
		hpack_table_grow(&h->table, len);
	if (h->name_len < sizeof(h->text)) {
		size_t room = sizeof(h->text) - h->name_len;

		memcpy(h->text + h->name_len, text, len < room ? len : room);
	}
	h->name_len += (uint32_t)len;
	return true;
}

static bool take_coded(struct hpack *h, const uint8_t *at, const uint8_t *end)
{
	char text[64];
	ssize_t len;

	do {
		len = huffman_feed(&h->huffman, &at, end, text, sizeof(text));
		if (len < 0 || !take_text(h, text, (size_t)len))
			return false;
	} while ((size_t)len == sizeof(text));
	return true;
}

/* NULL when this is no string. */
static const uint8_t *take_string(struct hpack *h, const uint8_t *at, const uint8_t *end)
{
	size_t len = (size_t)(end - at);

	if (len > h->string_left)
		len = h->string_left;
	h->string_left -= (uint32_t)len;
	/* Cookies and their like: long, and of no interest. */
	if (h->state == VALUE && h->name == HPACK_OTHER && h->representation != ADDED)
		goto passed;
	if (h->coded ? !take_coded(h, at, at + len) : !take_text(h, (const char *)at, len))
		return NULL;
passed:
	if (h->string_left == 0 && !end_string(h))
		return NULL;
	return at + len;
}

static bool take_byte(struct hpack *h, uint8_t byte)
{
	switch (h->state) {
	case FIELD:
		return start_field(h, byte);
	case NAME_LENGTH:
	case VALUE_LENGTH:
		h->coded = byte & 0x80;
		return start_number(h, byte, 7,
				    h->state == NAME_LENGTH ? NAME_LENGTH_MORE : VALUE_LENGTH_MORE);
	case INDEX:
	case NAME_LENGTH_MORE:
	case VALUE_LENGTH_MORE:
		return continue_number(h, byte);
	default:
		return false;
	}
}

bool hpack_feed(struct hpack *h, const void *bytes, size_t len)
{
	const uint8_t *at = bytes, *end = at + len;

	while (at && at < end) {
		if (h->state == NAME || h->state == VALUE)
			at = take_string(h, at, end);
		else
			at = take_byte(h, *at) ? at + 1 : NULL;
	}
	if (!at)
		h->state = DEAD;
	return at != NULL;
}

bool hpack_end(const struct hpack *h)
{
	return h->state == FIELD;
}
