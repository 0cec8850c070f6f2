/* Which requests a command gets: files, filters, and one view of each request. */
#include "tests/unit/tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "format/profile.h"
#include "tools/base/errors.h"
#include "tools/cmd/inputs.h"

static char directory[] = "/tmp/test_inputs.XXXXXX";

static int to_gzip(void *arg, const void *bytes, size_t len)
{
	return gzwrite(arg, bytes, (unsigned)len) == (int)len ? 0 : -5;
}

struct facts {
	const char *role, *upstream, *peer, *method, *route, *path;
	int status, wall_ms, start;
};

/* mode "wb" compresses, "wbT" does not. */
static void write_file(const char *name, const char *mode, const struct facts *f)
{
	static uint64_t memory[PROFILE_MEMORY_MIN / 8];
	static struct profile_writer w;
	struct profile_text rest = { PROFILE_REST_FRAME, strlen(PROFILE_REST_FRAME) }, none = { 0 };
	int64_t values[PROFILE_VALUES] = { 0, 0, 0, f->wall_ms * 1000000LL };
	const struct {
		const char *key, *value;
	} texts[] = {
		{ PROFILE_KEY_ROLE, f->role },	 { PROFILE_KEY_UPSTREAM, f->upstream },
		{ PROFILE_KEY_PEER, f->peer },	 { PROFILE_KEY_METHOD, f->method },
		{ PROFILE_KEY_ROUTE, f->route }, { PROFILE_KEY_PATH, f->path },
	};
	uint32_t location;
	char path[200];
	gzFile out;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	out = gzopen(path, mode);
	profile_write_begin(&w, to_gzip, out, memory, sizeof(memory));
	profile_write_comment_number(&w, PROFILE_KEY_VERSION, PROFILE_VERSION);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].value)
			profile_write_comment(&w, texts[i].key, texts[i].value,
					      strlen(texts[i].value));
	}
	if (f->status)
		profile_write_comment_number(&w, PROFILE_KEY_STATUS, f->status);
	profile_write_comment_number(&w, PROFILE_KEY_WALL_NS, values[PROFILE_WALL]);
	profile_write_comment_number(&w, PROFILE_KEY_SAMPLES, 0);
	profile_write_times(&w, 1000 + f->start, values[PROFILE_WALL], 1);
	location =
		profile_write_line_location(&w, profile_write_function(&w, rest, none, none, 0), 0);
	profile_write_sample(&w, &location, 1, values, NULL, 0);
	CHECK_INT(profile_write_end(&w), 0);
	CHECK_INT(gzclose(out), Z_OK);
}

static void empty_directory(void)
{
	char command[200];

	snprintf(command, sizeof(command), "rm -rf %s && mkdir %s", directory, directory);
	CHECK_INT(system(command), 0);
}

/* The base names of what is collected, parted by spaces; errors go to nobody. */
static const char *collect(struct inputs *inputs, const char *only)
{
	static char names[400];
	char path[200];
	char *paths[] = { directory };
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	if (only) {
		snprintf(path, sizeof(path), "%s/%s", directory, only);
		paths[0] = path;
	}
	dup2(null, 2);
	CHECK_INT(inputs_collect(inputs, paths, 1), OPTIONS_GO_ON);
	dup2(saved, 2);
	close(saved);
	close(null);
	names[0] = '\0';
	for (uint32_t i = 0; i < inputs->n_requests; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? " " : "",
			 strrchr(inputs->requests[i].file, '/') + 1);
	return names;
}

static const struct facts server = { "server", NULL, "1.2.3.4:5", "GET", "/u/{n}", "/u/1", 200, 5, 0 };
static const struct facts behind = { "proxy",  "1.2.3.4:5", "9.9.9.9:1", "GET",
				     "/u/{n}", "/u/1",	    200,	 6, 0 };
static const struct facts alone = { "proxy",  "1.2.3.4:6", "9.9.9.9:2", "GET",
				    "/u/{n}", "/u/2",	   200,		7, 0 };
static const struct facts unlinked = {
	"proxy", NULL, "9.9.9.9:3", "GET", "/u/{n}", "/u/3", 200, 8, 0
};

