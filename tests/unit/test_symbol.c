/*
 * tools/symbol against binutils: tests/programs/inlined.c is built here in several ways and every
 * address of its functions is asked for. Needs gcc, objcopy, nm, readelf and addr2line; run from the
 * top directory.
 */
#include "tools/symbol/symbol.h"

#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tools/symbol/object.h"
#include "tools/symbol/ranges.h"

#define SOURCE "tests/programs/inlined.c"

enum { FRAMES = 16 };

static char directory[] = "/tmp/reqprof-symbol-XXXXXX";
static int warnings;
static char warned_path[256];

static void remember_warning(void *arg, const char *path, const char *why)
{
	warnings++;
	snprintf(warned_path, sizeof(warned_path), "%s", path);
}

/* Runs a shell command inside the temporary directory; $top is where the sources are. */
__attribute__((format(printf, 1, 2))) static bool shell(const char *format, ...)
{
	char command[1024];
	int len = snprintf(command, sizeof(command), "top=$PWD; cd %s && ", directory);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command + len, sizeof(command) - (size_t)len, format, arguments);
	va_end(arguments);
	fflush(stdout);
	return system(command) == 0; /* NOLINT(cert-env33-c) */
}

/* First line of what a command prints. */
__attribute__((format(printf, 2, 3))) static void ask(char out[128], const char *format, ...)
{
	char command[1024];
	int len = snprintf(command, sizeof(command), "cd %s && ", directory);
	va_list arguments;
	FILE *pipe;

	va_start(arguments, format);
	vsnprintf(command + len, sizeof(command) - (size_t)len, format, arguments);
	va_end(arguments);
	out[0] = '\0';
	pipe = popen(command, "r"); /* NOLINT(cert-env33-c) */
	if (pipe && fgets(out, 128, pipe))
		out[strcspn(out, "\n")] = '\0';
	if (pipe)
		pclose(pipe);
}

struct target {
	char path[256];
	char build_id[128];
	struct symbolizer *symbolizer;
};

static void target_open(struct target *t, const char *file)
{
	snprintf(t->path, sizeof(t->path), "%s/%s", directory, file);
	ask(t->build_id, "readelf -n %s 2>/dev/null | sed -n 's/.*Build ID: //p'", file);
	t->symbolizer = symbol_open();
	symbol_set_debug_dir(t->symbolizer, directory);
	symbol_on_warning(t->symbolizer, remember_warning, NULL);
	warnings = 0;
}

static size_t resolve(struct target *t, uint64_t offset, struct symbol_frame frames[FRAMES])
{
	return symbol_resolve(t->symbolizer, t->path, t->build_id, offset, frames, FRAMES);
}

/* Address and length of a symbol. In what we link here, code stands at its own offset in the file. */
static uint64_t symbol_at(const char *file, const char *name, uint64_t *len)
{
	char text[128];
	char *end;
	uint64_t at;

	ask(text, "nm -S %s | sed -n 's/^\\([0-9a-f]* [0-9a-f]*\\) [Tt] %s$/\\1/p'", file, name);
	at = strtoull(text, &end, 16);
	*len = strtoull(end, NULL, 16);
	return at;
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path ? path : "??";
}

/* Reads what addr2line says of one address: the number of frames, or -1 when ours differ. */
static int compare_address(FILE *oracle, struct target *t, uint64_t at, char next[512])
{
	struct symbol_frame frames[FRAMES];
	size_t count = resolve(t, at, frames), i = 0;
	char name[512], place[512];
	int differ = 0;

	while (fgets(name, sizeof(name), oracle)) {
		const char *file;
		char *colon;

		if (strncmp(name, "0x", 2) == 0) {
			memcpy(next, name, sizeof(name));
			break;
		}
		if (!fgets(place, sizeof(place), oracle))
			return -1;
		name[strcspn(name, "\n")] = '\0';
		colon = strrchr(place, ':');
		*colon = '\0';
		file = base_name(place);
		if (i >= count || strcmp(frames[i].name, name) != 0 ||
		    strcmp(base_name(frames[i].file), file) != 0 ||
		    frames[i].line !=
			    atoi(colon + 1)) /* NOLINT(cert-err34-c): "58 (discriminator 3)" */
			differ++;
		if (differ == 1)
			printf("# %#" PRIx64 " frame %zu: %s:%d %s, not %s:%s %s\n", at, i,
			       i < count ? base_name(frames[i].file) : "-",
			       i < count ? frames[i].line : 0, i < count ? frames[i].name : "-",
			       file, colon + 1, name);
		i++;
	}
	return differ || i != count ? -1 : (int)count;
}

