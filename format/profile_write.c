#include <errno.h>

#include "format/profile_put.h"
#include "format/profile_sum.h"

enum { MAX_LOCATIONS = PROFILE_LOCATIONS_MAX, MAX_LABELS = 16 };

struct function_slot {
	uint32_t id, name, system_name, filename;
	int64_t start_line;
};

struct location_slot {
	uint32_t id;
	uint32_t mapping; /* 0: line location */
	uint64_t place;	  /* address, or function and line */
};

static uint32_t hash_words(uint64_t a, uint64_t b)
{
	uint64_t hash = (a ^ b * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

	return (uint32_t)(hash ^ hash >> 32);
}

/* ---- beginning and end ---- */

static void put_value_type(struct profile_writer *w, unsigned field, const char *type,
			   const char *unit)
{
	uint32_t type_id = profile_write_string(w, type, strlen(type));
	uint32_t unit_id = profile_write_string(w, unit, strlen(unit));

	profile_put_bytes_head(w, field, profile_number_len(type_id) + profile_number_len(unit_id));
	profile_put_number(w, 1, type_id);
	profile_put_number(w, 2, unit_id);
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
		return profile_fail(w, -ENOBUFS);
	/* Ids and offsets are 32 bits; more memory than this would not help anyway. */
	if (memory_len > 1u << 30)
		memory_len = 1u << 30;
	at = table_begin(&w->string_table, at, memory_len / 8, sizeof(struct profile_string_slot));
	at = table_begin(&w->function_table, at, memory_len / 8, sizeof(struct function_slot));
	at = table_begin(&w->location_table, at, memory_len / 8, sizeof(struct location_slot));
	w->texts = at;
	w->texts_len = (size_t)(end - at);
	w->texts_used = 0;

	profile_new_string(w, "", 0);
	put_value_type(w, PROFILE_SAMPLE_TYPE, "samples", "count");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "cpu", "nanoseconds");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "wait", "nanoseconds");
	put_value_type(w, PROFILE_SAMPLE_TYPE, "wall", "nanoseconds");
	put_value_type(w, PROFILE_PERIOD_TYPE, "cpu", "nanoseconds");
	profile_put_number(w, PROFILE_DEFAULT_TYPE, profile_write_string(w, "wall", 4));
	return w->error;
}

int profile_write_times(struct profile_writer *w, int64_t start_unix_ns, int64_t duration_ns,
			int64_t period_ns)
{
	if (w->error)
		return w->error;
	profile_put_number(w, PROFILE_TIME, (uint64_t)start_unix_ns);
	profile_put_number(w, PROFILE_DURATION, (uint64_t)duration_ns);
	profile_put_number(w, PROFILE_PERIOD, (uint64_t)period_ns);
	return w->error;
}

