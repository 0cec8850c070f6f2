#include <emmintrin.h>

#include "format/profile_put.h"
#include "format/utf8.h"
#include "format/words.h"

/*
 * A file has some 80 of these texts, most of them short and of plain ASCII: such a one is looked at as words that
 * overlap, and copied once.
 */
enum { HEAD_MAX = 1 + PROFILE_VARINT_MAX };

static const char replacement[] = "\xef\xbf\xbd";

/* Writes text with U+FFFD for what is not UTF-8, or only measures it (w NULL). */
static size_t clean_text(struct profile_writer *w, const char *bytes, size_t len)
{
	size_t out = 0;

	while (len) {
		size_t good = utf8_valid(bytes, len);

		if (w)
			profile_put(w, bytes, good);
		out += good;
		bytes += good;
		len -= good;
		if (!len)
			break;
		if (w)
			profile_put(w, replacement, 3);
		out += 3;
		bytes++;
		len--;
	}
	return out;
}

uint32_t profile_new_string(struct profile_writer *w, const char *bytes, size_t len)
{
	uint8_t *at = profile_room(w, HEAD_MAX + len);

	if (!at || utf8_valid(bytes, len) != len) {
		profile_put_bytes_head(w, PROFILE_STRING, clean_text(NULL, bytes, len));
		clean_text(w, bytes, len);
		return w->strings++;
	}
	at = profile_encode_field(at, PROFILE_STRING, PROFILE_WIRE_BYTES, len);
	memcpy(at, bytes, len);
	w->buffered = (size_t)(at + len - w->buffer);
	return w->strings++;
}

/* All bytes of a text that has 1 to 8, some of them twice. */
static uint64_t load_short(const char *bytes, size_t len)
{
	if (len >= 4)
		return (uint64_t)load4(bytes) << 32 | load4(bytes + len - 4);
	return ((uint64_t)(uint8_t)bytes[0] << 16 | (uint64_t)(uint8_t)bytes[len / 2] << 8 |
		(uint8_t)bytes[len - 1]);
}

/* Its upper half is the better one: a product's lower bits know nothing of a factor's upper bits. */
static uint32_t hash_bytes(const char *bytes, size_t len)
{
	const uint64_t factor = UINT64_C(0x9fb21c651e98df25);
	uint64_t hash = len * factor;

	if (len <= 8) {
		hash = (hash ^ load_short(bytes, len)) * factor;
		return (uint32_t)(hash >> 32);
	}
	for (const char *at = bytes; at < bytes + len - 8; at += 8) {
		hash = (hash ^ load8(at)) * factor;
		hash ^= hash >> 32;
	}
	hash = (hash ^ load8(bytes + len - 8)) * factor;
	return (uint32_t)(hash >> 32);
}

uint32_t profile_write_string(struct profile_writer *w, const char *bytes, size_t len)
{
	struct profile_string_slot *slots = w->string_table.slots;
	uint32_t mask = w->string_table.count - 1;
	uint32_t hash, i;

	if (w->error || !len)
		return 0;
	hash = hash_bytes(bytes, len);
	for (i = hash & mask; slots[i].id; i = (i + 1) & mask) {
		if (slots[i].hash == hash && slots[i].len == len &&
		    !memcmp(w->texts + slots[i].at, bytes, len))
			return slots[i].id;
	}
	uint32_t id = profile_new_string(w, bytes, len);

	if (profile_table_has_room(&w->string_table) && len <= w->texts_len - w->texts_used) {
		slots[i] = (struct profile_string_slot){ id, hash, (uint32_t)w->texts_used,
							 (uint32_t)len };
		memcpy(w->texts + w->texts_used, bytes, len);
		w->texts_used += len;
		w->string_table.used++;
	}
	return w->error ? 0 : id;
}

/* ---- comments ---- */

static bool is_plain(char c)
{
	uint8_t byte = (uint8_t)c;

	return byte > 0x20 && byte != 0x7f && byte != '%';
}

