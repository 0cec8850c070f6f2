/* What requests waited for, and how their wall time is made up, all the way from the files. */
#include "tools/model/waits.h"

#include "tests/unit/render_model.h"
#include "tools/base/figures.h"
#include "tools/model/spread.h"
#include "tools/model/totals.h"

enum { MS = 1000000 };

static struct maker k;

/* One request: 10 ms of user code, 2 ms in the kernel, waits, 8 ms of rest. */
static struct model *one_request(void)
{
	struct model *m = model_new();
	uint32_t view, orm, driver;

	maker_begin(&k, "GET", "/x", 200);
	view = maker_python(&k, "/srv/views.py", 1, "view", "view", 2);
	orm = maker_python(&k, "/srv/models.py", 80, "User.orders", "orders", 88);
	driver = maker_python(&k, "/usr/lib/python3/dist-packages/sqlalchemy/engine/default.py",
			      700, "do_execute", "do_execute", 736);
	maker_state(&k, NULL, (int64_t[]){ 10, 10 * MS, 0, 10 * MS }, (uint32_t[]){ view, orm }, 2);
	maker_wait(&k,
		   &(struct maker_wait){ .kind = "socket",
					 .on = "127.0.0.1:5432 (recv)",
					 .ns = 20 * MS,
					 .timed = true,
					 .trips = 1 },
		   (uint32_t[]){ view, orm, driver }, 3);
	maker_wait(&k,
		   &(struct maker_wait){ .kind = "socket",
					 .on = "127.0.0.1:5432 (poll)",
					 .ns = 6 * MS,
					 .count = 3,
					 .trips = 2 },
		   (uint32_t[]){ view, orm }, 2);
	maker_wait(&k,
		   &(struct maker_wait){ .kind = "GIL",
					 .holder = "GET /report",
					 .ns = 4 * MS,
					 .timed = true,
					 .at_ns = 30 * MS },
		   (uint32_t[]){ view }, 1);
	maker_wait(&k,
		   &(struct maker_wait){
			   .kind = "GIL", .ns = 3 * MS, .timed = true, .at_ns = 30 * MS },
		   (uint32_t[]){ view }, 1);
	maker_wait(&k, &(struct maker_wait){ .kind = "of a later version", .ns = 1 * MS }, NULL, 0);
	maker_state(&k, PROFILE_STATE_KERNEL, (int64_t[]){ 0, 2 * MS, 0, 2 * MS },
		    (uint32_t[]){ maker_pseudo(&k, PROFILE_KERNEL_FRAME) }, 1);
	maker_state(&k, PROFILE_STATE_REST, (int64_t[]){ 0, 0, 0, 8 * MS },
		    (uint32_t[]){ maker_pseudo(&k, PROFILE_REST_FRAME) }, 1);
	maker_split(&k, 10 * MS, 2 * MS, 0);
	maker_load(&k, m);
	model_symbolize(m, NULL);
	return m;
}

static void the_parts_are_the_wall_time(void)
{
	struct model *m = one_request();
	struct totals t;

	totals_of(m, &t);
	CHECK_INT(t.wall_ns, 54 * MS);
	CHECK_INT(t.user_ns, 10 * MS);
	CHECK_INT(t.python_ns, 10 * MS);
	CHECK_INT(t.kernel_ns, 2 * MS);
	CHECK_INT(t.kernel_sampled_ns, 0);
	CHECK_INT(t.wait_ns, 34 * MS);
	CHECK_INT(t.gil_ns, 7 * MS);
	CHECK_INT(t.rest_ns, 8 * MS);
	CHECK_INT(t.waits_off, 0);
	model_free(m);
}

static void waits_add_up_by_reason_and_by_peer(void)
{
	struct model *m = one_request();
	struct wait_sum *sums;
	size_t n = waits_by_reason(m, &sums);

	CHECK_INT(n, 4);
	CHECK_STR(sums[0].on, "127.0.0.1:5432 (recv)");
	CHECK_INT(sums[1].kind, WAIT_GIL);
	CHECK_STR(sums[2].on, "127.0.0.1:5432 (poll)");
	CHECK_INT(sums[2].count, 3);
	CHECK_INT(sums[2].max_ns, 2 * MS);
	CHECK_INT(sums[3].kind, WAIT_OTHER);
	free(sums);
	n = waits_by_peer(m, &sums);
	CHECK_INT(n, 3);
	CHECK_INT(sums[0].kind, WAIT_SOCKET);
	CHECK_STR(sums[0].on, "127.0.0.1:5432");
	CHECK_INT(sums[0].ns, 26 * MS);
	CHECK_INT(sums[0].count, 4);
	CHECK_INT(sums[0].trips, 3);
	CHECK_INT(sums[0].max_ns, 20 * MS);
	free(sums);
	model_free(m);
}

