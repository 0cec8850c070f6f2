#include "format/profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "format/profile_sum.h"
#include "format/protobuf_read.h"

/*
 * Two passes over the bytes, and one over the result. The first checks the top level and counts,
 * so that memory is asked for once and in proportion to the input; the second decodes; the last
 * checks what ids refer to, since fields come in any order.
 */

enum {
	FIELD_SAMPLE_TYPE = 1,
	FIELD_SAMPLE = 2,
	FIELD_MAPPING = 3,
	FIELD_LOCATION = 4,
	FIELD_FUNCTION = 5,
	FIELD_STRING = 6,
	FIELD_TIME = 9,
	FIELD_DURATION = 10,
	FIELD_PERIOD_TYPE = 11,
	FIELD_PERIOD = 12,
	FIELD_COMMENT = 13,
	FIELD_DEFAULT_TYPE = 14,
	FIELDS = 16, /* counted by number; later ones are skipped */
};

enum { BLOCK_BYTES = 16 << 10 };

struct block {
	struct block *next;
	size_t len, used;
	char bytes[];
};

struct reader {
	struct protobuf_report report;
	struct profile_in *out;
	size_t counts[FIELDS];
	bool facts_only;
	size_t text_bytes;		    /* of all texts with their NULs */
	char *texts;			    /* where the next copy goes */
	struct protobuf_cursor last_string; /* the last top-level string */
	const uint8_t *last_string_start;
	const uint8_t *last_start; /* the last top-level field of all */
};

/* ---- memory: zeroed blocks, freed together ---- */

static void *arena_take(struct reader *r, size_t count, size_t size)
{
	struct block *block = r->out->arena;
	size_t len, room;
	void *piece;

	if (count > SIZE_MAX / 4 / size)
		goto none;
	len = (count * size + 7) & ~(size_t)7;
	if (!block || block->len - block->used < len) {
		room = len > BLOCK_BYTES ? len : BLOCK_BYTES;
		block = calloc(1, sizeof(*block) + room);
		if (!block)
			goto none;
		block->next = r->out->arena;
		block->len = room;
		r->out->arena = block;
	}
	piece = block->bytes + block->used;
	block->used += len;
	return piece;
none:
	protobuf_bad(&r->report, r->report.start, "not enough memory to read it");
	return NULL;
}

void profile_free(struct profile_in *p)
{
	struct block *next;

	if (!p)
		return;
	for (struct block *block = p->arena; block; block = next) {
		next = block->next;
		free(block);
	}
	free(p);
}

static bool take_string_index(struct reader *r, const struct protobuf_field *f, int64_t *to)
{
	if (!protobuf_want(&r->report, f, PROTOBUF_VARINT))
		return false;
	if (f->value >= r->counts[FIELD_STRING])
		return protobuf_bad(&r->report, f->start, "it names a text that is not there");
	*to = (int64_t)f->value;
	return true;
}

static bool take_number(struct reader *r, const struct protobuf_field *f, int64_t *to)
{
	*to = (int64_t)f->value;
	return protobuf_want(&r->report, f, PROTOBUF_VARINT);
}

static bool take_unsigned(struct reader *r, const struct protobuf_field *f, uint64_t *to)
{
	*to = f->value;
	return protobuf_want(&r->report, f, PROTOBUF_VARINT);
}

/* ---- first pass ---- */

static bool count_top_level(struct reader *r, struct protobuf_cursor c)
{
	struct protobuf_field f;

	while (c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		r->last_start = f.start;
		if (f.number >= FIELDS)
			continue;
		switch (f.number) {
		case FIELD_COMMENT:
			if (!protobuf_count(&r->report, &f, &r->counts[FIELD_COMMENT]))
				return false;
			continue;
		case FIELD_STRING:
			r->last_string = f.bytes;
			r->last_string_start = f.start;
			r->text_bytes += (size_t)(f.bytes.end - f.bytes.at) + 1;
			/* fall through */
		case FIELD_SAMPLE_TYPE:
		case FIELD_SAMPLE:
		case FIELD_MAPPING:
		case FIELD_LOCATION:
		case FIELD_FUNCTION:
		case FIELD_PERIOD_TYPE:
			if (!protobuf_want(&r->report, &f, PROTOBUF_BYTES))
				return false;
			break;
		default:
			break;
		}
		r->counts[f.number]++;
	}
	return true;
}

