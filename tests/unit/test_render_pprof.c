#include "tools/render/pprof.h"

#include <errno.h>
#include <zlib.h>

#include "tests/unit/render_model.h"

static struct maker k;

static struct profile_in *read_back(const struct written *w)
{
	static uint8_t plain[4 << 20];
	struct profile_error error = { 0 };
	struct profile_in *in = NULL;
	z_stream zip = { .next_in = (Bytef *)w->bytes,
			 .avail_in = (uInt)w->len,
			 .next_out = plain,
			 .avail_out = sizeof(plain) };

	CHECK(w->len > 2 && !memcmp(w->bytes, "\x1f\x8b", 2));
	CHECK_INT(inflateInit2(&zip, 15 + 16), Z_OK);
	CHECK_INT(inflate(&zip, Z_FINISH), Z_STREAM_END);
	inflateEnd(&zip);
	CHECK_INT(profile_read(plain, zip.total_out, PROFILE_READ_ALL, &in, &error), 0);
	if (!in)
		printf("# %s at %zu\n", error.reason, error.offset);
	return in;
}

static struct profile_in *rendered(struct model *m, enum view_mode mode)
{
	struct profile_in *in;
	struct written w;
	struct view *v;

	model_symbolize(m, NULL);
	v = view_make(m, mode);
	CHECK_INT(pprof_render(v, written_open(&w)), 0);
	written_close(&w);
	in = read_back(&w);
	free(w.bytes);
	view_free(v);
	return in;
}

/* Samples as text: "wall method route status: location;location..." leaf first, lines of one place parted by '<'. */
static char *told(const struct profile_in *in)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < in->n_samples; i++) {
		const struct profile_sample_in *s = &in->samples[i];

		fprintf(out, "%lld", (long long)s->values[PROFILE_WALL] / NS_PER_MS);
		for (size_t l = 0; l < s->n_labels; l++) {
			if (s->labels[l].str)
				fprintf(out, " %s", in->strings[s->labels[l].str]);
			else
				fprintf(out, " %lld", (long long)s->labels[l].num);
		}
		for (size_t l = 0; l < s->n_locations; l++) {
			const struct profile_location_in *at =
				profile_location(in, s->locations[l]);

			fputs(l ? ";" : ": ", out);
			for (size_t j = 0; j < at->n_lines; j++) {
				const struct profile_function_in *f =
					profile_function(in, at->lines[j].function_id);

				fprintf(out, "%s%s:%lld", j ? "<" : "", in->strings[f->name],
					(long long)at->lines[j].line);
			}
			if (at->mapping_id)
				fprintf(out, "@%llu", (unsigned long long)at->mapping_id);
		}
		fputc('\n', out);
	}
	fclose(out);
	return text;
}

static void check_samples(const struct profile_in *in, const char *want)
{
	char *got = told(in);

	CHECK_STR(got, want);
	free(got);
}

static struct model *requests(void)
{
	struct model *m = model_new();

	for (int i = 0; i < 3; i++) {
		uint32_t app, leaf;

		maker_begin(&k, "GET", "/x", i < 2 ? 200 : 500);
		app = maker_python(&k, "/srv/wsgi.py", 5, "App.app", "app", 6);
		leaf = maker_native(&k, 0x30);
		maker_sample(&k, 1, 3, (uint32_t[]){ maker_native(&k, 0x10), app, leaf }, 3);
		maker_sample(&k, 1, 2, (uint32_t[]){ maker_native(&k, 0x10), app }, 2);
		maker_load(&k, m);
	}
	maker_inline(m, 0x30);
	return m;
}

static void samples_are_merged_by_path_route_and_status(void)
{
	struct model *m = requests();
	struct profile_in *in = rendered(m, VIEW_MIXED);

	check_samples(in, "4 GET /x 200: App.app:6\n"
			  "6 GET /x 200: inner:3<outer:9@1;App.app:6\n"
			  "2 GET /x 500: App.app:6\n"
			  "3 GET /x 500: inner:3<outer:9@1;App.app:6\n");
	/* Each place once, whatever the number of stacks it is in. */
	CHECK_INT(in->n_locations, 2);
	CHECK_INT(in->n_functions, 3);
	CHECK_INT(in->n_mappings, 1);
	CHECK_STR(in->strings[in->mappings[0].filename], "/lib/libthing.so.1");
	CHECK_STR(in->strings[in->mappings[0].build_id], "abcd");
	CHECK_INT(in->duration_ns, 15 * NS_PER_MS);
	CHECK_INT(in->time_ns, 1795446911000000000);
	CHECK_STR(in->strings[in->default_sample_type], "wall");
	profile_free(in);
	model_free(m);
}

