/* Names of generated code: perf's map, jitdump, what was written at an address last, what is not believed. */
#include "tools/symbol/code_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static void take(struct code_map *map, const char *text)
{
	code_map_take_perf(map, strdup(text), strlen(text));
}

/* "NAME FILE:LINE", or "" for none. */
static const char *at(const struct code_map *map, uint64_t address)
{
	static char text[200];
	const struct code_name *name = code_map_find(map, address);

	if (!name)
		return "";
	snprintf(text, sizeof(text), "%s %s:%d", name->name, name->file ? name->file : "-",
		 name->line);
	return text;
}

static void each_runtime_s_names_are_read(void)
{
	struct code_map map = { 0 };

	take(&map, "1000 10 JS:*handler /srv/a b.js:3:18\n"
		   "0x1010 0x10 JS:~ file:///srv/x.mjs:1:2\n"
		   "1020 10 py::Views.get:/srv/views.py\n"
		   "1030 10 fib$4$opt with spaces\n"
		   "1040 10 Builtin:LoadIC\n"
		   "1050 10 JS:^no_line /srv/a.js\n");
	code_map_ready(&map);
	CHECK_STR(at(&map, 0x1000), "handler /srv/a b.js:3");
	CHECK_STR(at(&map, 0x100f), "handler /srv/a b.js:3");
	CHECK_STR(at(&map, 0x1010), "(anonymous) file:///srv/x.mjs:1");
	CHECK_STR(at(&map, 0x1020), "Views.get /srv/views.py:0");
	CHECK_STR(at(&map, 0x1030), "fib$4$opt with spaces -:0");
	CHECK_STR(at(&map, 0x1040), "Builtin:LoadIC -:0");
	CHECK_STR(at(&map, 0x1050), "JS:^no_line /srv/a.js -:0");
	CHECK_STR(at(&map, 0xfff), "");
	CHECK_STR(at(&map, 0x1060), "");
	code_map_free(&map);
}

static void what_was_written_last_counts(void)
{
	struct code_map map = { 0 };

	take(&map, "1000 100 old\n1080 80 other\n1040 80 new\n1000 10 newest\n");
	code_map_ready(&map);
	CHECK_STR(at(&map, 0x1000), "newest -:0");
	CHECK_STR(at(&map, 0x1010), "old -:0");
	CHECK_STR(at(&map, 0x1090), "new -:0");
	CHECK_STR(at(&map, 0x10c0), "other -:0");
	code_map_free(&map);
}

static void what_is_no_line_is_left_out(void)
{
	struct code_map map = { 0 };

	take(&map,
	     "\n1000\n1000 10\n1000 10 \nxyz 10 a\n1000 zz a\n1000 0 a\nffffffffffffffff 10 a\n"
	     "2000 10 good\n3000 10 no end");
	code_map_ready(&map);
	CHECK_INT(map.n_names, 1);
	CHECK_STR(at(&map, 0x2000), "good -:0");
	CHECK_STR(at(&map, 0x3000), "");
	code_map_free(&map);
}

static size_t put(char *to, const void *from, size_t len)
{
	memcpy(to, from, len);
	return len;
}

/* A load of "first" at 0x1000 and of "second" at 0x2000, and a move of "first" to 0x2008. */
static size_t make_dump(char *to)
{
	const uint32_t header[] = { 0x4A695444, 1, 40, 62, 0, 1, 0, 0, 0, 0 };
	const uint64_t move[] = { 7, 0, 0x1000, 0x2008, 0x8, 1 };
	size_t n = put(to, header, sizeof(header));

	for (int i = 0; i < 2; i++) {
		const char *name = i ? "second" : "first";
		const uint64_t load[] = { 7, 0, i ? 0x2000 : 0x1000, 0x10, (uint64_t)i };
		const uint32_t head[] = { 0, (uint32_t)(16 + sizeof(load) + strlen(name) + 1 + 16),
					  0, 0 };

		n += put(to + n, head, sizeof(head));
		n += put(to + n, load, sizeof(load));
		n += put(to + n, name, strlen(name) + 1);
		n += put(to + n, "0123456789abcdef", 16);
	}
	n += put(to + n, (const uint32_t[]){ 1, 16 + sizeof(move), 0, 0 }, 16);
	return n + put(to + n, move, sizeof(move));
}

