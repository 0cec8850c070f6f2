/*
 * The protobuf wire format, read from memory: varints, fixed words and length-delimited bytes. Any
 * bytes are survived; every failure says where and why. No allocation.
 */
#ifndef REQPROF_FORMAT_PROTOBUF_READ_H
#define REQPROF_FORMAT_PROTOBUF_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/profile.h"

enum protobuf_wire { PROTOBUF_VARINT = 0, PROTOBUF_64 = 1, PROTOBUF_BYTES = 2, PROTOBUF_32 = 5 };

struct protobuf_cursor {
	const uint8_t *at, *end;
};

struct protobuf_field {
	uint32_t number;
	unsigned wire;
	uint64_t value;		      /* varint */
	struct protobuf_cursor bytes; /* length-delimited and fixed */
	const uint8_t *start;
};

/* What errors are told to. */
struct protobuf_report {
	const uint8_t *start; /* offsets count from here */
	struct profile_error *error;
};

/* Always false. */
bool protobuf_bad(const struct protobuf_report *report, const uint8_t *where, const char *reason);

/* The next field: moves the cursor. This and those below return false after protobuf_bad. */
bool protobuf_any_field(const struct protobuf_report *report, struct protobuf_cursor *c,
			struct protobuf_field *f);

/* The same, quick for what nearly all fields of a profile are: small numbers and short bytes. */
static inline bool protobuf_field(const struct protobuf_report *report, struct protobuf_cursor *c,
				  struct protobuf_field *f)
{
	const uint8_t *at = c->at;
	uint8_t key, value;

	if (c->end - at < 2)
		return protobuf_any_field(report, c, f);
	key = at[0];
	value = at[1];
	if ((key | value) >= 0x80 || key < 8)
		return protobuf_any_field(report, c, f);
	f->start = at;
	f->number = key >> 3;
	f->wire = key & 7;
	if (f->wire == PROTOBUF_VARINT) {
		f->value = value;
		c->at = at + 2;
		return true;
	}
	if (f->wire != PROTOBUF_BYTES || value > c->end - (at + 2))
		return protobuf_any_field(report, c, f);
	f->value = 0;
	f->bytes.at = at + 2;
	f->bytes.end = c->at = at + 2 + value;
	return true;
}

/* Is the field of this kind? */
bool protobuf_want(const struct protobuf_report *report, const struct protobuf_field *f,
		   enum protobuf_wire wire);
/* A repeated number stands alone or packed: adds to *count how many there are. */
bool protobuf_count(const struct protobuf_report *report, const struct protobuf_field *f,
		    size_t *count);
/*
 * Stores them from to[*n] on and adds to *n; no more than protobuf_count, which must have agreed,
 * has said.
 */
bool protobuf_numbers(const struct protobuf_report *report, const struct protobuf_field *f,
		      uint64_t *to, size_t *n);

#endif
