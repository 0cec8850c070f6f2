#include "format/protobuf_read.h"

bool protobuf_bad(const struct protobuf_report *report, const uint8_t *where, const char *reason)
{
	report->error->offset = (size_t)(where - report->start);
	report->error->reason = reason;
	return false;
}

bool protobuf_varint(const struct protobuf_report *report, struct protobuf_cursor *c,
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
			return protobuf_bad(report, start, "a number has more than 64 bits");
		result |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*value = result;
			return true;
		}
	}
	return protobuf_bad(report, start, "a number has more than 64 bits");
}

bool protobuf_field(const struct protobuf_report *report, struct protobuf_cursor *c,
		    struct protobuf_field *f)
{
	uint64_t key, len;

	f->start = c->at;
	if (!protobuf_varint(report, c, &key))
		return false;
	if (key >> 3 == 0 || key >> 3 > 0x1fffffff)
		return protobuf_bad(report, f->start, "no field has this number");
	f->number = (uint32_t)(key >> 3);
	f->wire = key & 7;
	f->value = 0;
	switch (f->wire) {
	case PROTOBUF_VARINT:
		return protobuf_varint(report, c, &f->value);
	case PROTOBUF_64:
	case PROTOBUF_32:
		len = f->wire == PROTOBUF_64 ? 8 : 4;
		break;
	case PROTOBUF_BYTES:
		if (!protobuf_varint(report, c, &len))
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
	struct protobuf_cursor c = f->bytes;
	uint64_t value;

	if (f->wire == PROTOBUF_VARINT) {
		++*count;
		return true;
	}
	if (!protobuf_want(report, f, PROTOBUF_BYTES))
		return false;
	for (; c.at < c.end; ++*count) {
		if (!protobuf_varint(report, &c, &value))
			return false;
	}
	return true;
}

/* Known to be well-formed by count_numbers. */
size_t protobuf_numbers(const struct protobuf_report *report, const struct protobuf_field *f,
			uint64_t *to)
{
	struct protobuf_cursor c = f->bytes;
	size_t n = 0;

	if (f->wire == PROTOBUF_VARINT) {
		*to = f->value;
		return 1;
	}
	while (c.at < c.end && protobuf_varint(report, &c, &to[n]))
		n++;
	return n;
}
