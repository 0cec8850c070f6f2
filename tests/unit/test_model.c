/* From profile files to merged stacks, views and sums. */
#include "tests/unit/tap.h"

#include "format/profile.h"
#include "tools/base/errors.h"
#include "tools/model/load.h"
#include "tools/model/symbolize.h"
#include "tools/model/totals.h"
#include "tools/model/view.h"

enum { PERIOD = 1000000 };

struct memory {
	uint8_t bytes[1 << 16];
	size_t len;
};

static int to_memory(void *arg, const void *bytes, size_t len)
{
	struct memory *m = arg;

	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
	return 0;
}

/*
 * A file under way. Stacks are told root first, frames by one letter: an upper-case letter is a
 * native place, a lower-case one a Python function; a digit behind it is the line.
 */
struct maker {
	struct memory file;
	struct profile_writer w;
	uint64_t tables[PROFILE_MEMORY_MIN / 8];
	uint32_t mapping, stack_key;
	int64_t samples;
};

static struct maker maker;

static void begin(const char *method, const char *route)
{
	const char path[] = "/nowhere/libx.so";

	maker.file.len = 0;
	maker.samples = 0;
	profile_write_begin(&maker.w, to_memory, &maker.file, maker.tables, sizeof(maker.tables));
	profile_write_comment_number(&maker.w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	profile_write_comment(&maker.w, PROFILE_KEY_METHOD, method, strlen(method));
	profile_write_comment(&maker.w, PROFILE_KEY_ROUTE, route, strlen(route));
	maker.mapping = profile_write_mapping(&maker.w, 0x10000, 0x20000, 0x100,
					      (struct profile_text){ path, strlen(path) }, NULL, 0);
	maker.stack_key = profile_write_string(&maker.w, "stack", 5);
}

static uint32_t make_location(const char *frame)
{
	struct profile_text name = { frame, 1 }, file = { "/app.py", 7 };
	uint32_t function;

	if (frame[0] >= 'A' && frame[0] <= 'Z')
		return profile_write_native_location(&maker.w, maker.mapping,
						     0x10000u + (uint32_t)frame[0]);
	function = profile_write_function(&maker.w, name, name, file, 10);
	return profile_write_line_location(&maker.w, function,
					   frame[1] >= '0' && frame[1] <= '9' ? frame[1] - '0' : 1);
}

static void stack(int count, const char *frames, const char *state)
{
	int64_t values[PROFILE_VALUES] = { 1, PERIOD, 0, PERIOD };
	uint32_t leaf_first[64];
	struct profile_label label = { maker.stack_key, 0, 0, 0 };
	size_t n = 0;

	for (const char *at = frames + strlen(frames); at-- > frames;) {
		if (*at < '0' || *at > '9')
			leaf_first[n++] = make_location(at);
	}
	if (state)
		label.str = profile_write_string(&maker.w, state, strlen(state));
	for (int i = 0; i < count; i++)
		profile_write_sample(&maker.w, leaf_first, n, values, &label, state ? 1 : 0);
	maker.samples += count;
}

static void finish(struct model *m, int64_t rest)
{
	const int64_t values[PROFILE_VALUES] = { 0, 0, 0, rest };
	struct profile_text name = { PROFILE_REST_FRAME, strlen(PROFILE_REST_FRAME) },
			    none = { "", 0 };
	uint32_t location = profile_write_line_location(
		&maker.w, profile_write_function(&maker.w, name, name, none, 0), 0);
	int64_t wall = maker.samples * PERIOD + rest;
	struct load_error error = { 0 };

	if (rest)
		profile_write_sample(&maker.w, &location, 1, values, NULL, 0);
	profile_write_comment_number(&maker.w, PROFILE_KEY_SAMPLES, maker.samples);
	profile_write_comment_number(&maker.w, PROFILE_KEY_WALL_NS, wall);
	profile_write_comment_number(&maker.w, PROFILE_KEY_CPU_NS, maker.samples * PERIOD + 5);
	profile_write_times(&maker.w, 1, wall, PERIOD);
	CHECK_INT(profile_write_end(&maker.w), 0);
	CHECK_INT(load_profile_bytes(m, "x.pprof", maker.file.bytes, maker.file.len, &error), 0);
	if (error.reason)
		printf("# at %zu: %s\n", error.offset, error.reason);
}

/* The path to a node as letters and lines, root first. */
static const char *path_of(const struct view *v, uint32_t node)
{
	static char path[256];
	size_t at = sizeof(path) - 1;

	path[at] = '\0';
	for (; node; node = v->nodes[node].parent) {
		const struct frame *frame = &v->model->frames[v->nodes[node].frame];
		const struct function *f = &v->model->functions[frame->function];
		char piece[80];
		int len;

		if (f->kind == FRAME_NATIVE)
			/* "[libx.so+0x1NN]": NN is the letter */
			len = snprintf(piece, sizeof(piece), "%c",
				       (int)strtol(strrchr(f->name, '+') + 1, NULL, 16) - 0x100);
		else if (f->kind == FRAME_PSEUDO)
			len = snprintf(piece, sizeof(piece), "%s", f->name);
		else
			len = snprintf(piece, sizeof(piece), "%s%d", f->name, frame->line);
		at -= (size_t)len;
		memcpy(path + at, piece, (size_t)len);
	}
	return path + at;
}

/*
 * "path=samples " for each node with samples of its own: callers first, siblings in the view's
 * order.
 */
static const char *leaves(const struct view *v)
{
	static char text[1024];
	uint32_t at = 0;

	text[0] = '\0';
	do {
		if (v->nodes[at].self[PROFILE_SAMPLES])
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%lld ",
				 path_of(v, at), (long long)v->nodes[at].self[PROFILE_SAMPLES]);
		if (v->nodes[at].first_child) {
			at = v->nodes[at].first_child;
			continue;
		}
		while (at && !v->nodes[at].next_sibling)
			at = v->nodes[at].parent;
		at = at ? v->nodes[at].next_sibling : 0;
	} while (at);
	return text;
}