static void samples_of_one_wait_for_the_gil_are_one_wait(void)
{
	struct model *m = one_request();
	struct wait_sum *sums;
	size_t n = waits_by_reason(m, &sums);

	CHECK_INT(sums[1].count, 1);
	CHECK_INT(sums[1].ns, 7 * MS);
	CHECK_INT(sums[1].max_ns, 7 * MS);
	free(sums);
	n = waits_by_holder(m, &sums);
	CHECK_INT(n, 2);
	CHECK_STR(sums[0].holder, "GET /report");
	CHECK_INT(sums[0].ns, 4 * MS);
	CHECK_STR(sums[1].holder, "");
	free(sums);
	model_free(m);
}

static void the_line_is_the_applications_own(void)
{
	struct model *m = one_request();
	struct wait_sum *sums;
	size_t n = waits_by_line(m, &sums);
	const struct frame *frame = &m->frames[sums[0].frame];

	CHECK_INT(n, 3);
	CHECK_STR(m->functions[frame->function].file, "/srv/models.py");
	CHECK_INT(frame->line, 88);
	CHECK_INT(sums[0].count, 4);
	CHECK_INT(sums[2].frame, WAITS_NO_FRAME);
	free(sums);
	model_free(m);
}

static void line_is(const char *want, const char *const *files, size_t n)
{
	struct model *m = model_new();
	uint32_t frames[8], line;

	maker_begin(&k, "GET", "/x", 200);
	for (size_t i = 0; i < n; i++)
		frames[i] = maker_python(&k, files[i], 1, "f", "f", 2);
	maker_wait(&k, &(struct maker_wait){ .kind = "sleep", .ns = 1 }, frames, n);
	maker_load(&k, m);
	model_symbolize(m, NULL);
	line = waits_line(m, m->samples[0].stack);
	CHECK_STR(m->functions[m->frames[line].function].file, want);
	model_free(m);
}

static void libraries_that_wait_for_others_are_not_the_line(void)
{
	/* all of it installed: the innermost that is no driver */
	line_is("/usr/lib/python3/dist-packages/placement/objects.py",
		(const char *[]){ "/usr/lib/python3/dist-packages/placement/wsgi.py",
				  "/usr/lib/python3/dist-packages/placement/objects.py",
				  "/usr/lib/python3/dist-packages/sqlalchemy/engine/base.py",
				  "/usr/lib/python3.11/socket.py" },
		4);
	/* a package whose name only begins like a driver's is none */
	line_is("/v/site-packages/redisent/x.py",
		(const char *[]){ "/v/site-packages/flask/app.py", "/v/site-packages/redisent/x.py",
				  "/v/site-packages/redis/client.py" },
		3);
	/* nothing but plumbing: the innermost */
	line_is("/usr/lib/python3.11/ssl.py",
		(const char *[]){ "/usr/lib/python3.11/socket.py", "/usr/lib/python3.11/ssl.py" },
		2);
}

static void folded_views_give_a_wait_to_the_line_that_waited(void)
{
	struct model *m = one_request();
	struct view *leaves = view_make(m, VIEW_PYTHON);
	struct view *folded = view_make_folded(m, VIEW_PYTHON);
	struct view_sum *sums;
	size_t n = view_by_function(folded, PROFILE_WALL, &sums);
	int64_t waited = 0, own = 0;

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(m->functions[sums[i].id].name, "User.orders"))
			own = sums[i].self[PROFILE_WALL];
		if (!strcmp(m->functions[sums[i].id].name, "do_execute"))
			waited = sums[i].self[PROFILE_WALL];
	}
	CHECK_INT(own, 16 * MS);
	CHECK_INT(waited, 20 * MS);
	free(sums);
	n = view_by_function(leaves, PROFILE_WALL, &sums);
	CHECK_STR(m->functions[sums[0].id].name, "[wait: socket 127.0.0.1:5432 (recv)]");
	CHECK_INT(sums[0].self[PROFILE_WALL], 20 * MS);
	free(sums);
	CHECK_INT(leaves->nodes[0].total[PROFILE_WALL], 54 * MS);
	CHECK_INT(folded->nodes[0].total[PROFILE_WALL], 54 * MS);
	CHECK_INT(folded->nodes[0].total_ticks, 10);
	view_free(leaves);
	view_free(folded);
	model_free(m);
}

