#include "format/profile.h"

#include <errno.h>
#include <string.h>

#include "format/profile_sum.h"
#include "format/utf8.h"

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

	WIRE_VARINT = 0,
	WIRE_BYTES = 2,

	MAX_LOCATIONS = PROFILE_LOCATIONS_MAX,
	MAX_LABELS = 16,
	VARINT_MAX = 10, /* bytes of 64 bits */
};

struct string_slot {
	uint32_t id; /* 0: free, in all three tables */
	uint32_t hash, at, len;
};

struct function_slot {
	uint32_t id, name, system_name, filename;
	int64_t start_line;
};

struct location_slot {
	uint32_t id;
	uint32_t mapping; /* 0: line location */
	uint64_t place;	  /* address, or function and line */
};

static int fail(struct profile_writer *w, int error)
{
	if (!w->error)
		w->error = error;
	return w->error;
}

/* ---- bytes ---- */

static void flush(struct profile_writer *w)
{
	if (w->buffered && !w->error) {
		int error = w->sink(w->sink_arg, w->buffer, w->buffered);

		if (error)
			fail(w, error);
	}
	w->buffered = 0;
}

/* The buffer leaves only when it is full, so that the sum always sees whole words. */
static void put_full(struct profile_writer *w)
{
	w->sum = profile_sum_add(w->sum, w->buffer, sizeof(w->buffer));
	w->sum_bytes += sizeof(w->buffer);
	flush(w);
}

static void put(struct profile_writer *w, const void *bytes, size_t len)
{
	const uint8_t *from = bytes;

	while (len) {
		size_t n = sizeof(w->buffer) - w->buffered;

		if (n > len)
			n = len;
		memcpy(w->buffer + w->buffered, from, n);
		w->buffered += n;
		from += n;
		len -= n;
		if (w->buffered == sizeof(w->buffer))
			put_full(w);
	}
}

/* Most of what is written: keys, lengths, ids. */
static void put_byte(struct profile_writer *w, uint8_t byte)
{
	w->buffer[w->buffered++] = byte;
	if (w->buffered == sizeof(w->buffer))
		put_full(w);
}

static size_t varint_len(uint64_t value)
{
	/* A byte holds seven bits; bits * 9 / 64 is that division for up to 64 of them. */
	return ((64 - (unsigned)__builtin_clzll(value | 1)) * 9 + 64) / 64;
}

static uint8_t *encode(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)value | 0x80;
	*at++ = (uint8_t)value;
	return at;
}

/* Two numbers fit, and the buffer is not full afterwards. */
static bool has_room(const struct profile_writer *w)
{
	return sizeof(w->buffer) - w->buffered > 2 * VARINT_MAX;
}

static void put_varint(struct profile_writer *w, uint64_t value)
{
	if (has_room(w)) {
		w->buffered = (size_t)(encode(w->buffer + w->buffered, value) - w->buffer);
		return;
	}
	for (; value >= 0x80; value >>= 7)
		put_byte(w, (uint8_t)value | 0x80);
	put_byte(w, (uint8_t)value);
}

/* All field numbers are below 16: a key is one byte. */
static void put_field(struct profile_writer *w, unsigned field, unsigned wire, uint64_t value)
{
	if (has_room(w)) {
		w->buffer[w->buffered] = (uint8_t)(field << 3 | wire);
		w->buffered =
			(size_t)(encode(w->buffer + w->buffered + 1, value) - w->buffer);
		return;
	}
	put_byte(w, (uint8_t)(field << 3 | wire));
	put_varint(w, value);
}

/* proto3 leaves zeros out. */
static size_t number_len(uint64_t value)
{
	return value ? 1 + varint_len(value) : 0;
}

static void put_number(struct profile_writer *w, unsigned field, uint64_t value)
{
	if (value)
		put_field(w, field, WIRE_VARINT, value);
}

static void put_bytes_head(struct profile_writer *w, unsigned field, size_t len)
{
	put_field(w, field, WIRE_BYTES, len);
}

/* ---- strings ---- */

static const char replacement[] = "\xef\xbf\xbd";