static const struct view_sum *sum_of(const struct model *m, const struct view_sum *sums, size_t n,
				     const char *name)
{
	static const struct view_sum none;

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(m->functions[sums[i].id].name, name))
			return &sums[i];
	}
	return &none;
}

static void check_views(struct model *m, const char *mixed, const char *python, const char *native)
{
	const char *const wanted[] = { mixed, python, native };

	model_symbolize(m, NULL);
	for (int mode = VIEW_MIXED; mode <= VIEW_NATIVE; mode++) {
		struct view *v = view_make(m, (enum view_mode)mode);

		CHECK_STR(leaves(v), wanted[mode]);
		view_free(v);
	}
}

static void eval_loop_frames_are_left_out_of_the_mixed_view(void)
{
	struct model *m = model_new();

	begin("GET", "/");
	/*
	 * main M calls the eval loop E with a, b in it; b calls native N, which calls back: E again
	 * with c.
	 */
	stack(5, "MEa1b2NEc3", NULL);
	stack(3, "MEa1b2N", NULL);
	stack(2, "ME", NULL);
	finish(m, 0);
	check_views(m, "Ma1b2N=3 Ma1b2Nc3=5 ME=2 ", "a1b2=3 a1b2c3=5 [native code, no Python]=2 ",
		    "ME=2 MEN=3 MENE=5 ");
	model_free(m);
}

static void unmerged_stacks_keep_all_native_frames(void)
{
	struct model *m = model_new();

	begin("GET", "/");
	stack(4, "a1b2MEX", PROFILE_STACK_UNMERGED);
	finish(m, 0);
	CHECK_INT(m->samples[0].stack_state, STACK_UNMERGED);
	check_views(m, "a1b2MEX=4 ", "a1b2=4 ", "MEX=4 ");
	model_free(m);
}

static void python_without_native_is_named_in_the_native_view(void)
{
	struct model *m = model_new();

	begin("GET", "/");
	stack(1, "a1b2", NULL);
	finish(m, 0);
	check_views(m, "a1b2=1 ", "a1b2=1 ", "[Python, no native frames]=1 ");
	model_free(m);
}

