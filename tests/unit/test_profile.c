/* The profile file: what is written is read back, and nothing else is believed. */
#include "tests/unit/tap.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/profile.h"
#include "format/profile_sum.h"

struct memory {
	uint8_t bytes[1 << 20];
	size_t len;
	size_t limit; /* 0: none; else the sink fails there */
};

static struct memory file;
static uint64_t tables[PROFILE_MEMORY_GOOD / 8];

static int to_memory(void *arg, const void *bytes, size_t len)
{
	struct memory *m = arg;

	if (m->limit && m->len + len > m->limit)
		return -ENOSPC;
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
	return 0;
}

static struct profile_text text(const char *s)
{
	return (struct profile_text){ s, strlen(s) };
}

static void comment(struct profile_writer *w, const char *key, const char *value)
{
	profile_write_comment(w, key, value, strlen(value));
}

/* A request with one mapping, two Python functions and three samples. */
static int write_request(struct memory *to, void *memory, size_t memory_len)
{
	static struct profile_writer w;
	uint32_t map, view, loop, stack[3], at, ns, thread;

	to->len = 0;
	if (profile_write_begin(&w, to_memory, to, memory, memory_len))
		return w.error;
	profile_write_comment_number(&w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	comment(&w, PROFILE_KEY_METHOD, "GET");
	comment(&w, PROFILE_KEY_PATH, "/a b%\n\x1b\xff/caf\xc3\xa9");
	profile_write_comment_number(&w, PROFILE_KEY_REST_NS, INT64_MIN);
	profile_write_times(&w, 1795446911000000000, 36000000, 1003009);
	map = profile_write_mapping(&w, 0x7f0000001000, 0x7f0000002000, 0x1000,
				    text("/usr/bin/python3.11"), (const uint8_t *)"\xab\xcd\x01",
				    3);
	view = profile_write_function(&w, text("App.view"), text("view"), text("/app.py"), 10);
	loop = profile_write_function(&w, text("<lambda>"), text("<lambda>"), text("/app.py"), 20);
	at = profile_write_string(&w, PROFILE_LABEL_AT, strlen(PROFILE_LABEL_AT));
	ns = profile_write_string(&w, "nanoseconds", 11);
	thread = profile_write_string(&w, PROFILE_LABEL_THREAD, strlen(PROFILE_LABEL_THREAD));
	for (int i = 0; i < 3; i++) {
		struct profile_label labels[] = { { at, 0, 1000 * i, ns }, { thread, 0, 8368, 0 } };
		int64_t values[] = { 1, 1003009, 0, 12000000 };

		stack[0] = profile_write_line_location(&w, loop, 21 + i);
		stack[1] = profile_write_line_location(&w, view, 12);
		stack[2] = profile_write_native_location(&w, map, 0x7f0000001234);
		profile_write_sample(&w, stack, 3, values, labels, 2);
	}
	return profile_write_end(&w);
}

static struct profile_in *read_back(const struct memory *from)
{
	struct profile_error error = { 0, NULL };
	struct profile_in *p;

	if (profile_read(from->bytes, from->len, PROFILE_READ_ALL, &p, &error))
		printf("# at %zu: %s\n", error.offset, error.reason);
	return p;
}

static void what_is_written_is_read_back(void)
{
	struct profile_in *p;
	char fact[64];

	CHECK_INT(write_request(&file, tables, sizeof(tables)), 0);
	p = read_back(&file);
	CHECK(p != NULL);
	if (!p)
		return;
	CHECK_INT(p->n_sample_types, 4);
	CHECK_STR(p->strings[p->sample_types[PROFILE_SAMPLES].type], "samples");
	CHECK_STR(p->strings[p->sample_types[PROFILE_WALL].type], "wall");
	CHECK_STR(p->strings[p->sample_types[PROFILE_WALL].unit], "nanoseconds");
	CHECK_STR(p->strings[p->default_sample_type], "wall");
	CHECK_STR(p->strings[p->period_type.type], "cpu");
	CHECK_INT(p->time_ns, 1795446911000000000);
	CHECK_INT(p->duration_ns, 36000000);
	CHECK_INT(p->period_ns, 1003009);
	CHECK_INT(p->n_mappings, 1);
	CHECK_INT(p->mappings[0].file_offset, 0x1000);
	CHECK_STR(p->strings[p->mappings[0].build_id], "abcd01");
	CHECK_STR(p->strings[p->mappings[0].filename], "/usr/bin/python3.11");
	CHECK_INT(p->n_functions, 2);
	CHECK_INT(p->n_locations, 5);
	CHECK_INT(p->n_samples, 3);
	CHECK_STR(p->strings[profile_function(p, 1)->name], "App.view");
	CHECK_INT(profile_function(p, 1)->system_name, 0); /* the name tells it */
	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_sample_in *s = &p->samples[i];
		const struct profile_location_in *leaf = profile_location(p, s->locations[0]);
		const struct profile_function_in *f;

		CHECK_INT(s->n_locations, 3);
		CHECK_INT(leaf->lines[0].line, 21 + (int)i);
		f = profile_function(p, leaf->lines[0].function_id);
		CHECK_STR(p->strings[f->name], "<lambda>");
		CHECK_INT(f->system_name, 0);
		CHECK_INT(f->start_line, 20);
		leaf = profile_location(p, s->locations[2]);
		CHECK_INT(leaf->address, 0x7f0000001234);
		CHECK_INT(leaf->mapping_id, p->mappings[0].id);
		CHECK_INT(s->values[PROFILE_CPU], 1003009);
		CHECK_INT(s->n_labels, 2);
		CHECK_STR(p->strings[s->labels[0].key], "at");
		CHECK_INT(s->labels[0].num, 1000 * (int)i);
		CHECK_STR(p->strings[s->labels[0].unit], "nanoseconds");
	}
	CHECK_INT(profile_fact(p, PROFILE_KEY_METHOD, fact, sizeof(fact)), 3);
	CHECK_STR(fact, "GET");
	profile_fact(p, PROFILE_KEY_PATH, fact, sizeof(fact));
	CHECK_STR(fact, "/a b%\n\x1b\xff/caf\xc3\xa9");
	profile_fact(p, PROFILE_KEY_REST_NS, fact, sizeof(fact));
	CHECK_STR(fact, "-9223372036854775808");
	CHECK_INT(profile_fact(p, PROFILE_KEY_STATUS, fact, sizeof(fact)), -1);
	CHECK_INT(profile_fact(p, PROFILE_KEY_METHOD, fact, 2), 3);
	CHECK_STR(fact, "G");
	CHECK_STR(p->strings[p->comments[0]], PROFILE_KEY_VERSION "=1");
	profile_free(p);
}