/* ---- second pass: one function a message ---- */

static bool take_value_type(struct reader *r, struct protobuf_cursor c,
			    struct profile_value_type_in *type)
{
	struct protobuf_field f;

	while (c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1 && !take_string_index(r, &f, &type->type))
			return false;
		if (f.number == 2 && !take_string_index(r, &f, &type->unit))
			return false;
	}
	return true;
}

static bool take_label(struct reader *r, struct protobuf_cursor c, struct profile_label_in *label)
{
	struct protobuf_field f;
	bool ok = true;

	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = take_string_index(r, &f, &label->key);
		else if (f.number == 2)
			ok = take_string_index(r, &f, &label->str);
		else if (f.number == 3)
			ok = take_number(r, &f, &label->num);
		else if (f.number == 4)
			ok = take_string_index(r, &f, &label->unit);
	}
	return ok;
}

/* How much a sample holds; what is counted here is well-formed. */
struct sample_counts {
	size_t locations, values, labels;
};

static bool count_sample(struct reader *r, struct protobuf_cursor c, struct sample_counts *n)
{
	struct protobuf_field f;
	bool ok = true;

	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = protobuf_count(&r->report, &f, &n->locations);
		else if (f.number == 2)
			ok = protobuf_count(&r->report, &f, &n->values);
		else if (f.number == 3) {
			ok = protobuf_want(&r->report, &f, PROTOBUF_BYTES);
			n->labels++;
		}
	}
	return ok;
}

static bool take_sample(struct reader *r, const struct protobuf_field *whole,
			struct profile_sample_in *s)
{
	struct protobuf_cursor c = whole->bytes;
	struct sample_counts n = { 0 };
	struct protobuf_field f;
	size_t n_values = 0;
	bool ok = true;

	s->offset = (size_t)(whole->start - r->report.start);
	if (!count_sample(r, c, &n))
		return false;
	if (n.values != r->counts[FIELD_SAMPLE_TYPE])
		return protobuf_bad(&r->report, whole->start,
				    "a sample has not one value for each type");
	s->locations = arena_take(r, n.locations + n.values, sizeof(uint64_t));
	s->labels = arena_take(r, n.labels, sizeof(*s->labels));
	if (!s->locations || !s->labels)
		return false;
	s->values = (int64_t *)(s->locations + n.locations);
	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = protobuf_numbers(&r->report, &f, s->locations, &s->n_locations);
		else if (f.number == 2)
			ok = protobuf_numbers(&r->report, &f, (uint64_t *)s->values, &n_values);
		else if (f.number == 3)
			ok = take_label(r, f.bytes, &s->labels[s->n_labels++]);
	}
	return ok;
}

static bool take_mapping(struct reader *r, const struct protobuf_field *whole,
			 struct profile_mapping_in *m)
{
	struct protobuf_cursor c = whole->bytes;
	struct protobuf_field f;
	bool ok = true;

	m->offset = (size_t)(whole->start - r->report.start);
	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		switch (f.number) {
		case 1:
			ok = take_unsigned(r, &f, &m->id);
			break;
		case 2:
			ok = take_unsigned(r, &f, &m->start);
			break;
		case 3:
			ok = take_unsigned(r, &f, &m->limit);
			break;
		case 4:
			ok = take_unsigned(r, &f, &m->file_offset);
			break;
		case 5:
			ok = take_string_index(r, &f, &m->filename);
			break;
		case 6:
			ok = take_string_index(r, &f, &m->build_id);
			break;
		}
	}
	return ok;
}

static bool take_line(struct reader *r, struct protobuf_cursor c, struct profile_line *line)
{
	struct protobuf_field f;
	bool ok = true;

	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = take_unsigned(r, &f, &line->function_id);
		else if (f.number == 2)
			ok = take_number(r, &f, &line->line);
	}
	return ok;
}