static void recursion_counts_a_stack_once(void)
{
	struct model *m = model_new();
	struct view_sum *sums;
	struct view *v;
	size_t n;

	begin("GET", "/");
	stack(6, "a1f2f2f3", NULL);
	stack(4, "a1f2b1f2", NULL);
	stack(1, "a1", NULL);
	finish(m, 0);
	model_symbolize(m, NULL);
	v = view_make(m, VIEW_PYTHON);
	n = view_by_function(v, PROFILE_CPU, &sums);
	CHECK_INT(n, 3);
	CHECK_STR(m->functions[sums[0].id].name, "f");
	CHECK_INT(sum_of(m, sums, n, "f")->self[PROFILE_SAMPLES], 10);
	CHECK_INT(sum_of(m, sums, n, "f")->total[PROFILE_SAMPLES], 10);
	CHECK_INT(sum_of(m, sums, n, "f")->total[PROFILE_CPU], 10 * PERIOD);
	CHECK_INT(sum_of(m, sums, n, "b")->self[PROFILE_SAMPLES], 0);
	CHECK_INT(sum_of(m, sums, n, "b")->total[PROFILE_SAMPLES], 4);
	CHECK_INT(sum_of(m, sums, n, "a")->total[PROFILE_SAMPLES], 11);
	CHECK_INT(sum_of(m, sums, n, "a")->self[PROFILE_SAMPLES], 1);
	free(sums);
	n = view_by_line(v, PROFILE_CPU, &sums);
	for (size_t i = 0; i < n; i++) {
		const struct frame *frame = &m->frames[sums[i].id];

		if (strcmp(m->functions[frame->function].name, "f") != 0)
			continue;
		CHECK_INT(sums[i].self[PROFILE_SAMPLES], frame->line == 2 ? 4 : 6);
		CHECK_INT(sums[i].total[PROFILE_SAMPLES], frame->line == 2 ? 10 : 6);
	}
	CHECK_INT(n, 4);
	free(sums);
	view_free(v);
	model_free(m);
}

static void files_merge_and_add_up(void)
{
	struct model *m = model_new();
	struct route_totals *routes;
	struct totals t;
	struct view *v;
	size_t n;

	for (int i = 0; i < 3; i++) {
		begin(i < 2 ? "GET" : "POST", i < 2 ? "/a" : "/b");
		stack(1 + i, "MEa1", NULL);
		stack(1, i < 2 ? "MEa1b1" : "MEa1c1", NULL);
		finish(m, 7 * (i + 1));
	}
	CHECK_INT(m->n_requests, 3);
	totals_of(m, &t);
	CHECK_INT(t.requests, 3);
	CHECK_INT(t.samples, 9);
	CHECK_INT(t.rest_ns, 42);
	CHECK_INT(t.user_ns, 9 * PERIOD);
	CHECK_INT(t.wall_ns, t.user_ns + t.wait_ns + t.rest_ns);
	CHECK_INT(t.cpu_ns, 9 * PERIOD + 15);
	n = totals_by_route(m, &routes);
	CHECK_INT(n, 2);
	CHECK_STR(routes[0].route, "/a");
	CHECK_STR(routes[0].method, "GET");
	CHECK_INT(routes[0].totals.requests, 2);
	CHECK_INT(routes[1].totals.samples, 4);
	free(routes);
	model_symbolize(m, NULL);
	v = view_make(m, VIEW_MIXED);
	CHECK_STR(leaves(v), "Ma1=6 Ma1b1=2 Ma1c1=1 ");
	CHECK_INT(v->nodes[0].total[PROFILE_WALL], t.wall_ns);
	CHECK_INT(v->nodes[0].total[PROFILE_SAMPLES], 9);
	for (uint32_t i = 1; i < v->n_nodes; i++)
		CHECK(v->nodes[i].parent < i);
	view_free(v);
	model_free(m);
}