static void facts_alone_are_the_same(void)
{
	struct profile_error error;
	struct profile_in *p;
	char fact[64];

	write_request(&file, tables, sizeof(tables));
	CHECK_INT(profile_read(file.bytes, file.len, PROFILE_READ_FACTS, &p, &error), 0);
	if (!p)
		return;
	profile_fact(p, PROFILE_KEY_PATH, fact, sizeof(fact));
	CHECK_STR(fact, "/a b%\n\x1b\xff/caf\xc3\xa9");
	CHECK_INT(p->duration_ns, 36000000);
	CHECK_INT(p->n_samples, 0);
	profile_free(p);
}

static void comments_are_whole_utf8_on_disk(void)
{
	struct profile_in *p;
	bool found = false;

	write_request(&file, tables, sizeof(tables));
	p = read_back(&file);
	for (size_t i = 0; p && i < p->n_comments; i++)
		found |= !strcmp(p->strings[p->comments[i]],
				 "url.path=/a%20b%25%0A%1B%FF/caf\xc3\xa9");
	CHECK(found);
	profile_free(p);
}

/* Copies the bytes to the end of a page that is followed by one that cannot be read. */
static uint8_t *at_the_edge(const void *bytes, size_t len)
{
	static uint8_t *map;
	static const size_t size = 1 << 20;

	if (!map) {
		map = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);
		mprotect(map + size, 4096, PROT_NONE);
	}
	memcpy(map + size - len, bytes, len);
	return map + size - len;
}

/* "k=" and the value as profile.h tells it, byte by byte. */
static void expected_comment(char *to, const char *value, size_t len)
{
	to += sprintf(to, "k=");
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)value[i];
		bool plain = byte > 0x20 && byte < 0x7f && byte != '%';

		to += sprintf(to, plain ? "%c" : "%%%02X", byte);
	}
	*to = '\0';
}

