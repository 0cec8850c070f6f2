#include "preload/wire/http1_fields.h"

#include <emmintrin.h>
#include <string.h>

#include "format/words.h"
#include "preload/wire/facts.h"

enum state {
	LINE,	  /* at the first byte of a line */
	LINE_END, /* after a CR in that place: the section's end, if LF follows */
	NAME,
	VALUE,
	ELEMENT, /* like VALUE, but what value holds has been handed out */
	SKIP,	 /* to the end of the line */
};

void http1_fields_start(struct http1_fields *fields)
{
	fields->state = LINE;
	fields->field = HTTP1_FIELDS_MORE;
	fields->name_len = 0;
	fields->value_len = 0;
}

static bool is_list(enum http1_field field)
{
	return field <= HTTP1_TRANSFER_ENCODING;
}

/*
 * Most lines end here. Setting bit 5 makes letters lower-case and a few other bytes wrong, so this
 * may say yes in vain: take_name looks again. Near the end of the input, one letter must do.
 */
static bool may_matter(const char *name, size_t len)
{
	static const char spaces[] = "        ";
	uint64_t word;

	if (len < sizeof(word)) {
		char first = *name | 0x20;

		return first == 'c' || first == 'e' || first == 't' || first == 'u' || first == 'x';
	}
	word = load8(name) | load8(spaces);
	switch (word & 0xff) {
	case 'c':
		return word == load8("connecti") || word == load8("content-");
	case 'e':
		return memcmp(&word, "expect", 6) == 0;
	case 't':
		return word == load8("transfer") || word == load8("tracepar");
	case 'u':
		return memcmp(&word, "upgrade", 7) == 0;
	case 'x':
		return word == load8("x-reques") || word == load8("x-reqpro");
	default:
		return false;
	}
}

/* Can the line that begins here be passed over: no field we want, no folded line, no empty line? */
static bool is_dull(const char *line, const char *end)
{
	/* By the lower five bits, which both cases of a letter share. */
	enum {
		LOW = 31,
		LETTERS = 1 << ('c' & LOW) | 1 << ('e' & LOW) | 1 << ('t' & LOW) | 1 << ('u' & LOW) |
			  1 << ('x' & LOW),
	};
	unsigned char first = (unsigned char)*line;

	if (first <= ' ')
		return first != ' ' && first != '\t' && first != '\n' && first != '\r';
	return !(LETTERS >> (first & LOW) & 1) || !may_matter(line, (size_t)(end - line));
}

static enum http1_field look_up(const char *name, size_t len)
{
	static const struct {
		const char *name;
		uint8_t len;
		uint8_t field;
	} wanted[] = {
		{ "expect", 6, HTTP1_EXPECT },
		{ "upgrade", 7, HTTP1_UPGRADE },
		{ "connection", 10, HTTP1_CONNECTION },
		{ "x-reqprof", 9, HTTP1_X_REQPROF },
		{ "traceparent", 11, HTTP1_TRACEPARENT },
		{ "x-request-id", 12, HTTP1_X_REQUEST_ID },
		{ "content-length", 14, HTTP1_CONTENT_LENGTH },
		{ "transfer-encoding", 17, HTTP1_TRANSFER_ENCODING },
	};

	while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
		len--;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (wanted[i].len == len && facts_same_bytes(name, wanted[i].name, len))
			return wanted[i].field;
	}
	return HTTP1_FIELDS_MORE;
}

static void end_name(struct http1_fields *fields, const char *name, size_t len)
{
	fields->field = (uint8_t)look_up(name, len);
	fields->value_len = 0;
	fields->state = fields->field ? VALUE : SKIP;
}

/* A name that the input cuts is collected in fields->name, any other is looked at where it stands. */
static const char *take_name(struct http1_fields *fields, const char *at, const char *end)
{
	size_t room = sizeof(fields->name) - fields->name_len;
	size_t len = (size_t)(end - at) < room ? (size_t)(end - at) : room;
	const char *colon = memchr(at, ':', len);
	const char *newline;

	if (!colon && len == room) {
		fields->state = SKIP;
		return at;
	}
	if (colon)
		len = (size_t)(colon - at);
	newline = memchr(at, '\n', len);
	if (newline) {
		fields->state = LINE;
		return newline + 1;
	}
	if (colon && fields->name_len == 0) {
		end_name(fields, at, len);
		return colon + 1;
	}
	memcpy(fields->name + fields->name_len, at, len);
	fields->name_len += (uint8_t)len;
	if (!colon)
		return end;
	end_name(fields, fields->name, fields->name_len);
	return colon + 1;
}

