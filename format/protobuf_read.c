#include "format/protobuf_read.h"

bool protobuf_bad(const struct protobuf_report *report, const uint8_t *where, const char *reason)
{
	report->error->offset = (size_t)(where - report->start);
	report->error->reason = reason;
	return false;
}

static bool read_long(const struct protobuf_report *report, struct protobuf_cursor *c,
		      uint64_t *value)
{
	const uint8_t *start = c->at;
	uint64_t result = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte;

		if (c->at == c->end)
			return protobuf_bad(report, start, "a number is cut short");
		byte = *c->at++;
		if (shift == 63 && byte > 1)
			break;
		result |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = result;
			return true;
		}
	}
	return protobuf_bad(report, start, "a number has more than 64 bits");
}

/* Nearly all numbers of a profile have one byte or two. */
static inline bool read_number(const struct protobuf_report *report, struct protobuf_cursor *c,
			       uint64_t *value)
{
	if (c->at < c->end && c->at[0] < 0x80) {
		*value = *c->at++;
		return true;
	}
	if (c->end - c->at >= 2 && c->at[1] < 0x80) {
		*value = (uint64_t)(c->at[0] & 0x7f) | (uint64_t)c->at[1] << 7;
		c->at += 2;
		return true;
	}
	return read_long(report, c, value);
}

bool protobuf_any_field(const struct protobuf_report *report, struct protobuf_cursor *c,
			struct protobuf_field *f)
{
	uint64_t key, len;

	f->start = c->at;
	if (!read_number(report, c, &key))
		return false;
	if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return protobuf_bad(report, f->start, "no field has this number");
	f->number = (uint32_t)(key >> 3);
	f->wire = key & 7;
	f->value = 0;
	switch (f->wire) {
	case PROTOBUF_VARINT:
		return read_number(report, c, &f->value);
	case PROTOBUF_64:
	case PROTOBUF_32:
		len = f->wire == PROTOBUF_64 ? 8 : 4;
		break;
	case PROTOBUF_BYTES:
		if (!read_number(report, c, &len))
			return false;
		break;
	default:
		return protobuf_bad(report, f->start, "a field of unknown kind");
	}
	if (len > (size_t)(c->end - c->at))
		return protobuf_bad(report, f->start, "a field reaches beyond the end");
	f->bytes.at = c->at;
	f->bytes.end = c->at + len;
	c->at += len;
	return true;
}

bool protobuf_want(const struct protobuf_report *report, const struct protobuf_field *f,
		   enum protobuf_wire wire)
{
	return f->wire == wire ||
	       protobuf_bad(report, f->start, "a field is not of the kind it should be");
}

/* A repeated number stands alone or packed; counts its values. */
bool protobuf_count(const struct protobuf_report *report, const struct protobuf_field *f,
		    size_t *count)
{
	size_t ends = 0;

	if (f->wire == PROTOBUF_VARINT) {
		++*count;
		return true;
	}
	if (!protobuf_want(report, f, PROTOBUF_BYTES))
		return false;
	/* each number has one byte with the top bit clear: its last */
	for (const uint8_t *at = f->bytes.at; at < f->bytes.end; at++)
		ends += *at < 0x80;
	if (f->bytes.at < f->bytes.end && f->bytes.end[-1] >= 0x80)
		return protobuf_bad(report, f->start, "a number is cut short");
	*count += ends;
	return true;
}

bool protobuf_numbers(const struct protobuf_report *report, const struct protobuf_field *f,
		      uint64_t *to, size_t *n)
{
	struct protobuf_cursor c = f->bytes;

	if (f->wire == PROTOBUF_VARINT) {
		to[(*n)++] = f->value;
		return true;
	}
	size_t count = *n;

	while (c.at < c.end) {
		if (!read_number(report, &c, &to[count]))
			return false;
		count++;
	}
	*n = count;
	return true;
}