/* Any byte at each place of values of any length; none beyond a value's end is looked at. */
static void each_byte_of_a_comment_is_looked_at(void)
{
	static const char bytes[] = { ' ', 0x1f, '!',  '$',	   '%',
				      '&', '~',	 0x7f, (char)0x80, (char)0xff };
	enum { LEN_MAX = 40, CASES = LEN_MAX * (LEN_MAX + 1) / 2 * sizeof(bytes) + 1 };
	static char expected[CASES][LEN_MAX + 6];
	static struct profile_writer w;
	struct profile_in *p;
	size_t n = 0, wrong = 0;

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	comment(&w, "k", "");
	expected_comment(expected[n++], "", 0);
	for (size_t len = 1; len <= LEN_MAX; len++) {
		for (size_t i = 0; i < len * sizeof(bytes); i++) {
			char value[LEN_MAX];

			memset(value, 'x', len);
			value[i / sizeof(bytes)] = bytes[i % sizeof(bytes)];
			profile_write_comment(&w, "k", (char *)at_the_edge(value, len), len);
			expected_comment(expected[n++], value, len);
		}
	}
	CHECK_INT(profile_write_end(&w), 0);
	p = read_back(&file);
	CHECK_INT(n, CASES);
	CHECK(p && p->n_comments == n + 1); /* and the sum */
	for (size_t i = 0; p && i < n; i++)
		wrong += strcmp(p->strings[p->comments[i]], expected[i]) != 0;
	CHECK_INT(wrong, 0);
	profile_free(p);
}

/* Texts that differ in one byte are different strings, at every length. */
static void strings_that_differ_little_are_told_apart(void)
{
	static struct profile_writer w;
	uint32_t last = 0;

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	for (size_t len = 1; len <= 40; len++) {
		for (size_t i = 0; i < len; i++) {
			char value[40];
			uint32_t id;

			memset(value, 'x', len);
			value[i] = 'y';
			id = profile_write_string(&w, (char *)at_the_edge(value, len), len);
			CHECK(id > last);
			CHECK_INT(profile_write_string(&w, (char *)at_the_edge(value, len), len),
				  id);
			last = id;
		}
	}
	CHECK_INT(profile_write_end(&w), 0);
}

static void every_cut_is_found(void)
{
	struct profile_error error;
	struct profile_in *p;

	write_request(&file, tables, sizeof(tables));
	for (unsigned what = PROFILE_READ_ALL; what <= PROFILE_READ_FACTS; what++) {
		size_t accepted = 0;

		for (size_t len = 0; len < file.len; len++) {
			error.reason = NULL;
			if (!profile_read(at_the_edge(file.bytes, len), len, what, &p, &error)) {
				/* until the version has been read it may be another's profile */
				accepted++;
				CHECK(len < 130);
				CHECK_INT(profile_fact(p, PROFILE_KEY_VERSION, NULL, 0), -1);
				profile_free(p);
				continue;
			}
			CHECK(p == NULL);
			CHECK(error.reason != NULL);
			CHECK(error.offset <= len);
		}
		CHECK(accepted < 20);
	}
}