/* Writes text with U+FFFD for what is not UTF-8, or only measures it (w NULL). */
static size_t clean_text(struct profile_writer *w, const char *bytes, size_t len)
{
	size_t out = 0;

	while (len) {
		size_t good = utf8_valid(bytes, len);

		if (w)
			put(w, bytes, good);
		out += good;
		bytes += good;
		len -= good;
		if (!len)
			break;
		if (w)
			put(w, replacement, 3);
		out += 3;
		bytes++;
		len--;
	}
	return out;
}

static uint32_t new_string(struct profile_writer *w, const char *bytes, size_t len)
{
	put_bytes_head(w, PROFILE_STRING, clean_text(NULL, bytes, len));
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

static uint32_t hash_words(uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ b * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

	return (uint32_t)(hash ^ hash >> 32);
}

/* A quarter of the slots stays free, so that every probe ends soon. */
static bool table_has_room(const struct profile_table *table)
{
	return table->used < table->count - table->count / 4;
}

uint32_t profile_write_string(struct profile_writer *w, const char *bytes, size_t len)
{
	struct string_slot *slots = w->string_table.slots;
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
	uint32_t id = new_string(w, bytes, len);

	if (table_has_room(&w->string_table) && len <= w->texts_len - w->texts_used) {
		slots[i] = (struct string_slot){ id, hash, (uint32_t)w->texts_used, (uint32_t)len };
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
		unsigned n = (uint8_t)value[run] < 0x80 ? 1 :
							  utf8_next(value + run, len - run, NULL);

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
				put(w, value + i, run);
			out += run;
			i += run;
			continue;
		}
		if (w) {
			const char *digits = "0123456789ABCDEF";
			uint8_t byte = (uint8_t)value[i];
			char code[3] = { '%', digits[byte >> 4], digits[byte & 15] };

			put(w, code, sizeof(code));
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
	put_bytes_head(w, PROFILE_STRING, key_len + 1 + encode_value(NULL, value, len));
	put(w, key, key_len);
	put(w, "=", 1);
	encode_value(w, value, len);
	put_number(w, PROFILE_COMMENT, w->strings++);
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

/* ---- beginning and end ---- */

static void put_value_type(struct profile_writer *w, unsigned field, const char *type,
			   const char *unit)
{
	uint32_t type_id = profile_write_string(w, type, strlen(type));
	uint32_t unit_id = profile_write_string(w, unit, strlen(unit));

	put_bytes_head(w, field, number_len(type_id) + number_len(unit_id));
	put_number(w, 1, type_id);
	put_number(w, 2, unit_id);
}

/* The largest power of two of slots that fits into len bytes. */
static void *table_begin(struct profile_table *table, uint8_t *memory, size_t len, size_t slot)
{
	size_t count = 1;

	while (count * 2 * slot <= len)
		count *= 2;
	table->slots = memory;
	table->count = (uint32_t)count;
	table->used = 0;
	memset(memory, 0, count * slot);
	return memory + count * slot;
}

int profile_write_begin(struct profile_writer *w, profile_sink sink, void *arg, void *memory,
			size_t memory_len)
{
	uint8_t *at = memory, *end = at + memory_len;

	w->sink = sink;
	w->sink_arg = arg;
	w->error = 0;
	w->strings = 0;
	w->functions = w->locations = w->mappings = 0;
	w->buffered = 0;
	w->sum = w->sum_bytes = 0;
	if (!memory || memory_len < PROFILE_MEMORY_MIN)
		return fail(w, -ENOBUFS);
	/* Ids and offsets are 32 bits; more memory than this would not help anyway. */
	if (memory_len > 1u << 30)
		memory_len = 1u << 30;
	at = table_begin(&w->string_table, at, memory_len / 8, sizeof(struct string_slot));
	at = table_begin(&w->function_table, at, memory_len / 8, sizeof(struct function_slot));
	at = table_begin(&w->location_table, at, memory_len / 8, sizeof(struct location_slot));
	w->texts = at;
	w->texts_len = (size_t)(end - at);
	w->texts_used = 0;

	new_string(w, "", 0);
	put_value_type(w, PROFILE_SAMPLE_TYPE, "samples", "count");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "cpu", "nanoseconds");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "wait", "nanoseconds");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "wall", "nanoseconds");
	put_value_type(w, PROFILE_PERIOD_TYPE, "cpu", "nanoseconds");
	put_number(w, PROFILE_DEFAULT_TYPE, profile_write_string(w, "wall", 4));
	return w->error;
}

