/*
 * Names kept between runs: used when they are whole, ours and of the same files, and without effect
 * otherwise. A module is built here; what the cache says of it is made up, so that it is told from
 * what the module says. Needs gcc; run from the top directory.
 */
#include "tools/symbol/cache.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tap.h"

static char directory[] = "/tmp/reqprof-cache-XXXXXX";
static char module[64], kept[64], file[256];
static uint64_t offset; /* of the function "known" in the module */

__attribute__((format(printf, 1, 2))) static bool shell(const char *format, ...)
{
	char command[1024];
	int len = snprintf(command, sizeof(command), "cd %s && ", directory);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command + len, sizeof(command) - (size_t)len, format, arguments);
	va_end(arguments);
	fflush(stdout);
	return system(command) == 0; /* NOLINT(cert-env33-c) */
}

static bool source_of(struct cache_source *source)
{
	const struct object none = { NULL, -1 };
	struct object main;
	bool told;

	if (object_open(&main, module) != OBJECT_OPEN)
		return false;
	told = cache_source_of(&main, &none, source);
	object_close(&main);
	return told;
}

/* What a symbolizer with the cache calls the function. */
static const char *name_of(const char *cache)
{
	static char name[64];
	struct symbolizer *s = symbol_open();
	struct symbol_frame frame = { 0 };
	struct cache_source source;
	char hex[2 * sizeof(source.build_id) + 1] = "";

	source_of(&source);
	for (uint32_t i = 0; i < source.build_id_len; i++)
		snprintf(hex + 2 * i, 3, "%02x", source.build_id[i]);
	snprintf(file, sizeof(file), "%s/%s.names", kept, hex);
	symbol_use_cache(s, cache);
	symbol_set_debug_dir(s, directory);
	symbol_resolve(s, module, hex, offset, &frame, 1);
	snprintf(name, sizeof(name), "%s", frame.name ? frame.name : "");
	symbol_close(s);
	return name;
}

static void save_as(const char *name)
{
	const struct symbol_frame frame = { .name = name, .file = "made.c", .line = 3 };
	const struct cache_answer answer = { offset, &frame, 1 };
	struct cache_source source;

	CHECK_INT(source_of(&source), true);
	CHECK_INT(cache_save(kept, &source, &answer, 1), true);
}

static void answers_are_kept_and_found_again(void)
{
	CHECK_INT(shell("rm -rf kept"), true);
	CHECK_STR(name_of(kept), "known");
	CHECK_INT(access(file, R_OK), 0);
	CHECK_STR(name_of(kept), "known");
	save_as("made_up");
	CHECK_STR(name_of(kept), "made_up");
	CHECK_INT(shell("! ls -A kept | grep -v '[.]names$'"), true);
	CHECK_INT(shell("[ $(stat -c %%a kept/*) = 600 ]"), true);
}

static void another_file_of_that_build_has_its_own_answers(void)
{
	save_as("made_up");
	CHECK_INT(shell("touch -d '2001-01-01' known.so"), true);
	CHECK_STR(name_of(kept), "known");
}

static void a_damaged_cache_is_as_none(void)
{
	char bytes[4096];
	struct stat st;
	size_t len;
	int fd;

	save_as("made_up");
	fd = open(file, O_RDWR);
	CHECK_INT(fstat(fd, &st), 0);
	len = (size_t)st.st_size;
	CHECK_INT(read(fd, bytes, sizeof(bytes)), st.st_size);
	close(fd);
	for (size_t i = 0; i < 2 * len; i++) {
		bool flip = i < len;
		char byte = (char)(bytes[i % len] ^ 1 << i % 8);

		/* another bit in each byte, then cut at each length */
		fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		CHECK_INT(write(fd, bytes, flip ? len : i - len), (int64_t)(flip ? len : i - len));
		if (flip)
			CHECK_INT(pwrite(fd, &byte, 1, (off_t)i), 1);
		close(fd);
		CHECK_STR(name_of(kept), "known");
	}
}