static void a_proxy_is_hidden_when_the_server_is_there(void)
{
	struct inputs inputs;

	empty_directory();
	write_file("s.pprof", "wbT", &server);
	write_file("p.pprof", "wbT", &behind);
	write_file("q.pprof", "wbT", &alone);
	write_file("r.pprof", "wbT", &unlinked);
	inputs_init(&inputs);
	CHECK_STR(collect(&inputs, NULL), "q.pprof s.pprof");
	CHECK_INT(inputs.n_hidden, 2);
	CHECK_INT(inputs.status_code, EXIT_DONE);
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.all = true;
	CHECK_STR(collect(&inputs, NULL), "p.pprof q.pprof r.pprof s.pprof");
	inputs_release(&inputs);
	/* asked for by name, and nothing else: it is wanted */
	inputs_init(&inputs);
	CHECK_STR(collect(&inputs, "p.pprof"), "p.pprof");
	inputs_release(&inputs);
}

static void a_proxys_own_peer_does_not_hide_proxies(void)
{
	struct inputs inputs;
	struct facts chained = alone;

	chained.upstream = "9.9.9.9:1"; /* as if another proxy had served it: both are witnesses */
	empty_directory();
	write_file("p.pprof", "wbT", &behind);
	write_file("c.pprof", "wbT", &chained);
	inputs_init(&inputs);
	CHECK_STR(collect(&inputs, NULL), "c.pprof p.pprof");
	inputs_release(&inputs);
}

static void filters_are_all_to_be_passed(void)
{
	struct facts post = server, slow = server, failed = server, silent = server;
	struct inputs inputs;

	empty_directory();
	post.method = "POST";
	slow.wall_ms = 500;
	slow.route = "/slow";
	slow.path = "/slow";
	failed.status = 503;
	silent.status = 0;
	write_file("get.pprof", "wbT", &server);
	write_file("post.pprof", "wbT", &post);
	write_file("slow.pprof", "wbT", &slow);
	write_file("failed.pprof", "wbT", &failed);
	write_file("silent.pprof", "wbT", &silent);
	inputs_init(&inputs);
	inputs.method = "post";
	CHECK_STR(collect(&inputs, NULL), "post.pprof");
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.status = "5xx";
	CHECK_STR(collect(&inputs, NULL), "failed.pprof");
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.status = "none";
	CHECK_STR(collect(&inputs, NULL), "silent.pprof");
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.route = "/u/{n}";
	inputs.status = "200";
	CHECK_STR(collect(&inputs, NULL), "get.pprof post.pprof");
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.route = "/s*w";
	CHECK_STR(collect(&inputs, NULL), "slow.pprof");
	inputs_release(&inputs);
	inputs_init(&inputs);
	inputs.min_ms = 400;
	CHECK_STR(collect(&inputs, NULL), "slow.pprof");
	inputs_release(&inputs);
}

static void other_files_are_left_alone(void)
{
	struct inputs inputs;
	char path[200];

	empty_directory();
	write_file("a.pprof", "wbT", &server);
	write_file("b.pprof.gz", "wb", &server);
	write_file(".tmp.pprof", "wbT", &server);
	write_file("reqprof.control", "wbT", &server);
	snprintf(path, sizeof(path), "%s/dir.pprof", directory);
	mkdir(path, 0700);
	inputs_init(&inputs);
	CHECK_STR(collect(&inputs, NULL), "a.pprof b.pprof.gz");
	CHECK_INT(inputs.status_code, EXIT_DONE);
	inputs_release(&inputs);
}