static void facts_that_do_not_add_up_are_refused(void)
{
	struct model *m = model_new();
	struct load_error error = { 0 };
	uint32_t rest;

	maker_begin(&k, "GET", "/x", 200);
	rest = maker_pseudo(&k, PROFILE_REST_FRAME);
	maker_state(&k, PROFILE_STATE_REST, (int64_t[]){ 0, 0, 0, 8 * MS }, &rest, 1);
	maker_split(&k, 0, 0, 0);
	/* one more than there is: the facts differ from each other, not from the samples */
	profile_write_comment_number(&k.w, PROFILE_KEY_RUNNABLE_NS, 1);
	profile_write_comment_number(&k.w, PROFILE_KEY_SAMPLES, 0);
	profile_write_comment_number(&k.w, PROFILE_KEY_WALL_NS, 8 * MS);
	profile_write_times(&k.w, 1, 8 * MS, MS);
	CHECK_INT(profile_write_end(&k.w), 0);
	CHECK_INT(load_profile_bytes(m, "made", k.bytes, k.len, &error), -1);
	CHECK_STR(error.reason, "its samples do not add up to what its facts say");
	model_free(m);
}

/*
 * Requests of 0.25 ms of CPU, half of it in user code, a period of 1 ms: one in eight meets a tick,
 * and its file must say that all was user code; the others' that all was kernel.
 */
static void short_requests_are_right_when_taken_together(void)
{
	struct model *m = model_new();
	struct totals t;
	struct view *v;

	for (int i = 0; i < 80; i++) {
		bool tick = i % 8 == 3;
		uint32_t frame;

		maker_begin(&k, "GET", "/short", 200);
		frame = maker_python(&k, "a.py", 1, i % 16 == 3 ? "f" : "g", "f", 2);
		if (tick)
			maker_state(&k, NULL, (int64_t[]){ 1, MS, 0, MS / 4 }, &frame, 1);
		frame = maker_pseudo(&k, PROFILE_KERNEL_FRAME);
		if (!tick)
			maker_state(&k, PROFILE_STATE_KERNEL, (int64_t[]){ 0, MS / 4, 0, MS / 4 },
				    &frame, 1);
		maker_split(&k, tick ? MS / 4 : 0, tick ? 0 : MS / 4, 0);
		maker_load(&k, m);
	}
	model_symbolize(m, NULL);
	totals_of(m, &t);
	CHECK_INT(t.user_ns, 10 * MS / 4);
	model_spread(m);
	totals_of(m, &t);
	CHECK_INT(t.wall_ns, 20 * MS);
	CHECK_INT(t.user_ns, 10 * MS);
	CHECK_INT(t.kernel_ns, 10 * MS);
	CHECK_INT(t.samples, 10);
	CHECK(t.ticks == 20);
	v = view_make(m, VIEW_PYTHON);
	CHECK_INT(v->nodes[0].total[PROFILE_WALL], 20 * MS);
	view_free(v);
	model_free(m);
}

/*
 * Requests of 1 ms, a tenth of it in the kernel, where a tick comes every 10 ms: one in a hundred has one. It came to
 * twice as many here. What the ticks in user code stand for must not suffer from that.
 */
static void ticks_in_the_kernel_share_what_user_code_leaves(void)
{
	struct model *m = model_new();
	struct totals t;

	for (int i = 0; i < 200; i++) {
		bool tick = i % 50 == 7;
		bool user = i % 10 != 1;
		uint32_t frame;

		maker_begin(&k, "GET", "/short", 200);
		frame = maker_python(&k, "a.py", 1, "f", "f", 2);
		if (user)
			maker_state(&k, NULL, (int64_t[]){ 1, MS, 0, MS }, &frame, 1);
		frame = maker_pseudo(&k, tick ? PROFILE_KERNEL_SAMPLED : PROFILE_KERNEL_FRAME);
		if (tick || !user)
			maker_state(&k, PROFILE_STATE_KERNEL,
				    (int64_t[]){ 0, tick ? 10 * MS : MS, 0, user ? 0 : MS }, &frame,
				    1);
		maker_split(&k, user ? MS : 0, user ? 0 : MS, 0);
		maker_load(&k, m);
	}
	model_spread(m);
	totals_of(m, &t);
	CHECK_INT(t.wall_ns, 200 * MS);
	CHECK_INT(t.user_ns, 180 * MS);
	CHECK_INT(t.kernel_ns, 20 * MS);
	CHECK_INT(t.kernel_sampled_ns, 20 * MS);
	CHECK_INT(t.kernel_samples, 4);
	model_free(m);
}