int profile_write_end(struct profile_writer *w)
{
	char hex[PROFILE_SUM_HEX];
	uint64_t sum = profile_sum_add(w->sum, w->buffer, w->buffered);

	profile_sum_hex(profile_sum_end(sum, w->sum_bytes + w->buffered), hex);
	profile_write_comment(w, PROFILE_KEY_WHOLE, hex, sizeof(hex));
	profile_flush(w);
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
	profile_put_bytes_head(w, PROFILE_MAPPING,
			       profile_number_len(id) + profile_number_len(start) +
				       profile_number_len(limit) + profile_number_len(file_offset) +
				       profile_number_len(path_id) + profile_number_len(hex_id) +
				       4 * profile_number_len(named));
	profile_put_number(w, 1, id);
	profile_put_number(w, 2, start);
	profile_put_number(w, 3, limit);
	profile_put_number(w, 4, file_offset);
	profile_put_number(w, 5, path_id);
	profile_put_number(w, 6, hex_id);
	for (unsigned field = 7; field <= 10; field++)
		profile_put_number(w, field, named);
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
	if (profile_table_has_room(&w->function_table)) {
		slots[i] = new;
		w->function_table.used++;
	}
	profile_put_bytes_head(w, PROFILE_FUNCTION,
			       profile_number_len(new.id) + profile_number_len(new.name) +
				       profile_number_len(new.system_name) +
				       profile_number_len(new.filename) +
				       profile_number_len((uint64_t)start_line));
	profile_put_number(w, 1, new.id);
	profile_put_number(w, 2, new.name);
	profile_put_number(w, 3, new.system_name);
	profile_put_number(w, 4, new.filename);
	profile_put_number(w, 5, (uint64_t)start_line);
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
	if (profile_table_has_room(&w->location_table)) {
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
	profile_put_bytes_head(w, PROFILE_LOCATION,
			       profile_number_len(id) + profile_number_len(mapping) +
				       profile_number_len(address));
	profile_put_number(w, 1, id);
	profile_put_number(w, 2, mapping);
	profile_put_number(w, 3, address);
	return w->error ? 0 : id;
}

uint32_t profile_write_line_location(struct profile_writer *w, uint32_t function, int64_t line)
{
	uint32_t known, id;
	size_t line_len;

	if (w->error)
		return 0;
	if (!function) {
		profile_fail(w, -EINVAL);
		return 0;
	}
	/* No source has a line above 2^31: those that say so share one. */
	if (line < 0 || line > INT32_MAX)
		line = 0;
	known = find_location(w, 0, (uint64_t)function << 32 | (uint64_t)line, &id);
	if (known)
		return known;
	line_len = profile_number_len(function) + profile_number_len((uint64_t)line);
	profile_put_bytes_head(w, PROFILE_LOCATION,
			       profile_number_len(id) + 1 + profile_varint_len(line_len) +
				       line_len);
	profile_put_number(w, 1, id);
	profile_put_bytes_head(w, 4, line_len);
	profile_put_number(w, 1, function);
	profile_put_number(w, 2, (uint64_t)line);
	return w->error ? 0 : id;
}

uint32_t profile_write_named_location(struct profile_writer *w, uint32_t mapping,
				      const struct profile_line *lines, size_t n_lines)
{
	uint32_t id = w->locations + 1;
	size_t len = profile_number_len(id) + profile_number_len(mapping);

	if (w->error)
		return 0;
	for (size_t i = 0; i < n_lines; i++) {
		size_t line_len = profile_number_len(lines[i].function_id) +
				  profile_number_len((uint64_t)lines[i].line);

		len += 1 + profile_varint_len(line_len) + line_len;
	}
	w->locations = id;
	profile_put_bytes_head(w, PROFILE_LOCATION, len);
	profile_put_number(w, 1, id);
	profile_put_number(w, 2, mapping);
	for (size_t i = 0; i < n_lines; i++) {
		profile_put_bytes_head(w, 4,
				       profile_number_len(lines[i].function_id) +
					       profile_number_len((uint64_t)lines[i].line));
		profile_put_number(w, 1, lines[i].function_id);
		profile_put_number(w, 2, (uint64_t)lines[i].line);
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
		at = profile_encode(at, locations[i]);
	}
	return (size_t)(at - to);
}

static uint8_t *encode_number(uint8_t *at, unsigned field, uint64_t value)
{
	return value ? profile_encode_field(at, field, PROFILE_WIRE_VARINT, value) : at;
}

/* Its length stands before it, in one byte: three ids and a number are PROFILE_LABEL_BYTES at most. */
static uint8_t *encode_label(uint8_t *at, const struct profile_label *label)
{
	uint8_t *begin = at + 2, *end = begin;

	end = encode_number(end, 1, label->key);
	end = encode_number(end, 2, label->str);
	end = encode_number(end, 3, (uint64_t)(label->str ? 0 : label->num));
	end = encode_number(end, 4, label->unit);
	at[0] = (uint8_t)(3 << 3 | PROFILE_WIRE_BYTES);
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
	uint8_t own[MAX_LABELS * PROFILE_LABEL_BYTES], values[PROFILE_VALUES * PROFILE_VARINT_MAX];
	uint8_t *end = values;
	size_t own_len, values_len;

	if (w->error)
		return w->error;
	if (sample->n_labels > MAX_LABELS)
		return profile_fail(w, -EINVAL);
	own_len = profile_encode_labels(own, sample->labels, sample->n_labels);
	for (size_t i = 0; i < PROFILE_VALUES; i++)
		end = profile_encode(end, (uint64_t)sample->values[i]);
	values_len = (size_t)(end - values);
	profile_put_bytes_head(w, PROFILE_SAMPLE,
			       1 + profile_varint_len(locations_len) + locations_len + 1 +
				       profile_varint_len(values_len) + values_len +
				       sample->shared.len + own_len);
	profile_put_bytes_head(w, 1, locations_len);
	profile_put(w, sample->locations[0].bytes, sample->locations[0].len);
	profile_put(w, sample->locations[1].bytes, sample->locations[1].len);
	profile_put_bytes_head(w, 2, values_len);
	profile_put(w, values, values_len);
	profile_put(w, sample->shared.bytes, sample->shared.len);
	profile_put(w, own, own_len);
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
		return profile_fail(w, -EINVAL);
	sample.locations[0].bytes = w->ids;
	sample.locations[0].len = profile_encode_locations(w->ids, locations, n_locations);
	if (n_locations && !sample.locations[0].len)
		return profile_fail(w, -EINVAL);
	return profile_write_encoded(w, &sample);
}