static void functions_keep_code_names_files_and_first_lines(void)
{
	struct model *m = requests();
	struct profile_in *in = rendered(m, VIEW_PYTHON);
	const struct profile_function_in *f = in->functions;

	check_samples(in, "10 GET /x 200: App.app:6\n5 GET /x 500: App.app:6\n");
	CHECK_INT(in->n_functions, 1);
	CHECK_STR(in->strings[f->name], "App.app");
	CHECK_INT(f->system_name, 0);
	CHECK_STR(profile_code_name(in->strings[f->name]), "app");
	CHECK_STR(in->strings[f->filename], "/srv/wsgi.py");
	CHECK_INT(f->start_line, 5);
	profile_free(in);
	model_free(m);
}

/* The same inner function inlined into two holders, and by two ways into one, is three places. */
static void inlined_calls_are_told_apart_by_all_their_callers(void)
{
	struct model *m = model_new();
	uint32_t inner, middle, outer, frames[3][3];
	static const size_t depths[] = { 3, 2, 1 };
	struct profile_in *in;

	maker_begin(&k, "GET", "/x", 200);
	for (uint64_t i = 0; i < 4; i++)
		maker_sample(&k, 1, 1, (uint32_t[]){ maker_native(&k, 0x100 + i % 3) }, 1);
	maker_load(&k, m);
	inner = model_function(m, FRAME_NATIVE, "inner", "inner", "t.c", 1, "/lib/libthing.so.1");
	middle =
		model_function(m, FRAME_NATIVE, "middle", "middle", "t.c", 2, "/lib/libthing.so.1");
	outer = model_function(m, FRAME_NATIVE, "outer", "outer", "t.c", 3, "/lib/libthing.so.1");
	frames[0][0] = model_frame(m, inner, 1, true);
	frames[0][1] = model_frame(m, middle, 2, true);
	frames[0][2] = model_frame(m, outer, 3, false);
	frames[1][0] = frames[0][0];
	frames[1][1] = frames[0][2];
	frames[2][0] = frames[0][2];
	for (uint32_t i = 0; i < m->n_locations; i++)
		model_set_frames(m, i, frames[i], (uint32_t)depths[i]);
	in = rendered(m, VIEW_MIXED);
	CHECK_INT(in->n_locations, 3);
	check_samples(in, "1 GET /x 200: outer:3@1\n"
			  "2 GET /x 200: inner:1<middle:2<outer:3@1\n"
			  "1 GET /x 200: inner:1<outer:3@1\n");
	profile_free(in);
	model_free(m);
}

static void the_deepest_stacks_lose_their_root_end(void)
{
	struct model *m = model_new();
	static uint32_t frames[MAKER_STACK];
	struct profile_in *in;

	maker_begin(&k, "GET", "/x", 200);
	for (int i = 0; i < MAKER_STACK; i++)
		frames[i] = maker_python(&k, "a.py", 1, "f", "f", i + 1);
	maker_sample(&k, 1, 1, frames, MAKER_STACK);
	maker_load(&k, m);
	in = rendered(m, VIEW_MIXED);
	CHECK_INT(in->samples[0].n_locations, MAKER_STACK);
	profile_free(in);
	model_free(m);
}

static ssize_t refuse(void *cookie, const char *bytes, size_t len)
{
	errno = ENOSPC;
	return 0;
}

static void a_full_disk_is_an_error(void)
{
	struct model *m = requests();
	FILE *out = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = refuse });
	struct view *v;

	setvbuf(out, NULL, _IONBF, 0);
	model_symbolize(m, NULL);
	v = view_make(m, VIEW_MIXED);
	CHECK(pprof_render(v, out) < 0);
	fclose(out);
	view_free(v);
	model_free(m);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(samples_are_merged_by_path_route_and_status),
		TAP_TEST(functions_keep_code_names_files_and_first_lines),
		TAP_TEST(inlined_calls_are_told_apart_by_all_their_callers),
		TAP_TEST(the_deepest_stacks_lose_their_root_end),
		TAP_TEST(a_full_disk_is_an_error),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
