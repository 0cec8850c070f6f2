#include "format/profile_put.h"
#include "format/utf8.h"

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
	profile_put_bytes_head(w, PROFILE_STRING, clean_text(NULL, bytes, len));
	clean_text(w, bytes, len);
	return w->strings++;
}

static uint32_t hash_bytes(const char *bytes, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)bytes[i]) * 16777619u;
	return hash ^ hash >> 15;
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

int profile_write_comment(struct profile_writer *w, const char *key, const char *value, size_t len)
{
	size_t key_len = strlen(key);

	if (w->error)
		return w->error;
	profile_put_bytes_head(w, PROFILE_STRING, key_len + 1 + encode_value(NULL, value, len));
	profile_put(w, key, key_len);
	profile_put(w, "=", 1);
	encode_value(w, value, len);
	profile_put_number(w, PROFILE_COMMENT, w->strings++);
	return w->error;
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
	return profile_write_comment(w, key, text + at, sizeof(text) - at);
}
