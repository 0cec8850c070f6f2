/* The table of code objects, fed with objects laid out as CPython 3.11 has them. */
#include "preload/sigsafe/codes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/sigsafe/cpython/layout.h"
#include "tests/unit/tap.h"

enum { MANY_REFERENCES = 100, LATIN = 1, WIDE = 2, ASTRAL = 4 };

static const struct cpython_layout *layout;
static _Alignas(16) char pool[8 << 20]; /* of the interpreter that the objects belong to */
static size_t pool_used;

static void *make(size_t len)
{
	char *object = pool + pool_used;

	pool_used += (len + 15) / 16 * 16;
	if (pool_used > sizeof(pool))
		abort();
	return object;
}

static void put_word(void *object, size_t offset, uintptr_t word)
{
	memcpy((char *)object + offset, &word, sizeof(word));
}

static void put_int(void *object, size_t offset, int32_t number)
{
	memcpy((char *)object + offset, &number, sizeof(number));
}

/* A compact string of count characters of width bytes (ASCII when width is 0). */
static void *text_make(const void *characters, size_t count, int width)
{
	size_t bytes = count * (size_t)(width ? width : 1);
	size_t data = width ? layout->text.compact : layout->text.ascii;
	char *object = make(data + bytes + 4);

	put_word(object, 0, MANY_REFERENCES);
	put_word(object, layout->text.length, count);
	put_int(object, layout->text.state,
		(width ? width : 1) << TEXT_KIND_SHIFT | TEXT_COMPACT | (width ? 0 : TEXT_ASCII));
	memcpy(object + data, characters, bytes);
	return object;
}

static void *ascii(const char *text)
{
	return text_make(text, strlen(text), 0);
}

static void *bytes_make(const void *bytes, size_t len)
{
	char *object = make(layout->bytes.data + len + 1);

	put_word(object, layout->bytes.length, len);
	memcpy(object + layout->bytes.data, bytes, len);
	return object;
}

static void code_set(void *code, void *filename, void *name, void *qualname, int first_line,
		     void *lines)
{
	put_word(code, layout->code.filename, (uintptr_t)filename);
	put_word(code, layout->code.name, (uintptr_t)name);
	put_word(code, layout->code.qualname, (uintptr_t)qualname);
	put_int(code, layout->code.first_line, first_line);
	put_word(code, layout->code.line_table, (uintptr_t)lines);
}

static void *code_make(void *filename, void *name, void *qualname, int first_line, void *lines)
{
	void *code = make(layout->code.instructions);

	code_set(code, filename, name, qualname, first_line, lines);
	return code;
}

static uint32_t intern(const void *code)
{
	return codes_intern(layout, (uintptr_t)code);
}

static struct code *interned(const void *code)
{
	return codes_get(intern(code));
}

static void *some_lines(void)
{
	static const uint8_t table[] = { 0x80 | 11 << 3, 0, 0, 0x80 | 11 << 3, 0, 0 };

	return bytes_make(table, sizeof(table));
}

static void nothing_is_known_before_prepare(void)
{
	void *code = code_make(ascii("f.py"), ascii("f"), ascii("f"), 1, some_lines());

	CHECK_INT(intern(code), 0);
	CHECK(codes_get(0) == NULL && codes_get(1) == NULL);
	CHECK_INT(codes_count(), 0);
	CHECK_INT(codes_prepare(), 0);
	CHECK_INT(codes_prepare(), 0);
	CHECK_INT(intern(code), 1);
	CHECK_INT(codes_count(), 1);
	CHECK(codes_get(2) == NULL && codes_get(0) == NULL && codes_get(UINT32_MAX) == NULL);
}

static void a_code_object_has_one_id_and_its_texts(void)
{
	void *code = code_make(ascii("/a/b.py"), ascii("method"), ascii("Class.method"), 12,
			       some_lines());
	uint32_t id = intern(code);
	struct code *found = codes_get(id);

	CHECK(id != 0);
	CHECK_INT(intern(code), id);
	CHECK_STR(found->filename.bytes, "/a/b.py");
	CHECK_INT(found->filename.len, 7);
	CHECK_STR(found->name.bytes, "method");
	CHECK_STR(found->qualname.bytes, "Class.method");
	CHECK_INT(found->first_line, 12);
	CHECK_INT(codes_line(found, 0), 13);
	CHECK_INT(codes_line(found, 2), 14);
	CHECK_INT(codes_line(found, 4), 12);
	CHECK_INT(codes_line(found, -2), 12);
	/* Remembered, and forgotten for another in its place. */
	CHECK_INT(codes_line(found, 0), 13);
	CHECK_INT(codes_line(found, 8), 12);
	CHECK_INT(codes_line(found, 0), 13);
}

static void what_the_object_had_is_copied(void)
{
	char *name = ascii("before");
	void *code = code_make(ascii("copied.py"), name, name, 1, some_lines());
	struct code *found = interned(code);

	memset(name, 0xff, layout->text.ascii + 6);
	memset(code, 0xff, layout->code.instructions);
	CHECK_STR(found->name.bytes, "before");
	CHECK(found->qualname.bytes == found->name.bytes);
}