/* Every byte of the program's own functions. */
static void check_against_addr2line(const char *file)
{
	static const char *const functions[] = { "main", "digest_line", "descend", "root" };
	struct target t;
	int compared = 0, deepest = 0, wrong = 0;

	target_open(&t, file);
	for (size_t f = 0; f < sizeof(functions) / sizeof(*functions); f++) {
		uint64_t len, start = symbol_at(file, functions[f], &len);
		char command[1024], next[512];
		FILE *oracle, *addresses;

		CHECK(start && len);
		snprintf(command, sizeof(command), "%s/addresses", directory);
		addresses = fopen(command, "w");
		CHECK(addresses != NULL);
		for (uint64_t at = start; addresses && at < start + len; at++)
			fprintf(addresses, "%" PRIx64 "\n", at);
		if (addresses)
			fclose(addresses);
		snprintf(command, sizeof(command), "cd %s && addr2line -a -i -f -e %s <addresses",
			 directory, file);
		oracle = popen(command, "r"); /* NOLINT(cert-env33-c) */
		CHECK(oracle && fgets(next, sizeof(next), oracle));
		for (uint64_t at = start; oracle && at < start + len; at++) {
			int depth;

			CHECK_INT(strtoull(next, NULL, 16), at);
			depth = compare_address(oracle, &t, at, next);
			compared++;
			wrong += depth < 0;
			deepest = depth > deepest ? depth : deepest;
		}
		if (oracle)
			CHECK_INT(pclose(oracle), 0);
	}
	printf("# %s: %d addresses, %d wrong, up to %d frames\n", file, compared, wrong, deepest);
	CHECK(compared > 300);
	CHECK_INT(wrong, 0);
	CHECK(deepest >= 4);
	CHECK_INT(warnings, 0);
	symbol_close(t.symbolizer);
}

static void every_address_agrees_with_addr2line(void)
{
	check_against_addr2line("program");
}

static void dwarf_4_agrees_too(void)
{
	CHECK(shell("gcc -O2 -g -gdwarf-4 $top/" SOURCE " -o dwarf4 -lm"));
	check_against_addr2line("dwarf4");
}

static void compressed_dwarf_agrees_too(void)
{
	CHECK(shell("gcc -O2 -g -gz $top/" SOURCE " -o compressed -lm"));
	check_against_addr2line("compressed");
}

/* clang writes no .debug_aranges. With DWARF 5 of clang, addr2line 2.40 itself goes wrong. */
static void clang_agrees_too(void)
{
	if (!shell("command -v clang >/dev/null")) {
		printf("# skipped: no clang\n");
		return;
	}
	CHECK(shell("clang -O2 -g -gdwarf-4 $top/" SOURCE " -o clang4 -lm"));
	check_against_addr2line("clang4");
}

static void start_lines_are_those_of_the_source(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	uint64_t len, at;
	char line[128];
	size_t count;

	CHECK(shell("grep -n '^NEVER uint32_t descend' $top/" SOURCE " >found"));
	ask(line, "cut -d: -f1 found");
	target_open(&t, "program");
	at = symbol_at("program", "descend", &len);
	count = resolve(&t, at, frames);
	CHECK(count >= 1);
	CHECK_INT(count ? frames[count - 1].start_line : 0, strtol(line, NULL, 10));
	CHECK(count && !frames[count - 1].inlined);
	symbol_close(t.symbolizer);
}