static void a_damaged_file_does_not_hide_the_others(void)
{
	struct inputs inputs;
	struct model *m;
	char path[200], *paths[] = { directory };

	empty_directory();
	write_file("a.pprof", "wbT", &server);
	write_file("b.pprof", "wbT", &server);
	write_file("c.pprof.gz", "wb", &server);
	snprintf(path, sizeof(path), "%s/b.pprof", directory);
	CHECK_INT(truncate(path, 300), 0);
	snprintf(path, sizeof(path), "%s/c.pprof.gz", directory);
	CHECK_INT(truncate(path, 100), 0);
	snprintf(path, sizeof(path), "%s/fifo.pprof", directory);
	CHECK_INT(mkfifo(path, 0600), 0);
	inputs_init(&inputs);
	CHECK_STR(collect(&inputs, NULL), "a.pprof");
	CHECK_INT(inputs.status_code, EXIT_UNREADABLE);
	inputs_release(&inputs);

	empty_directory();
	write_file("a.pprof", "wbT", &server);
	inputs_init(&inputs);
	CHECK_INT(inputs_load(&inputs, paths, 1, &m), OPTIONS_GO_ON);
	CHECK_INT(m->n_requests, 1);
	CHECK_INT(m->requests[0].wall_ns, 5000000);
	model_free(m);
	inputs_release(&inputs);
}

/* Of a model: each request has the sample that its file has, in order of their starts. */
static void check_model(const struct model *m, const int *wall_ms, uint32_t n)
{
	CHECK_INT(m->n_requests, n);
	for (uint32_t i = 0; i < n && i < m->n_requests; i++) {
		const struct request *r = &m->requests[i];

		CHECK_INT(r->wall_ns, wall_ms[i] * 1000000LL);
		CHECK_INT(r->n_samples, 1);
		CHECK_INT(m->samples[r->first_sample].values[PROFILE_WALL], r->wall_ns);
		CHECK_INT(m->samples[r->first_sample].request, i);
	}
}

static struct model *load(int status)
{
	char *paths[] = { directory };
	struct inputs inputs;
	struct model *m;
	int saved = dup(2), null = open("/dev/null", O_WRONLY);

	inputs_init(&inputs);
	dup2(null, 2);
	CHECK_INT(inputs_load(&inputs, paths, 1, &m), OPTIONS_GO_ON);
	dup2(saved, 2);
	close(saved);
	close(null);
	CHECK_INT(inputs.status_code, status);
	inputs_release(&inputs);
	return m;
}

/* More than are decoded ahead, by threads where there are processors for them. */
static void many_files_come_in_order_of_their_starts(void)
{
	enum { FILES = 700, DAMAGED = 7 }; /* one in */
	static int wall_ms[FILES];
	uint32_t n = 0;
	struct model *m;

	empty_directory();
	for (int i = 0; i < FILES; i++) {
		struct facts f = server;
		char name[32], path[200];

		f.wall_ms = i + 1;
		f.start = FILES - i;
		snprintf(name, sizeof(name), "%04d.pprof", i);
		write_file(name, "wbT", &f);
		snprintf(path, sizeof(path), "%s/%s", directory, name);
		if (i % DAMAGED == 0)
			CHECK_INT(truncate(path, 300), 0);
	}
	for (int i = FILES - 1; i >= 0; i--) {
		if (i % DAMAGED != 0)
			wall_ms[n++] = i + 1;
	}
	m = load(EXIT_UNREADABLE);
	check_model(m, wall_ms, n);
	model_free(m);
}

static void a_proxys_samples_are_there_when_it_is_the_only_witness(void)
{
	const int of_both[] = { 7, 5 }; /* of one instant: by name */
	struct model *m;

	empty_directory();
	write_file("p.pprof", "wbT", &behind);
	write_file("q.pprof", "wbT", &alone);
	write_file("s.pprof", "wbT", &server);
	m = load(EXIT_DONE);
	check_model(m, of_both, 2);
	model_free(m);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_proxy_is_hidden_when_the_server_is_there),
		TAP_TEST(a_proxys_own_peer_does_not_hide_proxies),
		TAP_TEST(filters_are_all_to_be_passed),
		TAP_TEST(other_files_are_left_alone),
		TAP_TEST(a_damaged_file_does_not_hide_the_others),
		TAP_TEST(many_files_come_in_order_of_their_starts),
		TAP_TEST(a_proxys_samples_are_there_when_it_is_the_only_witness),
	};
	int status;

	if (!mkdtemp(directory)) {
		printf("Bail out! no directory in /tmp\n");
		return 1;
	}
	status = tap_run(tests, sizeof(tests) / sizeof(tests[0]));
	empty_directory();
	rmdir(directory);
	return status;
}
