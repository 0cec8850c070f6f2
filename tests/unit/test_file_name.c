#include "format/file_name.h"

#include "tests/unit/tap.h"

static char name[FILE_NAME_MAX + 1];

static const char *make(const char *method, const char *path, uint64_t wall_ns)
{
	struct file_name_parts parts = { method, path, wall_ns, UINT64_C(1795446911999999999), 8368,
					 42 };
	size_t len = file_name_make(&parts, name);

	CHECK_INT(len, strlen(name));
	return name;
}

static void the_pattern_is_werkzeugs_with_pid_and_counter(void)
{
	CHECK_STR(make("GET", "/path/with/dots", 36400000),
		  "GET.path.with.dots.36ms.1795446911.8368-42.pprof");
	CHECK_STR(make("GET", "/", 499999), "GET.root.0ms.1795446911.8368-42.pprof");
}

static void nothing_of_the_path_leaves_the_directory(void)
{
	CHECK_STR(make("GET", "/../../etc/passwd", 0), "GET.......etc.passwd.0ms.1795446911.8368-42.pprof");
	make("GET", "/a/\x1b[31m\n\t\xc3\xa4 b%00\\c:\"'<>|*?", 0);
	CHECK(strpbrk(name, "/\x1b\n\t \\:\"'<>|*?%") == NULL);
	for (const char *c = name; *c; c++)
		CHECK((unsigned char)*c < 0x80);
	CHECK(name[0] != '.');
	make("../x", "/", 0);
	CHECK(strstr(name, "..") == NULL);
	CHECK(name[0] != '.');
}

static void a_path_of_8000_bytes_still_makes_a_name(void)
{
	static char path[8001];

	memset(path, 'p', 8000);
	path[0] = '/';
	CHECK(strlen(make("PROPPATCHPROPPATCHPROPPA", path, UINT64_MAX)) <= FILE_NAME_MAX);
	CHECK(strstr(name, ".8368-42.pprof") != NULL);
}

static void no_method_is_named_so(void)
{
	CHECK_STR(make("", "/x", 0), "UNKNOWN.x.0ms.1795446911.8368-42.pprof");
}

static void temporary_names_are_hidden(void)
{
	file_name_temporary(8368, 42, name);
	CHECK_STR(name, ".reqprof-8368-42.tmp");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_pattern_is_werkzeugs_with_pid_and_counter),
		TAP_TEST(nothing_of_the_path_leaves_the_directory),
		TAP_TEST(a_path_of_8000_bytes_still_makes_a_name),
		TAP_TEST(no_method_is_named_so),
		TAP_TEST(temporary_names_are_hidden),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