/* How many lines a location has; all have one, but for those that other tools have named. */
static bool count_lines(struct reader *r, struct protobuf_cursor c, size_t *n)
{
	struct protobuf_field f;

	while (c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 4)
			++*n;
	}
	return true;
}

static bool take_location_line(struct reader *r, const struct protobuf_field *f,
			       struct protobuf_cursor rest, struct profile_location_in *l)
{
	if (!protobuf_want(&r->report, f, PROTOBUF_BYTES))
		return false;
	if (!l->lines) {
		size_t n = 1;

		if (!count_lines(r, rest, &n))
			return false;
		l->lines = arena_take(r, n, sizeof(*l->lines));
		if (!l->lines)
			return false;
	}
	return take_line(r, f->bytes, &l->lines[l->n_lines++]);
}

static bool take_location(struct reader *r, const struct protobuf_field *whole,
			  struct profile_location_in *l)
{
	struct protobuf_cursor c = whole->bytes;
	struct protobuf_field f;
	bool ok = true;

	l->offset = (size_t)(whole->start - r->report.start);
	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = take_unsigned(r, &f, &l->id);
		else if (f.number == 2)
			ok = take_unsigned(r, &f, &l->mapping_id);
		else if (f.number == 3)
			ok = take_unsigned(r, &f, &l->address);
		else if (f.number == 4)
			ok = take_location_line(r, &f, c, l);
	}
	return ok;
}

static bool take_function(struct reader *r, const struct protobuf_field *whole,
			  struct profile_function_in *function)
{
	struct protobuf_cursor c = whole->bytes;
	struct protobuf_field f;
	bool ok = true;

	function->offset = (size_t)(whole->start - r->report.start);
	while (ok && c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (f.number == 1)
			ok = take_unsigned(r, &f, &function->id);
		else if (f.number == 2)
			ok = take_string_index(r, &f, &function->name);
		else if (f.number == 3)
			ok = take_string_index(r, &f, &function->system_name);
		else if (f.number == 4)
			ok = take_string_index(r, &f, &function->filename);
		else if (f.number == 5)
			ok = take_number(r, &f, &function->start_line);
	}
	return ok;
}

/* The comments: numbers that are string indices. */
static bool take_comments(struct reader *r, const struct protobuf_field *f)
{
	struct profile_in *p = r->out;
	size_t i = p->n_comments;

	if (!protobuf_numbers(&r->report, f, (uint64_t *)p->comments, &p->n_comments))
		return false;
	for (; i < p->n_comments; i++) {
		if ((uint64_t)p->comments[i] >= r->counts[FIELD_STRING])
			return protobuf_bad(&r->report, f->start,
					    "a comment names a text that is not there");
	}
	return true;
}

/* A NUL-terminated copy, since texts have a length in the file. */
static bool take_string(struct reader *r, const struct protobuf_field *f)
{
	size_t len = (size_t)(f->bytes.end - f->bytes.at);
	struct profile_in *p = r->out;

	if (!p->n_strings && len)
		return protobuf_bad(&r->report, f->start, "the first text is not empty");
	memcpy(r->texts, f->bytes.at, len);
	p->strings[p->n_strings] = r->texts;
	p->string_lens[p->n_strings++] = len;
	r->texts += len + 1;
	return true;
}

static bool take_top_level(struct reader *r, const struct protobuf_field *f)
{
	struct profile_in *p = r->out;

	switch (f->number) {
	case FIELD_SAMPLE_TYPE:
		return take_value_type(r, f->bytes, &p->sample_types[p->n_sample_types++]);
	case FIELD_TIME:
		return take_number(r, f, &p->time_ns);
	case FIELD_DURATION:
		return take_number(r, f, &p->duration_ns);
	case FIELD_PERIOD_TYPE:
		return take_value_type(r, f->bytes, &p->period_type);
	case FIELD_PERIOD:
		return take_number(r, f, &p->period_ns);
	case FIELD_STRING:
		return take_string(r, f);
	case FIELD_COMMENT:
		return take_comments(r, f);
	case FIELD_DEFAULT_TYPE:
		return take_string_index(r, f, &p->default_sample_type);
	default:
		break;
	}
	if (r->facts_only)
		return true;
	switch (f->number) {
	case FIELD_SAMPLE:
		return take_sample(r, f, &p->samples[p->n_samples++]);
	case FIELD_MAPPING:
		return take_mapping(r, f, &p->mappings[p->n_mappings++]);
	case FIELD_LOCATION:
		return take_location(r, f, &p->locations[p->n_locations++]);
	case FIELD_FUNCTION:
		return take_function(r, f, &p->functions[p->n_functions++]);
	default:
		return true;
	}
}