static void an_address_taken_by_other_code_gets_another_id(void)
{
	void *filename = ascii("reused.py"), *name = ascii("f"), *lines = some_lines();
	void *code = code_make(filename, name, name, 1, lines);
	uint32_t ids[6] = { intern(code) };

	code_set(code, filename, name, name, 2, lines);
	ids[1] = intern(code);
	code_set(code, filename, ascii("g"), name, 1, lines);
	ids[2] = intern(code);
	code_set(code, filename, name, ascii("C.f"), 1, lines);
	ids[3] = intern(code);
	code_set(code, ascii("reused.py"), name, name, 1, lines);
	ids[4] = intern(code);
	code_set(code, filename, name, name, 1, some_lines());
	ids[5] = intern(code);
	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(ids[i] != ids[j]);
	code_set(code, filename, name, name, 1, lines);
	CHECK_INT(intern(code), ids[0]);
	CHECK_STR(codes_get(ids[2])->name.bytes, "g");
	CHECK_STR(codes_get(ids[3])->qualname.bytes, "C.f");
}

/* Code made by a program again and again: all its objects take the places of the last ones'. */
static void made_code_is_told_apart_by_content(void)
{
	static const char *const names[] = { "f10", "f11", "f12", "a_name_that_is_rather_long_1",
					     "a_name_that_is_rather_long_2" };
	char *filename = ascii("<made>");

	put_word(filename, 0, 2);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		static char *name;
		static void *code;

		if (!name) {
			name = make(256);
			code = code_make(filename, name, name, 1, some_lines());
		}
		put_word(name, layout->text.length, strlen(names[i]));
		put_int(name, layout->text.state, 1 << TEXT_KIND_SHIFT | TEXT_COMPACT | TEXT_ASCII);
		memcpy(name + layout->text.ascii, names[i], strlen(names[i]) + 1);
		CHECK_STR(interned(code)->name.bytes, names[i]);
		CHECK_STR(interned(code)->filename.bytes, "<made>");
	}
}

static void the_file_name_of_a_file_is_kept_once(void)
{
	void *filename = ascii("/one/file.py"), *name = ascii("f");
	struct code *a = interned(code_make(filename, name, name, 1, some_lines()));
	struct code *b = interned(code_make(filename, name, name, 9, some_lines()));
	struct code *c =
		interned(code_make(ascii("/one/file.py"), name, name, 9, some_lines()));

	CHECK(a != b && a->filename.bytes == b->filename.bytes);
	CHECK_STR(b->filename.bytes, "/one/file.py");
	CHECK_STR(c->filename.bytes, "/one/file.py");
}

static const char *named(const void *characters, size_t count, int width)
{
	void *name = text_make(characters, count, width);

	return interned(code_make(ascii("names.py"), name, name, 1, some_lines()))->name.bytes;
}

static void names_become_utf8(void)
{
	static const uint8_t latin[] = { 'a', 0xe9, 0xff };
	static const uint16_t wide[] = { 0x4e2d, 'x', 0x20ac, 0x7ff };
	static const uint32_t astral[] = { 0x1f600, 'y', 0x10ffff };
	static const uint16_t lone[] = { 'a', 0xdc80, 'b', 0xd800 };
	static const uint32_t beyond[] = { 0x110000, 0xffffffff };

	CHECK_STR(named(latin, 3, LATIN), "a\xc3\xa9\xc3\xbf");
	CHECK_STR(named(wide, 4, WIDE), "\xe4\xb8\xadx\xe2\x82\xac\xdf\xbf");
	CHECK_STR(named(astral, 3, ASTRAL), "\xf0\x9f\x98\x80y\xf4\x8f\xbf\xbf");
	CHECK_STR(named(lone, 4, WIDE), "a\xef\xbf\xbd"
					"b\xef\xbf\xbd");
	CHECK_STR(named(beyond, 2, ASTRAL), "\xef\xbf\xbd\xef\xbf\xbd");
	CHECK_STR(named("", 0, 0), "");
}

static void a_string_elsewhere_is_followed(void)
{
	static const char characters[] = "elsewhere";
	char *name = make(128);

	put_word(name, layout->text.length, 9);
	put_int(name, layout->text.state, 1 << TEXT_KIND_SHIFT);
	put_word(name, layout->text.pointer, (uintptr_t)characters);
	CHECK_STR(interned(code_make(ascii("n.py"), name, name, 3, some_lines()))->name.bytes,
		  "elsewhere");
}