static void a_dump_tells_what_was_loaded_and_moved(void)
{
	struct code_map map = { 0 };
	char *bytes = malloc(1000);

	code_map_take_dump(&map, bytes, make_dump(bytes));
	code_map_ready(&map);
	CHECK_STR(at(&map, 0x1000), "first -:0");
	CHECK_STR(at(&map, 0x2000), "second -:0");
	CHECK_STR(at(&map, 0x2008), "first -:0");
	CHECK_INT(map.n_names, 3);
	code_map_free(&map);
}

/* As it stands while the process writes it; the sanitizers watch for reads beyond. */
static void a_dump_may_end_anywhere(void)
{
	char whole[1000];
	size_t len = make_dump(whole);

	for (size_t cut = 0; cut < len; cut++) {
		struct code_map map = { 0 };
		char *bytes = malloc(cut ? cut : 1);

		memcpy(bytes, whole, cut);
		code_map_take_dump(&map, bytes, cut);
		code_map_ready(&map);
		CHECK(map.n_names < 3);
		code_map_free(&map);
	}
}

/* In the reader's current directory, which is a place to look. */
static void only_the_process_s_own_is_believed(void)
{
	char directory[] = "/tmp/reqprof-code-map.XXXXXX", path[64], bytes[1000], *left;
	struct code_map_of of = { .pid = 4000000000u, .owner = geteuid() };
	struct code_map map = { 0 };
	size_t len = make_dump(bytes);
	const char *why = NULL;
	struct stat st;
	FILE *file;

	CHECK(mkdtemp(directory) && chdir(directory) == 0);
	CHECK(!code_map_open(&map, &of, &left, &why) && !left);
	snprintf(path, sizeof(path), "jit-%u.dump", of.pid);
	file = fopen(path, "w");
	CHECK(file && fwrite(bytes, 1, len, file) == len && fclose(file) == 0);
	CHECK(code_map_open(&map, &of, &left, &why) && !left);
	CHECK_STR(at(&map, 0x1000), "first -:0");
	code_map_free(&map);

	CHECK(stat(path, &st) == 0);
	of.start_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	CHECK(code_map_open(&map, &of, &left, &why));
	code_map_free(&map);
	of.start_ns++;
	CHECK(!code_map_open(&map, &of, &left, &why));
	CHECK_STR(left, path);
	CHECK_STR(why, "of an earlier process with the same id");
	free(left);
	code_map_free(&map);

	if (geteuid() == 0) {
		CHECK(chown(path, 12345, 12345) == 0);
		of.start_ns = 0;
		CHECK(!code_map_open(&map, &of, &left, &why));
		CHECK_STR(why, "belongs to another user than the profile");
		free(left);
		code_map_free(&map);
		of.owner = 12345;
		CHECK(code_map_open(&map, &of, &left, &why));
		code_map_free(&map);
	}
	CHECK(unlink(path) == 0 && symlink("/etc/passwd", path) == 0);
	CHECK(!code_map_open(&map, &of, &left, &why));
	CHECK_STR(why, "no regular file");
	free(left);
	code_map_free(&map);
	CHECK(unlink(path) == 0 && chdir("/") == 0 && rmdir(directory) == 0);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(each_runtime_s_names_are_read),
		TAP_TEST(what_was_written_last_counts),
		TAP_TEST(what_is_no_line_is_left_out),
		TAP_TEST(a_dump_tells_what_was_loaded_and_moved),
		TAP_TEST(a_dump_may_end_anywhere),
		TAP_TEST(only_the_process_s_own_is_believed),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