/* ---- last pass: ids ---- */

/* The three arrays begin with their id. They come in order from our writer and from most others. */
static int compare_ids(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

_Static_assert(offsetof(struct profile_mapping_in, id) == 0, "compare_ids reads it there");
_Static_assert(offsetof(struct profile_location_in, id) == 0, "compare_ids reads it there");
_Static_assert(offsetof(struct profile_function_in, id) == 0, "compare_ids reads it there");

static bool sort_ids(struct reader *r, void *array, size_t n, size_t size, size_t offset_at)
{
	char *at = array;
	bool sorted = true;

	for (size_t i = 0; i + 1 < n && sorted; i++)
		sorted = compare_ids(at + i * size, at + (i + 1) * size) < 0;
	if (!sorted)
		qsort(array, n, size, compare_ids);
	for (size_t i = 0; i < n; i++) {
		size_t offset;
		uint64_t id;

		memcpy(&id, at + i * size, sizeof(id));
		memcpy(&offset, at + i * size + offset_at, sizeof(offset));
		if (!id)
			return protobuf_bad(&r->report, r->report.start + offset,
					    "an entry has no id");
		if (i && !compare_ids(at + (i - 1) * size, at + i * size))
			return protobuf_bad(&r->report, r->report.start + offset,
					    "two entries have the same id");
	}
	return true;
}

/* Ours number them from 1 on: then an id is known by its size. */
static bool are_counted(const struct profile_in *p)
{
	size_t n = p->n_locations;

	return n && p->locations[0].id == 1 && p->locations[n - 1].id == n;
}

static bool check_samples(struct reader *r)
{
	struct profile_in *p = r->out;
	bool counted = are_counted(p);

	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_sample_in *s = &p->samples[i];

		for (size_t j = 0; j < s->n_locations; j++) {
			uint64_t id = s->locations[j];

			if (counted ? id - 1 >= p->n_locations : !profile_location(p, id))
				return protobuf_bad(&r->report, r->report.start + s->offset,
						    "a sample names a location that is not there");
		}
	}
	return true;
}

static bool check_ids(struct reader *r)
{
	struct profile_in *p = r->out;

	if (!sort_ids(r, p->mappings, p->n_mappings, sizeof(*p->mappings),
		      offsetof(struct profile_mapping_in, offset)) ||
	    !sort_ids(r, p->functions, p->n_functions, sizeof(*p->functions),
		      offsetof(struct profile_function_in, offset)) ||
	    !sort_ids(r, p->locations, p->n_locations, sizeof(*p->locations),
		      offsetof(struct profile_location_in, offset)))
		return false;
	for (size_t i = 0; i < p->n_locations; i++) {
		const struct profile_location_in *l = &p->locations[i];

		if (l->mapping_id && !profile_mapping(p, l->mapping_id))
			return protobuf_bad(&r->report, r->report.start + l->offset,
					    "a location names a mapping that is not there");
		for (size_t j = 0; j < l->n_lines; j++) {
			if (!profile_function(p, l->lines[j].function_id))
				return protobuf_bad(
					&r->report, r->report.start + l->offset,
					"a location names a function that is not there");
		}
	}
	return check_samples(r);
}

/* ---- whole? ---- */

static bool text_begins(struct protobuf_cursor text, const char *with)
{
	size_t len = strlen(with);

	return (size_t)(text.end - text.at) >= len && !memcmp(text.at, with, len);
}