int profile_write_times(struct profile_writer *w, int64_t start_unix_ns, int64_t duration_ns,
			int64_t period_ns)
{
	if (w->error)
		return w->error;
	put_number(w, PROFILE_TIME, (uint64_t)start_unix_ns);
	put_number(w, PROFILE_DURATION, (uint64_t)duration_ns);
	put_number(w, PROFILE_PERIOD, (uint64_t)period_ns);
	return w->error;
}

int profile_write_end(struct profile_writer *w)
{
	char hex[PROFILE_SUM_HEX];
	uint64_t sum = profile_sum_add(w->sum, w->buffer, w->buffered);

	profile_sum_hex(profile_sum_end(sum, w->sum_bytes + w->buffered), hex);
	profile_write_comment(w, PROFILE_KEY_WHOLE, hex, sizeof(hex));
	flush(w);
	return w->error;
}

/* ---- mappings, functions, locations ---- */

/*
 * named: say that its locations have functions, files, lines and inlined calls already (fields 7 to
 * 10).
 */
static uint32_t write_mapping(struct profile_writer *w, uint64_t start, uint64_t limit,
			      uint64_t file_offset, struct profile_text path,
			      const uint8_t *build_id, size_t build_id_len, bool named)
{
	char hex[128];
	uint32_t id, path_id, hex_id;

	if (w->error)
		return 0;
	if (build_id_len > sizeof(hex) / 2)
		build_id_len = sizeof(hex) / 2;
	for (size_t i = 0; i < build_id_len; i++) {
		hex[2 * i] = "0123456789abcdef"[build_id[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[build_id[i] & 15];
	}
	path_id = profile_write_string(w, path.bytes, path.len);
	hex_id = profile_write_string(w, hex, 2 * build_id_len);
	id = ++w->mappings;
	put_bytes_head(w, PROFILE_MAPPING,
		       number_len(id) + number_len(start) + number_len(limit) +
			       number_len(file_offset) + number_len(path_id) + number_len(hex_id) +
			       4 * number_len(named));
	put_number(w, 1, id);
	put_number(w, 2, start);
	put_number(w, 3, limit);
	put_number(w, 4, file_offset);
	put_number(w, 5, path_id);
	put_number(w, 6, hex_id);
	for (unsigned field = 7; field <= 10; field++)
		put_number(w, field, named);
	return w->error ? 0 : id;
}

uint32_t profile_write_mapping(struct profile_writer *w, uint64_t start, uint64_t limit,
			       uint64_t file_offset, struct profile_text path,
			       const uint8_t *build_id, size_t build_id_len)
{
	return write_mapping(w, start, limit, file_offset, path, build_id, build_id_len, false);
}

uint32_t profile_write_named_mapping(struct profile_writer *w, struct profile_text path,
				     const uint8_t *build_id, size_t build_id_len)
{
	return write_mapping(w, 0, 0, 0, path, build_id, build_id_len, true);
}

/*
 * Can a reader tell it from the name? When both are the same it must: go tool pprof takes two equal
 * names for a C++ name and strips it: <lambda> would come out empty.
 */
static bool is_implied(struct profile_text name, struct profile_text system_name)
{
	size_t before = name.len - system_name.len;

	if (!system_name.len || system_name.len > name.len ||
	    memcmp(name.bytes + before, system_name.bytes, system_name.len) != 0)
		return false;
	return !before || (name.bytes[before - 1] == '.' &&
			   !memchr(system_name.bytes, '.', system_name.len));
}

uint32_t profile_write_function(struct profile_writer *w, struct profile_text name,
				struct profile_text system_name, struct profile_text filename,
				int64_t start_line)
{
	struct function_slot new = {
		.name = profile_write_string(w, name.bytes, name.len),
		.system_name = is_implied(name, system_name) ?
				       0 :
				       profile_write_string(w, system_name.bytes, system_name.len),
		.filename = profile_write_string(w, filename.bytes, filename.len),
		.start_line = start_line,
	};
	struct function_slot *slots = w->function_table.slots;
	uint32_t mask = w->function_table.count - 1, i;

	if (w->error)
		return 0;
	i = hash_words((uint64_t) new.name << 32 | new.filename,
		       (uint64_t) new.system_name << 32 ^ (uint64_t)start_line);
	for (i &= mask; slots[i].id; i = (i + 1) & mask) {
		if (slots[i].name == new.name &&
		    slots[i].system_name == new.system_name &&slots[i].filename ==
			    new.filename &&slots[i].start_line == start_line)
			return slots[i].id;
	}
	new.id = ++w->functions;
	if (table_has_room(&w->function_table)) {
		slots[i] = new;
		w->function_table.used++;
	}
	put_bytes_head(w, PROFILE_FUNCTION,
		       number_len(new.id) + number_len(new.name) + number_len(new.system_name) +
			       number_len(new.filename) + number_len((uint64_t)start_line));
	put_number(w, 1, new.id);
	put_number(w, 2, new.name);
	put_number(w, 3, new.system_name);
	put_number(w, 4, new.filename);
	put_number(w, 5, (uint64_t)start_line);
	return w->error ? 0 : new.id;
}

/* The id of a known location, or 0 with *new set to one that the caller has to write. */
static uint32_t find_location(struct profile_writer *w, uint32_t mapping, uint64_t place,
			      uint32_t *new)
{
	struct location_slot *slots = w->location_table.slots;
	uint32_t mask = w->location_table.count - 1, i;

	for (i = hash_words(place, mapping) & mask; slots[i].id; i = (i + 1) & mask) {
		if (slots[i].place == place && slots[i].mapping == mapping)
			return slots[i].id;
	}
	*new = ++w->locations;
	if (table_has_room(&w->location_table)) {
		slots[i] = (struct location_slot){ *new, mapping, place };
		w->location_table.used++;
	}
	return 0;
}

uint32_t profile_write_native_location(struct profile_writer *w, uint32_t mapping, uint64_t address)
{
	uint32_t known, id;

	if (w->error)
		return 0;
	/* In no mapping (generated code): not to be mistaken for a line's location, which has none either. */
	known = find_location(w, mapping ? mapping : UINT32_MAX, address, &id);
	if (known)
		return known;
	put_bytes_head(w, PROFILE_LOCATION,
		       number_len(id) + number_len(mapping) + number_len(address));
	put_number(w, 1, id);
	put_number(w, 2, mapping);
	put_number(w, 3, address);
	return w->error ? 0 : id;
}

uint32_t profile_write_line_location(struct profile_writer *w, uint32_t function, int64_t line)
{
	uint32_t known, id;
	size_t line_len;

	if (w->error)
		return 0;
	if (!function) {
		fail(w, -EINVAL);
		return 0;
	}
	/* No source has a line above 2^31: those that say so share one. */
	if (line < 0 || line > INT32_MAX)
		line = 0;
	known = find_location(w, 0, (uint64_t)function << 32 | (uint64_t)line, &id);
	if (known)
		return known;
	line_len = number_len(function) + number_len((uint64_t)line);
	put_bytes_head(w, PROFILE_LOCATION, number_len(id) + 1 + varint_len(line_len) + line_len);
	put_number(w, 1, id);
	put_bytes_head(w, 4, line_len);
	put_number(w, 1, function);
	put_number(w, 2, (uint64_t)line);
	return w->error ? 0 : id;
}

uint32_t profile_write_named_location(struct profile_writer *w, uint32_t mapping,
				      const struct profile_line *lines, size_t n_lines)
{
	uint32_t id = w->locations + 1;
	size_t len = number_len(id) + number_len(mapping);

	if (w->error)
		return 0;
	for (size_t i = 0; i < n_lines; i++) {
		size_t line_len =
			number_len(lines[i].function_id) + number_len((uint64_t)lines[i].line);

		len += 1 + varint_len(line_len) + line_len;
	}
	w->locations = id;
	put_bytes_head(w, PROFILE_LOCATION, len);
	put_number(w, 1, id);
	put_number(w, 2, mapping);
	for (size_t i = 0; i < n_lines; i++) {
		put_bytes_head(w, 4,
			       number_len(lines[i].function_id) +
				       number_len((uint64_t)lines[i].line));
		put_number(w, 1, lines[i].function_id);
		put_number(w, 2, (uint64_t)lines[i].line);
	}
	return w->error ? 0 : id;
}

/* ---- samples ---- */

size_t profile_encode_locations(uint8_t *to, const uint32_t *locations, size_t n)
{
	uint8_t *at = to;

	for (size_t i = 0; i < n; i++) {
		if (!locations[i])
			return 0;
		at = encode(at, locations[i]);
	}
	return (size_t)(at - to);
}

static uint8_t *encode_number(uint8_t *at, unsigned field, uint64_t value)
{
	if (!value)
		return at;
	*at++ = (uint8_t)(field << 3 | WIRE_VARINT);
	return encode(at, value);
}

/* Its length stands before it, in one byte: three ids and a number are PROFILE_LABEL_BYTES at most. */
static uint8_t *encode_label(uint8_t *at, const struct profile_label *label)
{
	uint8_t *begin = at + 2, *end = begin;

	end = encode_number(end, 1, label->key);
	end = encode_number(end, 2, label->str);
	end = encode_number(end, 3, (uint64_t)(label->str ? 0 : label->num));
	end = encode_number(end, 4, label->unit);
	at[0] = (uint8_t)(3 << 3 | WIRE_BYTES);
	at[1] = (uint8_t)(end - begin);
	return end;
}

size_t profile_encode_labels(uint8_t *to, const struct profile_label *labels, size_t n)
{
	uint8_t *at = to;

	for (size_t i = 0; i < n; i++)
		at = encode_label(at, &labels[i]);
	return (size_t)(at - to);
}

int profile_write_encoded(struct profile_writer *w, const struct profile_sample *sample)
{
	size_t locations_len = sample->locations[0].len + sample->locations[1].len;
	uint8_t own[MAX_LABELS * PROFILE_LABEL_BYTES], values[PROFILE_VALUES * VARINT_MAX];
	uint8_t *end = values;
	size_t own_len, values_len;

	if (w->error)
		return w->error;
	if (sample->n_labels > MAX_LABELS)
		return fail(w, -EINVAL);
	own_len = profile_encode_labels(own, sample->labels, sample->n_labels);
	for (size_t i = 0; i < PROFILE_VALUES; i++)
		end = encode(end, (uint64_t)sample->values[i]);
	values_len = (size_t)(end - values);
	put_bytes_head(w, PROFILE_SAMPLE,
		       1 + varint_len(locations_len) + locations_len + 1 + varint_len(values_len) +
			       values_len + sample->shared.len + own_len);
	put_bytes_head(w, 1, locations_len);
	put(w, sample->locations[0].bytes, sample->locations[0].len);
	put(w, sample->locations[1].bytes, sample->locations[1].len);
	put_bytes_head(w, 2, values_len);
	put(w, values, values_len);
	put(w, sample->shared.bytes, sample->shared.len);
	put(w, own, own_len);
	return w->error;
}

int profile_write_sample(struct profile_writer *w, const uint32_t *locations, size_t n_locations,
			 const int64_t values[PROFILE_VALUES], const struct profile_label *labels,
			 size_t n_labels)
{
	struct profile_sample sample = { .values = values, .labels = labels, .n_labels = n_labels };

	if (w->error)
		return w->error;
	if (n_locations > MAX_LOCATIONS)
		return fail(w, -EINVAL);
	sample.locations[0].bytes = w->ids;
	sample.locations[0].len = profile_encode_locations(w->ids, locations, n_locations);
	if (n_locations && !sample.locations[0].len)
		return fail(w, -EINVAL);
	return profile_write_encoded(w, &sample);
}