static void frames_beyond_the_room_are_cut_from_outside(void)
{
	struct symbol_frame all[FRAMES], some[2];
	struct target t;
	uint64_t len, at;
	bool tried = false;

	target_open(&t, "program");
	at = symbol_at("program", "digest_line", &len);
	for (uint64_t i = 0; i < len; i++) {
		if (resolve(&t, at + i, all) < 4)
			continue;
		tried = true;
		CHECK_INT(symbol_resolve(t.symbolizer, t.path, t.build_id, at + i, some, 2), 2);
		CHECK_STR(some[0].name, all[0].name);
		CHECK_STR(some[1].name, all[1].name);
		CHECK(some[0].inlined && all[2].inlined && !all[3].inlined);
		CHECK_INT(symbol_resolve(t.symbolizer, t.path, t.build_id, at + i, NULL, 0), 0);
	}
	CHECK(tried);
	symbol_close(t.symbolizer);
}

/* All frames of two files at all bytes of a function are the same. */
static void check_same_names(const char *file, const char *like)
{
	struct target a, b;
	uint64_t len, at = symbol_at(like, "digest_line", &len);
	int deepest = 0;

	target_open(&a, file);
	target_open(&b, like);
	CHECK(len > 0);
	for (uint64_t i = 0; i < len; i++) {
		struct symbol_frame x[FRAMES], y[FRAMES];
		size_t count = resolve(&a, at + i, x);

		CHECK_INT(count, resolve(&b, at + i, y));
		for (size_t f = 0; f < count; f++) {
			CHECK_STR(x[f].name, y[f].name);
			CHECK_INT(x[f].line, y[f].line);
		}
		deepest = (int)count > deepest ? (int)count : deepest;
	}
	CHECK(deepest >= 4);
	CHECK_INT(warnings, 0);
	symbol_close(a.symbolizer);
	symbol_close(b.symbolizer);
}

static void stripped_file_is_named_through_its_debuglink(void)
{
	CHECK(shell("objcopy --only-keep-debug program linked.debug && "
		    "objcopy --strip-all --add-gnu-debuglink=linked.debug program linked"));
	check_same_names("linked", "program");
	CHECK(shell("mkdir -p .debug && mv linked.debug .debug/"));
	check_same_names("linked", "program");
	CHECK(shell("mkdir -p .%s && mv .debug/linked.debug .%s/", directory, directory));
	check_same_names("linked", "program");
}

static void stripped_file_is_named_through_the_build_id_tree(void)
{
	CHECK(shell("id=$(readelf -n program | sed -n 's/.*Build ID: //p') && "
		    "mkdir -p .build-id/$(echo $id | cut -c1-2) && "
		    "objcopy --only-keep-debug program "
		    ".build-id/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-).debug && "
		    "objcopy --strip-all program bare"));
	check_same_names("bare", "program");
	CHECK(shell("rm -r .build-id"));
}

/* Without build ids the link's checksum decides. */
static void debug_file_with_a_wrong_checksum_is_not_used(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	uint64_t len, at;

	CHECK(shell("gcc -O2 -g -Wl,--build-id=none $top/" SOURCE " -o noid -lm && "
		    "objcopy --only-keep-debug noid noid.debug && "
		    "objcopy --strip-all --add-gnu-debuglink=noid.debug noid noid-linked"));
	check_same_names("noid-linked", "noid");
	CHECK(shell("printf x >>noid.debug"));
	at = symbol_at("noid", "digest_line", &len);
	target_open(&t, "noid-linked");
	CHECK_STR(t.build_id, "");
	CHECK_INT(resolve(&t, at, frames), 1);
	CHECK(strncmp(frames[0].name, "[noid-linked+0x", 15) == 0);
	symbol_close(t.symbolizer);
}