static void one_request_of_a_route_is_left_as_it_is(void)
{
	struct model *m = one_request();

	model_spread(m);
	for (uint32_t i = 0; i < m->n_samples; i++)
		CHECK_INT(m->samples[i].share_ns, m->samples[i].values[PROFILE_WALL]);
	model_free(m);
}

static void overlapping_threads_are_scaled_to_the_wall_time(void)
{
	struct model *m = model_new();
	struct totals t;

	/* twice: two threads that burn 4 ms each in a request of 4 ms */
	for (int i = 0; i < 2; i++) {
		uint32_t frame;

		maker_begin(&k, "GET", "/two", 200);
		frame = maker_python(&k, "a.py", 1, "f", "f", 2);
		for (int j = 0; j < 8; j++)
			maker_state(&k, NULL, (int64_t[]){ 1, MS, 0, MS / 2 }, &frame, 1);
		maker_split(&k, 8 * MS, 0, 4 * MS);
		maker_load(&k, m);
	}
	model_spread(m);
	totals_of(m, &t);
	CHECK_INT(t.wall_ns, 8 * MS);
	CHECK_INT(t.user_ns, 8 * MS);
	CHECK_INT(t.kernel_ns, 0);
	CHECK_INT(t.overlap_ns, 8 * MS);
	CHECK_INT(t.overlapped, 2);
	model_free(m);
}

/* R's binom.confint(methods = "wilson") and others' tables. */
static void intervals_are_wilsons(void)
{
	struct interval i = interval_of(10, 20);

	CHECK(i.low > 0.2992 && i.low < 0.2994 && i.high > 0.7006 && i.high < 0.7008);
	i = interval_of(0, 10);
	CHECK(i.low == 0 && i.high > 0.2775 && i.high < 0.2776);
	i = interval_of(10, 10);
	CHECK(i.low > 0.7224 && i.low < 0.7225 && i.high == 1);
	i = interval_of(0, 0);
	CHECK(i.low == 0 && i.high == 1);
}

static void shares_make_a_hundred(void)
{
	int shares[4];

	figure_shares((int64_t[]){ 1, 1, 1 }, 3, 1000, shares);
	CHECK_INT(shares[0] + shares[1] + shares[2], 1000);
	figure_shares((int64_t[]){ 0, 999999, 1, 0 }, 4, 1000, shares);
	CHECK_INT(shares[0], 0);
	CHECK_INT(shares[1], 1000);
	CHECK_INT(shares[3], 0);
	figure_shares((int64_t[]){ 0, 0 }, 2, 1000, shares);
	CHECK_INT(shares[0] + shares[1], 0);
	figure_shares((int64_t[]){ INT64_MAX / 2, INT64_MAX / 2, 7 }, 3, 333, shares);
	CHECK_INT(shares[0] + shares[1] + shares[2], 333);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(the_parts_are_the_wall_time),
		TAP_TEST(waits_add_up_by_reason_and_by_peer),
		TAP_TEST(samples_of_one_wait_for_the_gil_are_one_wait),
		TAP_TEST(the_line_is_the_applications_own),
		TAP_TEST(libraries_that_wait_for_others_are_not_the_line),
		TAP_TEST(folded_views_give_a_wait_to_the_line_that_waited),
		TAP_TEST(facts_that_do_not_add_up_are_refused),
		TAP_TEST(short_requests_are_right_when_taken_together),
		TAP_TEST(ticks_in_the_kernel_share_what_user_code_leaves),
		TAP_TEST(one_request_of_a_route_is_left_as_it_is),
		TAP_TEST(overlapping_threads_are_scaled_to_the_wall_time),
		TAP_TEST(intervals_are_wilsons),
		TAP_TEST(shares_make_a_hundred),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