static void add_value(struct http1_fields *fields, const char *bytes, size_t len)
{
	size_t room;

	if (fields->value_len == 0) {
		while (len > 0 && (*bytes == ' ' || *bytes == '\t')) {
			bytes++;
			len--;
		}
	}
	room = sizeof(fields->value) - fields->value_len;
	if (len > room)
		len = room;
	memcpy(fields->value + fields->value_len, bytes, len);
	fields->value_len += (uint8_t)len;
}

/* The element is whole. Leaves a cut one as it is: trimmed, it could pass for something else. */
static bool end_value(struct http1_fields *fields)
{
	size_t len = fields->value_len;

	if (len == sizeof(fields->value))
		return true;
	while (len > 0 && (fields->value[len - 1] == ' ' || fields->value[len - 1] == '\t' ||
			   fields->value[len - 1] == '\r'))
		len--;
	fields->value_len = (uint8_t)len;
	return len > 0;
}

/* Takes value bytes to the end of the line, or to a comma of a list: true if an element ends there. */
static bool take_value(struct http1_fields *fields, const char **at, const char *end)
{
	const char *newline = memchr(*at, '\n', (size_t)(end - *at));
	const char *stop = newline ? newline : end;
	const char *comma = NULL;

	if (is_list(fields->field))
		comma = memchr(*at, ',', (size_t)(stop - *at));
	if (comma) {
		add_value(fields, *at, (size_t)(comma - *at));
		*at = comma + 1;
		fields->state = ELEMENT;
		return end_value(fields);
	}
	add_value(fields, *at, (size_t)(stop - *at));
	*at = newline ? newline + 1 : end;
	if (newline)
		fields->state = LINE;
	return false;
}

/* The first byte of a line tells whether the value before goes on in it. */
static enum http1_field take_line_start(struct http1_fields *fields, const char **at,
					const char *end)
{
	char c = **at;
	enum http1_field field = fields->field;

	if (c == ' ' || c == '\t') {
		fields->state = SKIP;
		if (field) {
			end_value(fields);
			if (fields->value_len)
				add_value(fields, " ", 1);
			fields->state = VALUE;
		}
		++*at;
		return HTTP1_FIELDS_MORE;
	}
	fields->field = HTTP1_FIELDS_MORE;
	if (field && end_value(fields))
		return field;
	fields->name_len = 0;
	if (c == '\n') {
		++*at;
		return HTTP1_FIELDS_END;
	}
	if (c == '\r') {
		++*at;
		fields->state = LINE_END;
	} else {
		fields->state = may_matter(*at, (size_t)(end - *at)) ? NAME : SKIP;
	}
	return HTTP1_FIELDS_MORE;
}

/* Skips the line, and those after it that can be passed over. Sixteen bytes at a time: most of a head is read here. */
static const char *skip_line(struct http1_fields *fields, const char *at, const char *end)
{
	const __m128i newline = _mm_set1_epi8('\n');
	const char *next;

	for (; (size_t)(end - at) >= sizeof(newline); at += sizeof(newline)) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)at);
		unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, newline));

		for (; found; found &= found - 1) {
			next = at + __builtin_ctz(found) + 1;
			if (next == end || !is_dull(next, end))
				goto at_line;
		}
	}
	for (next = at; next < end;) {
		if (*next++ == '\n' && (next == end || !is_dull(next, end)))
			goto at_line;
	}
	return end;
at_line:
	fields->state = LINE;
	return next;
}

enum http1_field http1_fields_next(struct http1_fields *fields, const char **at, const char *end)
{
	enum http1_field found;

	while (*at < end) {
		switch (fields->state) {
		case LINE:
			found = take_line_start(fields, at, end);
			if (found)
				return found;
			break;
		case LINE_END:
			if (**at == '\n') {
				++*at;
				return HTTP1_FIELDS_END;
			}
			fields->state = SKIP;
			break;
		case NAME:
			*at = take_name(fields, *at, end);
			break;
		case ELEMENT:
			fields->value_len = 0;
			fields->state = VALUE;
			break;
		case VALUE:
			if (take_value(fields, at, end))
				return fields->field;
			break;
		default:
			*at = skip_line(fields, *at, end);
		}
	}
	return HTTP1_FIELDS_MORE;
}