static void dynamic_symbols_alone_name_what_they_cover(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	uint64_t len, at, hidden_len, hidden;
	char start[64];

	CHECK(shell("gcc -O2 -shared -fPIC $top/" SOURCE " -o full.so -lm && "
		    "objcopy --strip-all full.so small.so"));
	target_open(&t, "small.so");
	at = symbol_at("full.so", "descend", &len);
	CHECK(len > 8);
	CHECK_INT(resolve(&t, at + 5, frames), 1);
	CHECK_STR(frames[0].name, "descend");
	CHECK(!frames[0].file && !frames[0].line && !frames[0].start_line && !frames[0].inlined);
	/* A static function: never named after the exported one before it, but of one name throughout. */
	hidden = symbol_at("full.so", "digest_line", &hidden_len);
	snprintf(start, sizeof(start), "[small.so+0x%" PRIx64 "]", hidden);
	for (uint64_t i = 0; i < hidden_len; i++) {
		CHECK_INT(resolve(&t, hidden + i, frames), 1);
		CHECK_STR(frames[0].name, start);
	}
	symbol_close(t.symbolizer);
}

static void symbols_without_size_reach_to_the_next_one(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	uint64_t len, at, entry;
	char text[128];

	CHECK(shell("gcc -O2 $top/" SOURCE " -o plain -lm"));
	target_open(&t, "plain");
	at = symbol_at("plain", "digest_line", &len);
	ask(text, "nm plain | sed -n 's/ T bare_entry$//p'");
	entry = strtoull(text, NULL, 16);
	CHECK(entry != 0);
	for (uint64_t i = 0; i < 5; i++) { /* lea and ret */
		CHECK_INT(resolve(&t, entry + i, frames), 1);
		CHECK_STR(frames[0].name, "bare_entry");
	}
	CHECK_INT(resolve(&t, at, frames), 1);
	CHECK_STR(frames[0].name, "digest_line");
	symbol_close(t.symbolizer);
}

static void check_plt(const char *file)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	char command[512], line[512];
	FILE *pipe;
	int stubs = 0;

	target_open(&t, file);
	snprintf(command, sizeof(command),
		 "cd %s && objdump -d -j .plt -j .plt.got -j .plt.sec %s 2>/dev/null | "
		 "sed -n 's/^\\([0-9a-f]*\\) <\\([^-+]*@plt\\)>:$/\\1 \\2/p'",
		 directory, file);
	pipe = popen(command, "r"); /* NOLINT(cert-env33-c) */
	while (pipe && fgets(line, sizeof(line), pipe)) {
		char *end;
		uint64_t at = strtoull(line, &end, 16);

		line[strcspn(line, "\n")] = '\0';
		CHECK_INT(resolve(&t, at + 2, frames), 1);
		CHECK_STR(frames[0].name, end + 1);
		stubs++;
	}
	if (pipe)
		pclose(pipe);
	CHECK(stubs >= 6);
	symbol_close(t.symbolizer);
}

static void plt_stubs_are_named_after_their_function(void)
{
	check_plt("program");
	CHECK(shell("gcc -O2 -fcf-protection=full -Wl,-z,ibtplt $top/" SOURCE " -o ibt -lm"));
	check_plt("ibt");
	CHECK(shell("gcc -O2 -Wl,-z,now $top/" SOURCE " -o now -lm"));
	check_plt("now");
}

static void cpp_names_are_demangled(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	char text[128];

	if (!shell("command -v g++ >/dev/null")) {
		printf("# skipped: no g++\n");
		return;
	}
	CHECK(shell(
		"echo 'namespace space { int twice(int a, const char *) { return 2 * a; } }' >t.cc &&"
		" g++ -O2 -shared -fPIC t.cc -o with.so && g++ -g -O2 -shared -fPIC t.cc -o dwarf.so"));
	for (int i = 0; i < 2; i++) {
		const char *file = i ? "dwarf.so" : "with.so";

		target_open(&t, file);
		ask(text, "nm %s | sed -n 's/ T _ZN5space5twiceEiPKc$//p'", file);
		CHECK_INT(resolve(&t, strtoull(text, NULL, 16), frames), 1);
		CHECK_STR(frames[0].name, "space::twice(int, char const*)");
		symbol_close(t.symbolizer);
	}
}

