#include "tools/render/collapsed.h"

#include "tests/unit/render_model.h"

static struct maker k;

static char *rendered(struct model *m, enum view_mode mode, enum profile_value by)
{
	struct written w;
	struct view *v;

	model_symbolize(m, NULL);
	v = view_make(m, mode);
	collapsed_render(v, by, written_open(&w));
	written_close(&w);
	view_free(v);
	return w.bytes;
}

static void check(struct model *m, enum view_mode mode, enum profile_value by, const char *want)
{
	char *got = rendered(m, mode, by);

	CHECK_STR(got, want);
	free(got);
}

static struct model *two_requests(void)
{
	struct model *m = model_new();
	uint32_t app, view, loop;

	maker_begin(&k, "GET", "/x", 200);
	loop = maker_native(&k, 0x10);
	app = maker_python(&k, "/srv/shop/wsgi.py", 5, "app", "app", 6);
	view = maker_python(&k, "/srv/shop/views.py", 10, "V.get", "get", 12);
	maker_sample(&k, 1, 3, (uint32_t[]){ loop, app, view }, 3);
	maker_sample(&k, 1, 1, (uint32_t[]){ loop, app }, 2);
	maker_sample(&k, 1, 3, (uint32_t[]){ loop, app, view }, 3);
	maker_sample(&k, 1, 2, (uint32_t[]){ loop, app, maker_native(&k, 0x20) }, 3);
	maker_sample(&k, 0, 5, (uint32_t[]){ maker_pseudo(&k, PROFILE_REST_FRAME) }, 1);
	maker_load(&k, m);
	maker_begin(&k, "POST", "/y", 500);
	app = maker_python(&k, "/srv/shop/wsgi.py", 5, "app", "app", 6);
	maker_sample(&k, 1, 4, (uint32_t[]){ maker_native(&k, 0x10), app }, 2);
	maker_load(&k, m);
	return m;
}

static void each_stack_is_a_line_below_its_route(void)
{
	struct model *m = two_requests();

	check(m, VIEW_MIXED, PROFILE_WALL,
	      "GET /x;app (shop/wsgi.py:5) 1000\n"
	      "GET /x;app (shop/wsgi.py:5);V.get (shop/views.py:10) 6000\n"
	      "GET /x;app (shop/wsgi.py:5);[libthing.so.1+0x20] 2000\n"
	      "GET /x;[unaccounted] 5000\n"
	      "POST /y;app (shop/wsgi.py:5) 4000\n");
	model_free(m);
}

static void samples_are_counted_and_waits_of_nothing_left_out(void)
{
	struct model *m = two_requests();

	check(m, VIEW_PYTHON, PROFILE_SAMPLES,
	      "GET /x;app (shop/wsgi.py:5) 2\n"
	      "GET /x;app (shop/wsgi.py:5);V.get (shop/views.py:10) 2\n"
	      "POST /y;app (shop/wsgi.py:5) 1\n");
	model_free(m);
}

static void no_name_breaks_the_line(void)
{
	struct model *m = model_new();

	maker_begin(&k, "G;T", "/a;b\nc\x1b[2J", 200);
	maker_sample(&k, 1, 1,
		     (uint32_t[]){ maker_python(&k, "/d;e\n.py", 1, "f;\r\n9 7", "f", 1) }, 1);
	maker_load(&k, m);
	check(m, VIEW_MIXED, PROFILE_WALL, "G_T /a_b_c_[2J;f___9 7 (/d_e_.py:1) 1000\n");
	model_free(m);
}

/* 1,000 stacks of 0.4 microseconds are 400 microseconds, not 0 and not 1,000. */
static void rounding_does_not_add_up(void)
{
	struct model *m = model_new();
	long sum = 0;
	char *got;

	maker_begin(&k, "GET", "/", 200);
	for (int i = 0; i < 1000; i++) {
		int64_t values[PROFILE_VALUES] = { 1, 400, 0, 400 };
		uint32_t leaf = maker_python(&k, "a.py", 1 + i, "f", "f", 1 + i);

		profile_write_sample(&k.w, &leaf, 1, values, NULL, 0);
		k.samples++;
		k.wall_ns += values[PROFILE_WALL];
	}
	maker_load(&k, m);
	got = rendered(m, VIEW_MIXED, PROFILE_WALL);
	for (char *line = strtok(got, "\n"); line; line = strtok(NULL, "\n")) {
		long number = strtol(strrchr(line, ' ') + 1, NULL, 10);

		CHECK(number == 1);
		sum += number;
	}
	CHECK_INT(sum, 400);
	free(got);
	model_free(m);
}

static void nothing_gives_nothing(void)
{
	struct model *m = model_new();

	check(m, VIEW_MIXED, PROFILE_WALL, "");
	model_free(m);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(each_stack_is_a_line_below_its_route),
		TAP_TEST(samples_are_counted_and_waits_of_nothing_left_out),
		TAP_TEST(no_name_breaks_the_line),
		TAP_TEST(rounding_does_not_add_up),
		TAP_TEST(nothing_gives_nothing),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