/* See PROFILE_KEY_WHOLE. Files without PROFILE_KEY_VERSION are not ours, and have no such mark. */
static bool check_whole(struct reader *r, struct protobuf_cursor all)
{
	const char *mark = PROFILE_KEY_WHOLE "=";
	const struct profile_in *p = r->out;
	bool ours = false, marked = false;
	char hex[PROFILE_SUM_HEX];
	size_t len;
	uint64_t sum;

	for (size_t i = 0; i < p->n_comments; i++) {
		const char *text = p->strings[p->comments[i]];

		ours |= !strncmp(text, PROFILE_KEY_VERSION "=", strlen(PROFILE_KEY_VERSION "="));
		marked |= !strncmp(text, mark, strlen(mark));
	}
	if (!ours)
		return true;
	if (!marked)
		return protobuf_bad(&r->report, all.end, "it is cut short here");
	if (!text_begins(r->last_string, mark) || r->last_start != r->last_string.end)
		return true;
	len = (size_t)(r->last_string_start - all.at);
	sum = profile_sum_end(profile_sum_add(0, all.at, len), len);
	profile_sum_hex(sum, hex);
	r->last_string.at += strlen(mark);
	if (r->last_string.end - r->last_string.at != PROFILE_SUM_HEX ||
	    memcmp(r->last_string.at, hex, PROFILE_SUM_HEX) != 0)
		return protobuf_bad(
			&r->report, r->last_string_start,
			"the check sum differs: something before this has been changed");
	return true;
}

static bool take_memory(struct reader *r)
{
	struct profile_in *p = r->out;
	const size_t *n = r->counts;

	p->sample_types = arena_take(r, n[FIELD_SAMPLE_TYPE], sizeof(*p->sample_types));
	p->comments = arena_take(r, n[FIELD_COMMENT], sizeof(*p->comments));
	p->strings = arena_take(r, n[FIELD_STRING], sizeof(*p->strings));
	p->string_lens = arena_take(r, n[FIELD_STRING], sizeof(*p->string_lens));
	r->texts = arena_take(r, r->text_bytes, 1);
	if (!p->sample_types || !p->comments || !p->strings || !p->string_lens || !r->texts)
		return false;
	if (r->facts_only)
		return true;
	p->samples = arena_take(r, n[FIELD_SAMPLE], sizeof(*p->samples));
	p->mappings = arena_take(r, n[FIELD_MAPPING], sizeof(*p->mappings));
	p->locations = arena_take(r, n[FIELD_LOCATION], sizeof(*p->locations));
	p->functions = arena_take(r, n[FIELD_FUNCTION], sizeof(*p->functions));
	return p->samples && p->mappings && p->locations && p->functions;
}

static bool read_all(struct reader *r, struct protobuf_cursor all)
{
	struct protobuf_cursor c = all;
	struct protobuf_field f;

	if (all.at == all.end)
		return protobuf_bad(&r->report, all.at, "the file is empty");
	if (!count_top_level(r, all))
		return false;
	if (!r->counts[FIELD_STRING])
		return protobuf_bad(&r->report, all.end,
				    "it has no texts: not a profile, or cut short");
	if (!take_memory(r))
		return false;
	while (c.at < c.end) {
		if (!protobuf_field(&r->report, &c, &f))
			return false;
		if (!take_top_level(r, &f))
			return false;
	}
	return check_whole(r, all) && (r->facts_only || check_ids(r));
}

int profile_read(const void *bytes, size_t len, unsigned what, struct profile_in **out,
		 struct profile_error *error)
{
	static const uint8_t nothing[1];
	struct reader r = {
		.report = { len ? bytes : nothing, error },
		.out = calloc(1, sizeof(*r.out)),
		.facts_only = what == PROFILE_READ_FACTS,
	};

	*out = NULL;
	error->offset = 0;
	if (!r.out) {
		error->reason = "not enough memory to read it";
		return -1;
	}
	if (!read_all(&r, (struct protobuf_cursor){ r.report.start, r.report.start + len })) {
		profile_free(r.out);
		return -1;
	}
	*out = r.out;
	return 0;
}