static void another_build_gives_no_names_and_one_warning(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;
	uint64_t len, at = symbol_at("program", "main", &len);

	target_open(&t, "program");
	t.build_id[0] = t.build_id[0] == '0' ? '1' : '0';
	for (uint64_t i = 0; i < len; i++)
		CHECK_INT(resolve(&t, at + i, frames), 0);
	t.build_id[1] = t.build_id[1] == '0' ? '1' : '0';
	CHECK_INT(resolve(&t, at, frames), 0);
	t.build_id[0] = '\0';
	CHECK_INT(resolve(&t, at, frames), 0);
	CHECK_INT(symbol_resolve(t.symbolizer, t.path, NULL, at, frames, FRAMES), 0);
	CHECK_INT(warnings, 1);
	CHECK_STR(warned_path, t.path);
	symbol_close(t.symbolizer);
}

static void a_file_that_is_gone_is_unknown_without_a_word(void)
{
	struct symbol_frame frames[FRAMES];
	struct target t;

	target_open(&t, "nothing-here");
	CHECK_INT(resolve(&t, 0x1000, frames), 0);
	snprintf(t.path, sizeof(t.path), "//anon");
	CHECK_INT(resolve(&t, 0x1000, frames), 0);
	t.path[0] = '\0';
	CHECK_INT(resolve(&t, 0x1000, frames), 0);
	CHECK_INT(warnings, 0);
	symbol_close(t.symbolizer);
}

static void what_is_no_program_is_unknown(void)
{
	static const char *const files[] = { "pipe", "text", "empty", ".", "/dev/zero" };
	struct symbol_frame frames[FRAMES];
	struct target t;

	CHECK(shell("mkfifo pipe && echo hello >text && : >empty"));
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		target_open(&t, files[i]);
		if (files[i][0] == '/')
			snprintf(t.path, sizeof(t.path), "%s", files[i]);
		CHECK_INT(resolve(&t, 0, frames), 0);
		CHECK_INT(resolve(&t, 1, frames), 0);
		CHECK_INT(warnings, 1);
		symbol_close(t.symbolizer);
	}
}

static char *read_whole(const char *file, size_t *len)
{
	char path[512];
	char *bytes = NULL;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	in = fopen(path, "rb");
	*len = 0;
	if (in && fseek(in, 0, SEEK_END) == 0) {
		*len = (size_t)ftell(in);
		bytes = malloc(*len + 1);
		rewind(in);
		if (bytes && fread(bytes, 1, *len, in) != *len)
			*len = 0;
	}
	if (in)
		fclose(in);
	return bytes;
}

static void write_whole(const char *path, const char *bytes, size_t len)
{
	FILE *out = fopen(path, "wb");

	CHECK(out && fwrite(bytes, 1, len, out) == len);
	if (out)
		fclose(out);
}

/* Under the sanitizers: whatever is cut off or overwritten, we come back. */
static void damaged_files_are_survived(void)
{
	size_t len;
	char *bytes = read_whole("program", &len);
	uint64_t function_len, at = symbol_at("program", "digest_line", &function_len);
	uint32_t random = 1;
	int named = 0;

	CHECK(bytes && len > 1000);
	for (int round = 0; bytes && round < 300; round++) {
		struct symbol_frame frames[FRAMES];
		struct target t;
		char *copy = malloc(len);
		size_t copy_len = len;

		target_open(&t, "program");
		snprintf(t.path, sizeof(t.path), "%s/damaged", directory);
		memcpy(copy, bytes, len);
		if (round % 3 == 0)
			copy_len = len * (size_t)round / 300;
		for (int i = 0; round % 3 && i < 1 + round / 4; i++) {
			random = random * 1103515245 + 12345;
			/* Half of the hits where most is decided: in the headers and at the end. */
			copy[(round % 3 == 1 ? random % (uint32_t)len
					     : (uint32_t)len - 1 - random % 4096)] =
				(char)(random >> 24);
		}
		write_whole(t.path, copy, copy_len);
		for (uint64_t i = 0; i < function_len; i += 3)
			named += resolve(&t, at + i, frames) > 0;
		symbol_close(t.symbolizer);
		free(copy);
		if (round % 3 == 0)
			unlink(t.path);
	}
	CHECK(named > 0);
	free(bytes);
}