/* How many bytes can stand as they are. */
static size_t plain_run(const char *value, size_t len)
{
	size_t run = 0;

	while (run < len && is_plain(value[run])) {
		unsigned n =
			(uint8_t)value[run] < 0x80 ? 1 : utf8_next(value + run, len - run, NULL);

		if (!n)
			break;
		run += n;
	}
	return run;
}

/* Percent-encodes into the file, or only measures (w NULL). */
static size_t encode_value(struct profile_writer *w, const char *value, size_t len)
{
	size_t out = 0;

	for (size_t i = 0; i < len;) {
		size_t run = plain_run(value + i, len - i);

		if (run) {
			if (w)
				profile_put(w, value + i, run);
			out += run;
			i += run;
			continue;
		}
		if (w) {
			const char *digits = "0123456789ABCDEF";
			uint8_t byte = (uint8_t)value[i];
			char code[3] = { '%', digits[byte >> 4], digits[byte & 15] };

			profile_put(w, code, sizeof(code));
		}
		out += 3;
		i++;
	}
	return out;
}

static bool are_plain_ascii(__m128i bytes)
{
	/* (As signed bytes, those above ASCII are below the space.) */
	__m128i odd = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)),
				   _mm_cmpeq_epi8(bytes, _mm_set1_epi8('%')));
	__m128i plain = _mm_andnot_si128(odd, _mm_cmpgt_epi8(bytes, _mm_set1_epi8(' ')));

	return _mm_movemask_epi8(plain) == 0xffff;
}

static __m128i load16(const char *bytes)
{
	return _mm_loadu_si128((const __m128i *)bytes);
}

/* Does it stand in the file as it is? (UTF-8 would, too, but is no ASCII.) */
static bool is_plain_text(const char *value, size_t len)
{
	if (len < 4) {
		for (size_t i = 0; i < len; i++)
			if (!is_plain(value[i]) || (uint8_t)value[i] >= 0x80)
				return false;
		return true;
	}
	if (len <= 8)
		return are_plain_ascii(_mm_set1_epi64x((long long)load_short(value, len)));
	if (len < 16)
		return are_plain_ascii(
			_mm_set_epi64x((long long)load8(value), (long long)load8(value + len - 8)));
	for (const char *at = value; at < value + len - 16; at += 16)
		if (!are_plain_ascii(load16(at)))
			return false;
	return are_plain_ascii(load16(value + len - 16));
}

/* A comment's string, and its number. False: the buffer has no room for it. */
static bool write_plain_comment(struct profile_writer *w, const char *key, size_t key_len,
				const char *value, size_t len)
{
	uint8_t *at = profile_room(w, 2 * HEAD_MAX + key_len + 1 + len);

	if (!at)
		return false;
	at = profile_encode_field(at, PROFILE_STRING, PROFILE_WIRE_BYTES, key_len + 1 + len);
	memcpy(at, key, key_len);
	at += key_len;
	*at++ = '=';
	memcpy(at, value, len);
	at += len;
	at = profile_encode_field(at, PROFILE_COMMENT, PROFILE_WIRE_VARINT, w->strings++);
	w->buffered = (size_t)(at - w->buffer);
	return true;
}

/* plain: nothing in value need be encoded. */
static int write_comment(struct profile_writer *w, const char *key, const char *value, size_t len,
			 bool plain)
{
	size_t key_len = strlen(key);

	if (w->error || (plain && write_plain_comment(w, key, key_len, value, len)))
		return w->error;
	profile_put_bytes_head(w, PROFILE_STRING, key_len + 1 + encode_value(NULL, value, len));
	profile_put(w, key, key_len);
	profile_put(w, "=", 1);
	encode_value(w, value, len);
	profile_put_number(w, PROFILE_COMMENT, w->strings++);
	return w->error;
}

int profile_write_comment(struct profile_writer *w, const char *key, const char *value, size_t len)
{
	return write_comment(w, key, value, len, is_plain_text(value, len));
}

int profile_write_comment_number(struct profile_writer *w, const char *key, int64_t value)
{
	char text[24];
	size_t at = sizeof(text);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	do {
		text[--at] = (char)('0' + rest % 10);
	} while (rest /= 10);
	if (value < 0)
		text[--at] = '-';
	return write_comment(w, key, text + at, sizeof(text) - at, true);
}