static void absurd_lengths_are_cut_at_a_character(void)
{
	static uint16_t wide[3000];
	static char text[5000], zeros[300000];
	void *filename, *name, *lines = bytes_make(zeros, sizeof(zeros));
	struct code *found;

	for (size_t i = 0; i < 3000; i++)
		wide[i] = 0x4e2d;
	memset(text, 'x', sizeof(text) - 1);
	filename = ascii(text);
	name = text_make(wide, 3000, WIDE);
	found = interned(code_make(filename, name, filename, 77, lines));
	CHECK_INT(found->filename.len, 1024);
	CHECK_INT(strlen(found->filename.bytes), 1024);
	CHECK_INT(found->name.len, 510);
	CHECK_INT(found->qualname.len, 512);
	CHECK_INT(found->line_table_len, 0);
	CHECK_INT(codes_line(found, 20), 77);
}

static void unreadable_parts_are_left_out(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *long_text = ascii("short");
	void *code = code_make(ascii("readable.py"), page, (void *)8, 5, page + 64);
	struct code *found = interned(code);

	CHECK_STR(found->filename.bytes, "readable.py");
	CHECK_STR(found->name.bytes, "");
	CHECK_STR(found->qualname.bytes, "");
	CHECK_INT(codes_line(found, 4), 5);
	put_word(long_text, layout->text.length, UINTPTR_MAX / 2);
	put_int(long_text, layout->text.state, 7 << TEXT_KIND_SHIFT | TEXT_COMPACT);
	found = interned(code_make(ascii("readable.py"), long_text, long_text, 5, some_lines()));
	CHECK_STR(found->name.bytes, "");
	munmap(page, 4096);
}

enum { THREADS = 4, SHARED_CODES = 3000 };

static void *shared_codes[SHARED_CODES];
static uint32_t shared_ids[THREADS][SHARED_CODES];
static atomic_int ready;

static void *add_all(void *argument)
{
	uint32_t *ids = argument;

	ready++;
	while (ready < THREADS)
		;
	for (size_t i = 0; i < SHARED_CODES; i++)
		ids[i] = intern(shared_codes[i]);
	return NULL;
}

static void threads_may_add_the_same_code_at_once(void)
{
	pthread_t threads[THREADS];
	void *filename = ascii("threads.py");

	for (size_t i = 0; i < SHARED_CODES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%zu", i);
		shared_codes[i] =
			code_make(filename, ascii(name), ascii(name), (int)i, some_lines());
	}
	for (size_t t = 0; t < THREADS; t++)
		pthread_create(&threads[t], NULL, add_all, shared_ids[t]);
	for (size_t t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	for (size_t i = 0; i < SHARED_CODES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "f%zu", i);
		for (size_t t = 0; t < THREADS; t++) {
			struct code *found = codes_get(shared_ids[t][i]);

			CHECK(found && strcmp(found->name.bytes, name) == 0 &&
			      found->first_line == (int)i &&
			      strcmp(found->filename.bytes, "threads.py") == 0);
			CHECK_INT(shared_ids[t][i], shared_ids[0][i]);
		}
	}
	CHECK_INT(codes_full(), 0);
}

static void a_forked_child_has_the_same_ids(void)
{
	uint32_t id = intern(shared_codes[7]);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(intern(shared_codes[7]) == id && strcmp(codes_get(id)->name.bytes, "f7") == 0
			      ? 0
			      : 1);
	waitpid(pid, &status, 0);
	CHECK_INT(status, 0);
}

static void a_full_table_says_so_and_keeps_what_it_has(void)
{
	uint32_t before = intern(shared_codes[9]), count;
	void *code = code_make(ascii("full.py"), ascii("f"), ascii("f"), 0, some_lines());
	uint32_t given = 0;

	for (int line = 0; line < 70000; line++) {
		put_int(code, layout->code.first_line, line);
		given += intern(code) != 0;
	}
	count = codes_count();
	CHECK(given > 30000 && given < 70000);
	CHECK_INT(codes_full(), 70000 - given);
	CHECK_INT(intern(shared_codes[9]), before);
	CHECK_INT(codes_count(), count);
	CHECK(codes_get(count) != NULL && codes_get(count + 1) == NULL);
	put_int(code, layout->code.first_line, 5);
	CHECK_INT(codes_get(intern(code))->first_line, 5);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(nothing_is_known_before_prepare),
		TAP_TEST(a_code_object_has_one_id_and_its_texts),
		TAP_TEST(what_the_object_had_is_copied),
		TAP_TEST(an_address_taken_by_other_code_gets_another_id),
		TAP_TEST(made_code_is_told_apart_by_content),
		TAP_TEST(the_file_name_of_a_file_is_kept_once),
		TAP_TEST(names_become_utf8),
		TAP_TEST(a_string_elsewhere_is_followed),
		TAP_TEST(absurd_lengths_are_cut_at_a_character),
		TAP_TEST(unreadable_parts_are_left_out),
		TAP_TEST(threads_may_add_the_same_code_at_once),
		TAP_TEST(a_forked_child_has_the_same_ids),
		TAP_TEST(a_full_table_says_so_and_keeps_what_it_has),
	};

	layout = layout_find(3, 11);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