static void samples_of_a_request_stand_together(void)
{
	struct model *m = model_new();

	for (int i = 0; i < 5; i++) {
		begin("GET", "/");
		stack(i, "a1", NULL);
		finish(m, 1);
	}
	for (uint32_t i = 0; i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];

		CHECK_INT(r->n_samples, i + 1);
		for (uint32_t j = 0; j < r->n_samples; j++)
			CHECK_INT(m->samples[r->first_sample + j].request, i);
	}
	model_free(m);
}

static void many_stacks_keep_their_ids(void)
{
	struct model *m = model_new();
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < 5000; i++) {
		struct location l = { .kind = FRAME_NATIVE, .offset = i };

		wrong += model_location(m, &l) != i;
		wrong += model_stack(m, i, i) != i + 1;
	}
	for (uint32_t i = 0; i < 5000; i++) {
		struct location l = { .kind = FRAME_NATIVE, .offset = i };

		wrong += model_location(m, &l) != i;
		wrong += model_stack(m, i, i) != i + 1;
	}
	CHECK_INT(wrong, 0);
	CHECK_INT(m->n_stacks, 5001);
	model_free(m);
}

/* Loads what is in maker.file and tells the reason for which it was refused. */
static const char *refusal(void)
{
	struct model *m = model_new();
	struct load_error error = { 0 };
	int result = load_profile_bytes(m, "x", maker.file.bytes, maker.file.len, &error);

	CHECK_INT(m->n_requests, result ? 0 : 1);
	model_free(m);
	return result ? error.reason : "none";
}

static void a_later_version_is_refused(void)
{
	maker.file.len = 0;
	profile_write_begin(&maker.w, to_memory, &maker.file, maker.tables, sizeof(maker.tables));
	profile_write_comment_number(&maker.w, PROFILE_KEY_VERSION, PROFILE_VERSION + 1);
	profile_write_end(&maker.w);
	CHECK_STR(refusal(), "a later version of reqprof wrote it");
}

static void a_profile_of_another_program_is_refused(void)
{
	maker.file.len = 0;
	profile_write_begin(&maker.w, to_memory, &maker.file, maker.tables, sizeof(maker.tables));
	profile_write_end(&maker.w);
	CHECK_STR(refusal(), "it is a profile, but none that reqprof wrote");
}

static void samples_that_do_not_add_up_are_refused(void)
{
	begin("GET", "/");
	stack(2, "a1", NULL);
	profile_write_comment_number(&maker.w, PROFILE_KEY_SAMPLES, 3);
	profile_write_comment_number(&maker.w, PROFILE_KEY_WALL_NS, 2 * PERIOD);
	profile_write_end(&maker.w);
	CHECK_STR(refusal(), "its samples do not add up to what its facts say");
}

static void impossible_values_are_refused(void)
{
	const int64_t values[PROFILE_VALUES] = { 1, -1, 0, PERIOD };
	uint32_t location;

	begin("GET", "/");
	location = make_location("a");
	profile_write_sample(&maker.w, &location, 1, values, NULL, 0);
	profile_write_comment_number(&maker.w, PROFILE_KEY_SAMPLES, 1);
	profile_write_comment_number(&maker.w, PROFILE_KEY_WALL_NS, PERIOD);
	profile_write_end(&maker.w);
	CHECK_STR(refusal(), "a sample has a value that cannot be");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(eval_loop_frames_are_left_out_of_the_mixed_view),
		TAP_TEST(unmerged_stacks_keep_all_native_frames),
		TAP_TEST(python_without_native_is_named_in_the_native_view),
		TAP_TEST(recursion_counts_a_stack_once),
		TAP_TEST(files_merge_and_add_up),
		TAP_TEST(samples_of_a_request_stand_together),
		TAP_TEST(many_stacks_keep_their_ids),
		TAP_TEST(a_later_version_is_refused),
		TAP_TEST(a_profile_of_another_program_is_refused),
		TAP_TEST(samples_that_do_not_add_up_are_refused),
		TAP_TEST(impossible_values_are_refused),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
