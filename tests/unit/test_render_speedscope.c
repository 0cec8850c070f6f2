#include "tools/render/speedscope.h"

#include <jansson.h>

#include "tests/unit/render_model.h"

static struct maker k;

static void check(struct model *m, enum view_mode mode, enum profile_value by, const char *want)
{
	struct written w;
	struct view *v;

	model_symbolize(m, NULL);
	v = view_make(m, mode);
	speedscope_render(v, by, written_open(&w));
	written_close(&w);
	CHECK_STR(w.bytes, want);
	free(w.bytes);
	view_free(v);
	model_free(m);
}

#define HEAD                                                                   \
	"{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\"," \
	"\"exporter\":\"reqprof@" REQPROF_VERSION "\","

/* In the file's order of samples, not of time: what comes out must be in that of time. */
static struct model *one_request(void)
{
	struct model *m = model_new();
	uint32_t app, view, leaf;

	maker_begin(&k, "GET", "/x", 200);
	app = maker_python(&k, "/srv/wsgi.py", 5, "app", "app", 6);
	view = maker_python(&k, "/srv/views.py", 10, "V.get", "get", 12);
	leaf = maker_native(&k, 0x30);
	k.at_ms = 50;
	maker_sample(&k, 1, 3, (uint32_t[]){ app, view, leaf }, 3);
	k.at_ms = 0;
	maker_sample(&k, 1, 2, (uint32_t[]){ app }, 1);
	maker_sample(&k, 0, 0, (uint32_t[]){ app, view }, 2);
	maker_load(&k, m);
	maker_inline(m, 0x30);
	return m;
}

static void samples_are_in_the_order_of_time_and_root_first(void)
{
	check(one_request(), VIEW_MIXED, PROFILE_WALL,
	      HEAD "\"name\":\"GET /x 5.0 ms 200 (7-1)\",\"activeProfileIndex\":0,"
		   "\"profiles\":[{\"type\":\"sampled\",\"name\":\"GET /x 5.0 ms 200 (7-1)\","
		   "\"unit\":\"nanoseconds\",\"startValue\":0,\"samples\":[[0],[0,1,2,3]],"
		   "\"weights\":[2000000,3000000],\"endValue\":5000000}],"
		   "\"shared\":{\"frames\":["
		   "{\"name\":\"app\",\"file\":\"/srv/wsgi.py\",\"line\":5},"
		   "{\"name\":\"V.get\",\"file\":\"/srv/views.py\",\"line\":10},"
		   "{\"name\":\"outer\",\"file\":\"thing.c\",\"line\":7},"
		   "{\"name\":\"inner\",\"file\":\"thing.h\",\"line\":2}]}}\n");
}

static void counts_have_no_unit(void)
{
	check(one_request(), VIEW_PYTHON, PROFILE_SAMPLES,
	      HEAD "\"name\":\"GET /x 5.0 ms 200 (7-1)\",\"activeProfileIndex\":0,"
		   "\"profiles\":[{\"type\":\"sampled\",\"name\":\"GET /x 5.0 ms 200 (7-1)\","
		   "\"unit\":\"none\",\"startValue\":0,\"samples\":[[0],[0,1]],"
		   "\"weights\":[1,1],\"endValue\":2}],"
		   "\"shared\":{\"frames\":["
		   "{\"name\":\"app\",\"file\":\"/srv/wsgi.py\",\"line\":5},"
		   "{\"name\":\"V.get\",\"file\":\"/srv/views.py\",\"line\":10}]}}\n");
}

static void each_request_is_a_profile_also_one_without_samples(void)
{
	struct model *m = model_new();

	maker_begin(&k, "GET", "/x", 0);
	maker_load(&k, m);
	maker_begin(&k, "PUT", "/y", 404);
	maker_sample(&k, 0, 1, (uint32_t[]){ maker_pseudo(&k, PROFILE_REST_FRAME) }, 1);
	maker_load(&k, m);
	check(m, VIEW_MIXED, PROFILE_WALL,
	      HEAD
	      "\"name\":\"reqprof\",\"activeProfileIndex\":0,\"profiles\":["
	      "{\"type\":\"sampled\",\"name\":\"GET /x 0.0 ms (7-1)\",\"unit\":\"nanoseconds\","
	      "\"startValue\":0,\"samples\":[],\"weights\":[],\"endValue\":0},\n"
	      "{\"type\":\"sampled\",\"name\":\"PUT /y 1.0 ms 404 (7-1)\","
	      "\"unit\":\"nanoseconds\",\"startValue\":0,\"samples\":[[0]],"
	      "\"weights\":[1000000],\"endValue\":1000000}],"
	      "\"shared\":{\"frames\":["
	      "{\"name\":\"[unaccounted]\"}]}}\n");
}

static void any_bytes_in_a_path_are_json(void)
{
	struct model *m = model_new();
	struct written w;
	struct view *v;
	json_t *root;

	maker_begin(&k, "GET", "/\xff\"\\\n\x01\xc3\xa9</script>", 200);
	maker_sample(&k, 1, 1, (uint32_t[]){ maker_python(&k, "a\"\n.py", 1, "f\x7f", "f", 1) }, 1);
	maker_load(&k, m);
	model_symbolize(m, NULL);
	v = view_make(m, VIEW_MIXED);
	speedscope_render(v, PROFILE_WALL, written_open(&w));
	written_close(&w);
	root = json_loads(w.bytes, 0, NULL);
	CHECK(root != NULL);
	CHECK_STR(json_string_value(json_object_get(root, "name")),
		  "GET /\xef\xbf\xbd\"\\\n\x01\xc3\xa9</script> 1.0 ms 200 (7-1)");
	json_decref(root);
	free(w.bytes);
	view_free(v);
	model_free(m);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(samples_are_in_the_order_of_time_and_root_first),
		TAP_TEST(counts_have_no_unit),
		TAP_TEST(each_request_is_a_profile_also_one_without_samples),
		TAP_TEST(any_bytes_in_a_path_are_json),
	};

	return tap_run(tests, sizeof(tests) / sizeof(*tests));
}