static void what_others_can_write_is_not_believed(void)
{
	save_as("made_up");
	CHECK_INT(chmod(file, 0666), 0);
	CHECK_STR(name_of(kept), "known");
	save_as("made_up");
	CHECK_INT(shell("mv %s aside && ln -s ../aside %s", file, file), true);
	CHECK_STR(name_of(kept), "known");
	if (geteuid() == 0) {
		save_as("made_up");
		CHECK_INT(chown(file, 12345, 12345), 0);
		CHECK_STR(name_of(kept), "known");
	}
}

static void a_cache_that_cannot_be_written_is_not_missed(void)
{
	CHECK_INT(shell("rm -rf kept && echo > kept"), true);
	CHECK_STR(name_of(kept), "known");
	CHECK_STR(name_of("/dev/null/none"), "known");
	CHECK_INT(shell("rm -rf kept && mkdir -m 777 kept"), true);
	CHECK_STR(name_of(kept), "known");
	CHECK_INT(shell("[ -z \"$(ls -A kept)\" ]"), true);
	CHECK_INT(shell("rm -rf kept"), true);
}

/* Several write while others read: each sees one whole cache or another. */
static void many_at_once_see_whole_caches(void)
{
	enum { PROCESSES = 6, TURNS = 60 };
	pid_t pids[PROCESSES];
	int whole = 0;

	save_as("made_up");
	fflush(stdout);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int turn = 0; turn < TURNS; turn++) {
			if (i % 2)
				save_as(turn % 2 ? "made_up" : "made_up_longer");
			else if (strncmp(name_of(kept), "made_up", 7) != 0)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int status = -1;

		waitpid(pids[i], &status, 0);
		whole += status == 0;
	}
	CHECK_INT(whole, PROCESSES);
	CHECK_INT(shell("[ \"$(ls -A kept)\" = \"$(basename %s)\" ]", file), true);
}

static void the_directory_is_the_users(void)
{
	static const struct {
		const char *xdg, *home, *want;
	} rows[] = {
		{ "/x", "/h", "/x/reqprof" },
		{ "relative", "/h", "/h/.cache/reqprof" },
		{ NULL, "/h", "/h/.cache/reqprof" },
		{ NULL, "", NULL },
		{ NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *path;

		unsetenv("XDG_CACHE_HOME");
		unsetenv("HOME");
		if (rows[i].xdg)
			setenv("XDG_CACHE_HOME", rows[i].xdg, 1);
		if (rows[i].home)
			setenv("HOME", rows[i].home, 1);
		path = cache_directory();
		CHECK_STR(path ? path : "none", rows[i].want ? rows[i].want : "none");
		free(path);
	}
}

static bool make_module(void)
{
	char text[32] = "";
	FILE *pipe;

	snprintf(module, sizeof(module), "%s/known.so", directory);
	snprintf(kept, sizeof(kept), "%s/kept", directory);
	/* Code stands at its own offset in what we link here. */
	if (!shell("echo 'int known(int a) { return a * 7 + 1; }' >known.c && "
		   "gcc -shared -fPIC -Wl,--build-id -o known.so known.c && "
		   "nm known.so | sed -n 's/ T known$//p' >known.at"))
		return false;
	snprintf(file, sizeof(file), "%s/known.at", directory);
	pipe = fopen(file, "r");
	if (!pipe || !fgets(text, sizeof(text), pipe))
		return false;
	fclose(pipe);
	offset = strtoull(text, NULL, 16);
	return offset != 0;
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(answers_are_kept_and_found_again),
		TAP_TEST(another_file_of_that_build_has_its_own_answers),
		TAP_TEST(a_damaged_cache_is_as_none),
		TAP_TEST(what_others_can_write_is_not_believed),
		TAP_TEST(a_cache_that_cannot_be_written_is_not_missed),
		TAP_TEST(many_at_once_see_whole_caches),
		TAP_TEST(the_directory_is_the_users),
	};
	int status = 1;

	if (!mkdtemp(directory) || !make_module())
		printf("Bail out! cannot build %s\n", module);
	else
		status = tap_run(tests, sizeof(tests) / sizeof(tests[0]));
	shell("rm -rf %s", directory);
	return status;
}
