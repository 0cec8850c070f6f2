/*
 * Internal to the writer of profiles: bytes and numbers in protobuf's encoding, through the writer's buffer. Any
 * thread that owns the writer may call these; nothing is allocated.
 */
#ifndef REQPROF_FORMAT_PROFILE_PUT_H
#define REQPROF_FORMAT_PROFILE_PUT_H

#include <stdbool.h>
#include <string.h>

#include "format/profile.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME = 9,
	PROFILE_DURATION = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13,
	PROFILE_DEFAULT_TYPE = 14,

	PROFILE_WIRE_VARINT = 0,
	PROFILE_WIRE_BYTES = 2,

	PROFILE_VARINT_MAX = 10, /* bytes of 64 bits */
};

struct profile_string_slot {
	uint32_t id; /* 0: free, as in the writer's other tables */
	uint32_t hash, at, len;
};

/* The first error stays. Returns it. */
int profile_fail(struct profile_writer *w, int error);
void profile_flush(struct profile_writer *w);
/* The buffer is full: it leaves. */
void profile_put_full(struct profile_writer *w);
void profile_put(struct profile_writer *w, const void *bytes, size_t len);
/* Writes a string that may be there already; returns its id. */
uint32_t profile_new_string(struct profile_writer *w, const char *bytes, size_t len);

/* Where len bytes fit that do not fill the buffer; NULL: there is no such place, profile_put() makes one. */
static inline uint8_t *profile_room(struct profile_writer *w, size_t len)
{
	return len < sizeof(w->buffer) - w->buffered ? w->buffer + w->buffered : NULL;
}

/* Most of what is written: keys, lengths, ids. */
static inline void profile_put_byte(struct profile_writer *w, uint8_t byte)
{
	w->buffer[w->buffered++] = byte;
	if (w->buffered == sizeof(w->buffer))
		profile_put_full(w);
}

static inline size_t profile_varint_len(uint64_t value)
{
	/* A byte holds seven bits; bits * 9 / 64 is that division for up to 64 of them. */
	return ((64 - (unsigned)__builtin_clzll(value | 1)) * 9 + 64) / 64;
}

static inline uint8_t *profile_encode(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)value | 0x80;
	*at++ = (uint8_t)value;
	return at;
}

/* A field's key and number, or the length of its bytes. All field numbers are below 16: a key is one byte. */
static inline uint8_t *profile_encode_field(uint8_t *at, unsigned field, unsigned wire, uint64_t value)
{
	*at++ = (uint8_t)(field << 3 | wire);
	return profile_encode(at, value);
}

/* Two numbers fit, and the buffer is not full afterwards. */
static inline bool profile_has_room(const struct profile_writer *w)
{
	return sizeof(w->buffer) - w->buffered > 2 * PROFILE_VARINT_MAX;
}

static inline void profile_put_varint(struct profile_writer *w, uint64_t value)
{
	if (profile_has_room(w)) {
		w->buffered = (size_t)(profile_encode(w->buffer + w->buffered, value) - w->buffer);
		return;
	}
	for (; value >= 0x80; value >>= 7)
		profile_put_byte(w, (uint8_t)value | 0x80);
	profile_put_byte(w, (uint8_t)value);
}

static inline void profile_put_field(struct profile_writer *w, unsigned field, unsigned wire,
				     uint64_t value)
{
	if (profile_has_room(w)) {
		w->buffered = (size_t)(profile_encode_field(w->buffer + w->buffered, field, wire, value) -
				       w->buffer);
		return;
	}
	profile_put_byte(w, (uint8_t)(field << 3 | wire));
	profile_put_varint(w, value);
}

/* proto3 leaves zeros out. */
static inline size_t profile_number_len(uint64_t value)
{
	return value ? 1 + profile_varint_len(value) : 0;
}

static inline void profile_put_number(struct profile_writer *w, unsigned field, uint64_t value)
{
	if (value)
		profile_put_field(w, field, PROFILE_WIRE_VARINT, value);
}

static inline void profile_put_bytes_head(struct profile_writer *w, unsigned field, size_t len)
{
	profile_put_field(w, field, PROFILE_WIRE_BYTES, len);
}

/* A quarter of the slots stays free, so that every probe ends soon. */
static inline bool profile_table_has_room(const struct profile_table *table)
{
	return table->used < table->count - table->count / 4;
}

#endif