static void every_flipped_bit_is_found(void)
{
	struct profile_error error;
	struct profile_in *p;
	size_t missed = 0;

	write_request(&file, tables, sizeof(tables));
	for (size_t bit = 0; bit < 8 * file.len; bit++) {
		file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (!profile_read(at_the_edge(file.bytes, file.len), file.len, PROFILE_READ_ALL, &p,
				  &error)) {
			/*
			 * a file whose version cannot be read any more is not ours: refused one
			 * level up
			 */
			if (profile_fact(p, PROFILE_KEY_VERSION, NULL, 0) >= 0) {
				missed++;
				printf("# bit %zu\n", bit);
			}
			profile_free(p);
		}
		file.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	CHECK_INT(missed, 0);
}

static void any_byte_anywhere_is_survived(void)
{
	struct profile_error error;
	struct profile_in *p;
	uint32_t random = 1;

	write_request(&file, tables, sizeof(tables));
	for (int round = 0; round < 20000; round++) {
		uint8_t saved[4];
		size_t at[4];

		for (int i = 0; i < 4; i++) {
			random = random * 1664525 + 1013904223;
			at[i] = (random >> 8) % file.len;
			saved[i] = file.bytes[at[i]];
			file.bytes[at[i]] = (uint8_t)(random >> 3);
		}
		if (!profile_read(at_the_edge(file.bytes, file.len), file.len, PROFILE_READ_ALL, &p,
				  &error))
			profile_free(p);
		for (int i = 3; i >= 0; i--)
			file.bytes[at[i]] = saved[i];
	}
	p = read_back(&file);
	CHECK(p != NULL);
	profile_free(p);
}

static void an_error_names_its_byte(void)
{
	struct profile_error error;
	struct profile_in *p;
	/* a text, then a field that says it has 100 bytes */
	const uint8_t bytes[] = { 6 << 3 | 2, 0, 2 << 3 | 2, 100, 0 };

	CHECK_INT(profile_read(bytes, sizeof(bytes), PROFILE_READ_ALL, &p, &error), -1);
	CHECK_INT(error.offset, 2);
	CHECK_INT(profile_read("", 0, PROFILE_READ_ALL, &p, &error), -1);
	CHECK_INT(error.offset, 0);
}

static void a_file_written_again_elsewhere_is_read(void)
{
	/* The mark is there but not last, as after `go tool pprof -proto`. */
	const char bytes[] = "\x32\x00"
			     "\x32\x11reqprof.version=1"
			     "\x32\x0ereqprof.whole="
			     "\x68\x01\x68\x02\x50\x07";
	struct profile_error error;
	struct profile_in *p;
	char fact[8];

	CHECK_INT(profile_read(bytes, sizeof(bytes) - 1, PROFILE_READ_ALL, &p, &error), 0);
	if (!p)
		return;
	CHECK_INT(profile_fact(p, PROFILE_KEY_VERSION, fact, sizeof(fact)), 1);
	CHECK_INT(p->duration_ns, 7);
	profile_free(p);
}

static void equal_things_are_written_once(void)
{
	static struct profile_writer w;
	uint32_t a, b, f;

	file.len = 0;
	CHECK_INT(profile_write_begin(&w, to_memory, &file, tables, sizeof(tables)), 0);
	a = profile_write_string(&w, "same", 4);
	b = profile_write_string(&w, "sameness", 4);
	CHECK_INT(a, b);
	CHECK(a != profile_write_string(&w, "sameness", 8));
	CHECK_INT(profile_write_string(&w, "", 0), 0);
	f = profile_write_function(&w, text("f"), text("f"), text("x.py"), 1);
	CHECK_INT(profile_write_function(&w, text("f"), text("f"), text("x.py"), 1), f);
	CHECK(profile_write_function(&w, text("f"), text("f"), text("x.py"), 2) != f);
	a = profile_write_line_location(&w, f, 3);
	CHECK_INT(profile_write_line_location(&w, f, 3), a);
	CHECK(profile_write_line_location(&w, f, 4) != a);
	CHECK_INT(profile_write_end(&w), 0);
}

/* 4,000 functions in the smallest memory: larger, and equally right. */
static void little_memory_loses_nothing(void)
{
	static struct profile_writer w;
	const int64_t values[PROFILE_VALUES] = { 1, 1, 0, 1 };
	struct profile_in *p;
	size_t wrong = 0;

	file.len = 0;
	CHECK_INT(profile_write_begin(&w, to_memory, &file, tables, PROFILE_MEMORY_MIN), 0);
	for (int i = 0; i < 4000; i++) {
		char name[40];
		uint32_t function, location;

		snprintf(name, sizeof(name), "a.rather.long.function.name.%d", i);
		function = profile_write_function(&w, text(name), text(name), text("/x.py"), i + 1);
		location = profile_write_line_location(&w, function, i);
		profile_write_sample(&w, &location, 1, values, NULL, 0);
	}
	profile_write_comment_number(&w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	CHECK_INT(profile_write_end(&w), 0);
	p = read_back(&file);
	CHECK(p != NULL);
	if (!p)
		return;
	CHECK_INT(p->n_samples, 4000);
	for (size_t i = 0; i < p->n_samples; i++) {
		const struct profile_location_in *l =
			profile_location(p, p->samples[i].locations[0]);
		const struct profile_function_in *f = profile_function(p, l->lines[0].function_id);

		wrong += f->start_line != (int64_t)i + 1 || l->lines[0].line != (int64_t)i ||
			 strcmp(p->strings[f->filename], "/x.py") != 0;
	}
	CHECK_INT(wrong, 0);
	profile_free(p);
}

static void too_little_memory_is_refused(void)
{
	CHECK_INT(write_request(&file, tables, PROFILE_MEMORY_MIN - 8), -ENOBUFS);
	CHECK_INT(write_request(&file, NULL, PROFILE_MEMORY_MIN), -ENOBUFS);
}

static void a_full_disk_is_told(void)
{
	static struct memory small;

	small.limit = 100;
	CHECK_INT(write_request(&small, tables, sizeof(tables)), -ENOSPC);
}

static void bytes_that_are_not_utf8_are_replaced(void)
{
	static struct profile_writer w;
	struct profile_in *p;
	uint32_t id;

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	id = profile_write_string(&w, "a\xff\xed\xa0\x80z\xc3", 7);
	CHECK(id != 0);
	CHECK_INT(profile_write_end(&w), 0);
	p = read_back(&file);
	CHECK(p != NULL);
	if (!p)
		return;
	CHECK_STR(p->strings[id], "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbd");
	profile_free(p);
}

static void wrong_arguments_fail_the_file(void)
{
	static struct profile_writer w;
	const int64_t values[PROFILE_VALUES] = { 0 };
	uint32_t zero = 0;

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	CHECK_INT(profile_write_sample(&w, &zero, 1, values, NULL, 0), -EINVAL);
	CHECK_INT(profile_write_end(&w), -EINVAL);
}

static void a_code_name_is_written_unless_the_name_tells_it(void)
{
	static const struct {
		const char *name, *code;
		bool written;
	} rows[] = {
		{ "App.view", "view", false },
		{ "f.<locals>.<lambda>", "<lambda>", false },
		{ "<lambda>", "<lambda>", false },
		{ "App.view", "wrapper", true },
		{ "App.preview", "view", true },
		{ "App.a.b", "a.b", true },
		{ "view", "App.view", true },
	};
	const struct profile_text path = { "x.py", 4 };
	static struct profile_writer w;
	struct profile_error error;
	struct profile_in *p;

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct profile_text name = { rows[i].name, strlen(rows[i].name) };
		const struct profile_text code = { rows[i].code, strlen(rows[i].code) };

		CHECK_INT(profile_write_function(&w, name, code, path, 7), i + 1);
	}
	CHECK_INT(profile_write_end(&w), 0);
	CHECK_INT(profile_read(file.bytes, file.len, PROFILE_READ_ALL, &p, &error), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct profile_function_in *f = profile_function(p, i + 1);

		CHECK_INT(f->system_name != 0, rows[i].written);
		CHECK_STR(f->system_name ? p->strings[f->system_name] :
					   profile_code_name(p->strings[f->name]),
			  rows[i].code);
	}
	profile_free(p);
}

static void generated_code_has_an_address_and_no_mapping(void)
{
	static struct profile_writer w;
	const int64_t values[PROFILE_VALUES] = { 1, 1, 0, 1 };
	const struct profile_text name = { "f", 1 }, none = { "", 0 };
	struct profile_error error;
	struct profile_in *p;
	uint32_t at[2];

	file.len = 0;
	profile_write_begin(&w, to_memory, &file, tables, sizeof(tables));
	/* The same 64 bits as the line's location, and no mapping either: still another location. */
	at[0] = profile_write_line_location(
		&w, profile_write_function(&w, name, none, none, 0), 7);
	at[1] = profile_write_native_location(&w, 0, UINT64_C(1) << 32 | 7);
	CHECK(at[0] && at[1] && at[0] != at[1]);
	CHECK_INT(profile_write_sample(&w, at, 2, values, NULL, 0), 0);
	CHECK_INT(profile_write_end(&w), 0);
	CHECK_INT(profile_read(file.bytes, file.len, PROFILE_READ_ALL, &p, &error), 0);
	CHECK_INT(p->locations[1].address, UINT64_C(1) << 32 | 7);
	CHECK_INT(p->locations[1].mapping_id, 0);
	CHECK_INT(p->locations[1].n_lines, 0);
	profile_free(p);
}

static void the_sum_is_what_other_writers_compute(void)
{
	char hex[PROFILE_SUM_HEX + 1] = "";

	/* also in tests/data/make_profile.py */
	profile_sum_hex(
		profile_sum_end(profile_sum_add(0, (const uint8_t *)"reqprof, 19 bytes..", 19), 19),
		hex);
	CHECK_STR(hex, "531fd707dd97074d");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(what_is_written_is_read_back),
		TAP_TEST(facts_alone_are_the_same),
		TAP_TEST(comments_are_whole_utf8_on_disk),
		TAP_TEST(each_byte_of_a_comment_is_looked_at),
		TAP_TEST(strings_that_differ_little_are_told_apart),
		TAP_TEST(every_cut_is_found),
		TAP_TEST(every_flipped_bit_is_found),
		TAP_TEST(any_byte_anywhere_is_survived),
		TAP_TEST(an_error_names_its_byte),
		TAP_TEST(a_file_written_again_elsewhere_is_read),
		TAP_TEST(equal_things_are_written_once),
		TAP_TEST(little_memory_loses_nothing),
		TAP_TEST(too_little_memory_is_refused),
		TAP_TEST(a_full_disk_is_told),
		TAP_TEST(bytes_that_are_not_utf8_are_replaced),
		TAP_TEST(wrong_arguments_fail_the_file),
		TAP_TEST(a_code_name_is_written_unless_the_name_tells_it),
		TAP_TEST(generated_code_has_an_address_and_no_mapping),
		TAP_TEST(the_sum_is_what_other_writers_compute),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