static void the_vdso_is_named_by_its_own_symbols(void)
{
	struct symbol_frame frames[FRAMES];
	struct object vdso;
	struct target t;
	const uint8_t *id;
	size_t len, named = 0;

	if (object_open(&vdso, "[vdso]") != OBJECT_OPEN) {
		printf("# skipped: no vdso\n");
		return;
	}
	target_open(&t, "program");
	snprintf(t.path, sizeof(t.path), "[vdso]");
	len = object_build_id(&vdso, &id);
	CHECK(len > 0 && len < 60);
	for (uint64_t offset = 0; offset < 0x2000; offset += 16)
		CHECK_INT(resolve(&t, offset, frames), 0); /* the build id is the program's */
	CHECK_INT(warnings, 0);
	for (size_t i = 0; i < len; i++)
		snprintf(t.build_id + 2 * i, 3, "%02x", id[i]);
	for (uint64_t offset = 0; offset < 0x2000; offset += 4)
		if (resolve(&t, offset, frames) && strstr(frames[0].name, "gettime"))
			named++;
	CHECK(named > 0);
	object_close(&vdso);
	symbol_close(t.symbolizer);
}

static void ranges_agree_with_a_plain_search(void)
{
	uint32_t random = 7;

	for (int round = 0; round < 200; round++) {
		struct ranges r = { 0 };
		struct range plain[40];
		size_t count = (size_t)round % 40;

		for (size_t i = 0; i < count; i++) {
			random = random * 1103515245 + 12345;
			plain[i].start = (random >> 16) % 64 * 40 + i; /* all different */
			plain[i].end = plain[i].start + (random >> 8) % 900;
			ranges_add(&r, plain[i].start, plain[i].end, i, 0);
		}
		ranges_sort(&r, true);
		for (uint64_t at = 0; at < 3600; at += 7) {
			const struct range *found = ranges_find(&r, at), *best = NULL;

			for (size_t i = 0; i < count; i++)
				if (plain[i].start <= at && at < plain[i].end &&
				    (!best || plain[i].start > best->start))
					best = &plain[i];
			CHECK(!found == !best);
			if (found && best)
				CHECK_INT(found->start, best->start);
		}
		ranges_free(&r);
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(every_address_agrees_with_addr2line),
		TAP_TEST(dwarf_4_agrees_too),
		TAP_TEST(compressed_dwarf_agrees_too),
		TAP_TEST(clang_agrees_too),
		TAP_TEST(start_lines_are_those_of_the_source),
		TAP_TEST(frames_beyond_the_room_are_cut_from_outside),
		TAP_TEST(stripped_file_is_named_through_its_debuglink),
		TAP_TEST(stripped_file_is_named_through_the_build_id_tree),
		TAP_TEST(debug_file_with_a_wrong_checksum_is_not_used),
		TAP_TEST(dynamic_symbols_alone_name_what_they_cover),
		TAP_TEST(symbols_without_size_reach_to_the_next_one),
		TAP_TEST(plt_stubs_are_named_after_their_function),
		TAP_TEST(cpp_names_are_demangled),
		TAP_TEST(another_build_gives_no_names_and_one_warning),
		TAP_TEST(a_file_that_is_gone_is_unknown_without_a_word),
		TAP_TEST(what_is_no_program_is_unknown),
		TAP_TEST(damaged_files_are_survived),
		TAP_TEST(the_vdso_is_named_by_its_own_symbols),
		TAP_TEST(ranges_agree_with_a_plain_search),
	};
	int status;

	if (!mkdtemp(directory)) {
		printf("Bail out! cannot make %s\n", directory);
		return 1;
	}
	if (shell("gcc -O2 -g $top/" SOURCE " -o program -lm")) {
		status = tap_run(tests, sizeof(tests) / sizeof(*tests));
	} else {
		printf("Bail out! cannot build " SOURCE "\n");
		status = 1;
	}
	shell("rm -rf '%s'", directory);
	return status;
}
