/* The file is read by Python's own pstats, when there is a python3; its bytes are compared once. */
#include "tools/render/pstats.h"

#include <unistd.h>

#include "tests/unit/render_model.h"

static struct maker k;

static struct written rendered(struct model *m, enum view_mode mode, enum profile_value by,
			       enum pstats_natives natives)
{
	struct written w;
	struct view *v;

	model_symbolize(m, NULL);
	v = view_make(m, mode);
	pstats_render(v, by, natives, written_open(&w));
	written_close(&w);
	view_free(v);
	return w;
}

/*
 * What pstats finds: a line "CALLS OWN CUMULATIVE file:line(name)" for each function, sorted, each
 * followed by its callers. Times in milliseconds. NULL without Python.
 */
static char *as_python_reads_it(const struct written *w)
{
	static const char program[] =
		"import pstats,sys\n"
		"def text(f): return '%s:%d(%s)' % f\n"
		"s = pstats.Stats(sys.argv[1])\n"
		"s.sort_stats('cumulative').print_stats.__func__\n"
		"for f, (cc, nc, tt, ct, callers) in sorted(s.stats.items()):\n"
		"    assert all(c in s.stats for c in callers), callers\n"
		"    print('%d/%d %g %g %s' % (nc, cc, tt * 1e3, ct * 1e3, text(f)))\n"
		"    for c, (n, p, own, cum) in sorted(callers.items()):\n"
		"        print('  %d/%d %g %g %s' % (n, p, own * 1e3, cum * 1e3, text(c)))\n"
		"print('%g' % (s.total_tt * 1e3))\n";
	char path[] = "/tmp/reqprof-pstats-XXXXXX", command[4096], *text = NULL;
	size_t len = 0, got;
	FILE *pipe, *out;
	int fd = mkstemp(path);
	char chunk[4096];

	CHECK(fd >= 0 && write(fd, w->bytes, w->len) == (ssize_t)w->len);
	close(fd);
	snprintf(command, sizeof(command), "/usr/bin/python3 -c \"%s\" %s", program, path);
	fflush(stdout);
	pipe = popen(command, "r"); /* NOLINT(cert-env33-c) */
	out = open_memstream(&text, &len);
	while (pipe && (got = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		fwrite(chunk, 1, got, out);
	fclose(out);
	CHECK(pipe && pclose(pipe) == 0);
	unlink(path);
	return text;
}

static void check(struct model *m, enum view_mode mode, enum pstats_natives natives,
		  const char *want)
{
	struct written w = rendered(m, mode, PROFILE_WALL, natives);
	char *got;

	if (access("/usr/bin/python3", X_OK) != 0) {
		printf("# skipped: no /usr/bin/python3\n");
	} else {
		got = as_python_reads_it(&w);
		CHECK_STR(got, want);
		free(got);
	}
	free(w.bytes);
}

/* Made with Python's own marshal from the dict that pstats documents. */
static void the_bytes_are_those_that_python_writes(void)
{
	static const char want[] =
		"7b280300000075090000003c726571756573743e69000000007506000000474554202f7828050000006901"
		"0000006901000000670000000000000000"
		"67000000000000d03f7b30280300000075060000006170702e7079690a0000007504000000766965772805"
		"000000690100000069010000006700000000"
		"0000d03f67000000000000d03f7b280300000075090000003c726571756573743e69000000007506000000"
		"474554202f782804000000690100000069010000"
		"0067000000000000d03f67000000000000d03f3030";
	struct model *m = model_new();
	struct written w;
	char *got;

	maker_begin(&k, "GET", "/x", 200);
	maker_sample(&k, 1, 250,
		     (uint32_t[]){ maker_python(&k, "app.py", 10, "App.view", "view", 12) }, 1);
	maker_load(&k, m);
	w = rendered(m, VIEW_MIXED, PROFILE_WALL, PSTATS_CALLED);
	got = calloc(w.len + 1, 2);
	for (size_t i = 0; i < w.len; i++)
		snprintf(got + 2 * i, 3, "%02x", (unsigned char)w.bytes[i]);
	CHECK_INT(w.len, 205);
	CHECK_STR(got, want);
	free(got);
	free(w.bytes);
	model_free(m);
}

static struct model *recursion(void)
{
	struct model *m = model_new();
	uint32_t app, even, odd;

	maker_begin(&k, "GET", "/x", 200);
	app = maker_python(&k, "a.py", 1, "app", "app", 2);
	even = maker_python(&k, "a.py", 10, "even", "even", 11);
	odd = maker_python(&k, "a.py", 20, "odd", "odd", 21);
	maker_sample(&k, 1, 10, (uint32_t[]){ app, even, odd, even, odd, even }, 6);
	maker_sample(&k, 1, 4, (uint32_t[]){ app, even, odd }, 3);
	maker_sample(&k, 1, 2, (uint32_t[]){ app, odd, odd, odd }, 4);
	maker_sample(&k, 1, 1, (uint32_t[]){ app }, 1);
	maker_load(&k, m);
	return m;
}

/* However deep: no function and no call between two takes more than the whole. */
static void recursion_counts_once_per_stack(void)
{
	struct model *m = recursion();

	check(m, VIEW_MIXED, PSTATS_CALLED,
	      "1/1 0 17 <request>:0(GET /x)\n"
	      "4/4 1 17 a.py:1(app)\n"
	      "  4/4 1 17 <request>:0(GET /x)\n"
	      "2/2 10 14 a.py:10(even)\n"
	      "  2/2 0 14 a.py:1(app)\n"
	      "  1/1 10 10 a.py:20(odd)\n"
	      "3/3 6 16 a.py:20(odd)\n"
	      "  1/1 0 2 a.py:1(app)\n"
	      "  2/2 4 14 a.py:10(even)\n"
	      "  1/1 2 2 a.py:20(odd)\n"
	      "17\n");
	model_free(m);
}

static struct model *natives(void)
{
	struct model *m = model_new();
	uint32_t start, loop, glue, app, call, leaf, key;

	maker_begin(&k, "GET", "/x", 200);
	start = maker_native(&k, 0x1);
	loop = maker_place(&k, "/bin/python3", 0x10);
	glue = maker_place(&k, "/bin/python3", 0x20);
	call = maker_native(&k, 0x40);
	leaf = maker_native(&k, 0x30);
	app = maker_python(&k, "a.py", 1, "app", "app", 2);
	key = maker_python(&k, "a.py", 9, "app.<locals>.<lambda>", "<lambda>", 9);
	maker_sample(&k, 1, 8, (uint32_t[]){ start, loop, app, glue, call, glue, leaf }, 7);
	maker_sample(&k, 1, 5, (uint32_t[]){ start, loop, app, leaf }, 4);
	maker_sample(&k, 1, 4, (uint32_t[]){ start, loop, app, call, loop, key }, 6);
	maker_sample(&k, 1, 3, (uint32_t[]){ start, loop, app, glue }, 4);
	maker_sample(&k, 1, 2, (uint32_t[]){ start, call, leaf }, 3);
	maker_sample(&k, 0, 1, (uint32_t[]){ maker_pseudo(&k, PROFILE_REST_FRAME) }, 1);
	maker_load(&k, m);
	maker_inline(m, 0x30);
	return m;
}

/*
 * Frames of the interpreter are the time of the Python function; what it calls elsewhere is an entry
 * of its own, with all that is below; what stands between two Python functions is not seen.
 */
static void native_functions_are_shown_where_python_calls_them(void)
{
	struct model *m = natives();

	check(m, VIEW_MIXED, PSTATS_CALLED,
	      "1/1 0 23 <request>:0(GET /x)\n"
	      "4/4 3 20 a.py:1(app)\n"
	      "  4/4 3 20 <request>:0(GET /x)\n"
	      "1/1 4 4 a.py:9(<lambda>)\n"
	      "  1/1 4 4 a.py:1(app)\n"
	      "1/1 2 2 ~:0(<inner in libthing.so.1>)\n"
	      "  1/1 2 2 ~:0(<outer in libthing.so.1>)\n"
	      "1/1 0 2 ~:0(<libthing.so.1+0x1>)\n"
	      "  1/1 0 2 <request>:0(GET /x)\n"
	      "2/2 8 10 ~:0(<libthing.so.1+0x40>)\n"
	      "  1/1 8 8 a.py:1(app)\n"
	      "  1/1 0 2 ~:0(<libthing.so.1+0x1>)\n"
	      "2/2 5 7 ~:0(<outer in libthing.so.1>)\n"
	      "  1/1 5 5 a.py:1(app)\n"
	      "  1/1 0 2 ~:0(<libthing.so.1+0x40>)\n"
	      "1/1 1 1 ~:0(<unaccounted>)\n"
	      "  1/1 1 1 <request>:0(GET /x)\n"
	      "23\n");
	model_free(m);
}

static void python_only_gives_native_time_to_its_caller(void)
{
	struct model *m = natives();

	check(m, VIEW_PYTHON, PSTATS_ALL,
	      "1/1 0 23 <request>:0(GET /x)\n"
	      "4/4 16 20 a.py:1(app)\n"
	      "  4/4 16 20 <request>:0(GET /x)\n"
	      "1/1 4 4 a.py:9(<lambda>)\n"
	      "  1/1 4 4 a.py:1(app)\n"
	      "1/1 2 2 ~:0(<native code, no Python>)\n"
	      "  1/1 2 2 <request>:0(GET /x)\n"
	      "1/1 1 1 ~:0(<unaccounted>)\n"
	      "  1/1 1 1 <request>:0(GET /x)\n"
	      "23\n");
	model_free(m);
}

static void several_routes_have_one_root(void)
{
	struct model *m = model_new();

	for (int i = 0; i < 3; i++) {
		maker_begin(&k, i ? "POST" : "GET", "/y", 200 + i);
		maker_sample(&k, 1, 5, (uint32_t[]){ maker_python(&k, "a.py", 1, "app", "app", 2) },
			     1);
		maker_load(&k, m);
	}
	check(m, VIEW_MIXED, PSTATS_CALLED,
	      "3/3 0 15 <request>:0(3 requests)\n"
	      "1/1 0 5 <request>:0(GET /y)\n"
	      "  1/1 0 5 <request>:0(3 requests)\n"
	      "2/2 0 10 <request>:0(POST /y)\n"
	      "  2/2 0 10 <request>:0(3 requests)\n"
	      "3/3 15 15 a.py:1(app)\n"
	      "  1/1 5 5 <request>:0(GET /y)\n"
	      "  2/2 10 10 <request>:0(POST /y)\n"
	      "15\n");
	model_free(m);
}

/* snakeviz writes names into its page as they are. */
static void no_name_can_end_a_script(void)
{
	struct model *m = model_new();

	maker_begin(&k, "GET", "/</script>\n", 200);
	maker_sample(&k, 1, 5, (uint32_t[]){ maker_python(&k, "a\x1b.py", 1, "f", "</script>", 2) },
		     1);
	maker_load(&k, m);
	check(m, VIEW_MIXED, PSTATS_CALLED,
	      "1/1 0 5 <request>:0(GET /<_script>_)\n"
	      "1/1 5 5 a_.py:1(<_script>)\n"
	      "  1/1 5 5 <request>:0(GET /<_script>_)\n"
	      "5\n");
	model_free(m);
}

static void two_functions_of_one_key_are_one(void)
{
	struct model *m = model_new();

	maker_begin(&k, "GET", "/x", 200);
	maker_sample(&k, 1, 5,
		     (uint32_t[]){ maker_python(&k, "a.py", 1, "A.f", "f", 2),
				   maker_python(&k, "a.py", 1, "B.f", "f", 2) },
		     2);
	maker_load(&k, m);
	check(m, VIEW_MIXED, PSTATS_CALLED,
	      "1/1 0 5 <request>:0(GET /x)\n"
	      "1/1 5 5 a.py:1(f)\n"
	      "  1/1 0 5 <request>:0(GET /x)\n"
	      "  1/1 5 5 a.py:1(f)\n"
	      "5\n");
	model_free(m);
}

static void an_empty_model_is_an_empty_root(void)
{
	struct model *m = model_new();

	check(m, VIEW_MIXED, PSTATS_CALLED, "1/1 0 0 <request>:0(0 requests)\n0\n");
	model_free(m);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_bytes_are_those_that_python_writes),
		TAP_TEST(recursion_counts_once_per_stack),
		TAP_TEST(native_functions_are_shown_where_python_calls_them),
		TAP_TEST(python_only_gives_native_time_to_its_caller),
		TAP_TEST(several_routes_have_one_root),
		TAP_TEST(no_name_can_end_a_script),
		TAP_TEST(two_functions_of_one_key_are_one),
		TAP_TEST(an_empty_model_is_an_empty_root),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
