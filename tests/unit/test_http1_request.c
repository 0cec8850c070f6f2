#include "preload/wire/http1.h"

#include "tests/unit/http1_request.h"

/* A target in an ordinary request. */
static void feed_target(const char *method, const char *target)
{
	char text[4096];

	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, target);
	CHECK_INT(feed(text), strlen(text));
}

/* Fields in an ordinary GET; both end with \r\n. */
static void feed_fields(const char *fields)
{
	char text[4096];

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	CHECK_INT(feed(text), strlen(text));
}

#define TRACEPARENT "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* Every kind of message, for the tests that cut them. The last bytes may belong to the next one. */
static const char *const samples[] = {
	"GET / HTTP/1.1\r\n\r\n",
	"GET /a/b?q=secret&r=1#frag HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n",
	"\r\n\n\r\nGET /lead HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
	"HEAD /h HTTP/1.1\nHost: h\nX-Request-ID:  id-1 \t\n\n",
	"GET http://user:pw@example.org:8080/abs?q=1 HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET http://example.org?q=1 HTTP/1.1\r\nHost: h\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"CONNECT example.org:443 HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n\x16\x03\x01\x01",
	"GET /with space?x and more HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /a HT HTTP/ab HTTP/1.1\r\n\r\n",
	"GET  /two  HTTP/1.1 \r\n\r\n",
	"GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
	"POST /h2c HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	"Content-Length: 4\r\n\r\nbody",
	"GET /t HTTP/1.1\r\nTraceparent: " TRACEPARENT "\r\nx-request-id: " LONG_ID
	"\r\nConnection: close\r\n\r\nGET /next HTTP/1.1\r\n\r\n",
	"GET /fold HTTP/1.1\r\nX-Request-Id: one\r\n \t two\r\nCookie: a\r\n\tConnection: close\r\n"
	"Connection: x,\r\n close\r\n\r\n",
	"GET /junk HTTP/1.1\r\nno colon here\r\n: no name\r\nConnection : close\r\nCon\r\nExpect\r\n"
	"content\rlength: 9\r\n\r\r\nt\r\n\r\n",
	"POST /len HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET / HTTP/1.1",
	"POST /len2 HTTP/1.1\r\nContent-Length: 5, 5\r\ncontent-length: 5\r\n\r\nhelloX",
	"POST /bad HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello, world",
	"POST /chunks HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
	"4;name=\"v\"\r\nWiki\r\n00A \r\n0123456789\r\n0\r\nExpires: never\r\nX: y\r\n\r\nGET",
	"POST /chunks HTTP/1.1\nTransfer-Encoding: gzip, chunked\n\n3\nabc\n0\n\nGET",
	"POST /broken HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
	"POST /gzip HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
	"GET /9",
	"GET /9\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
	"GET /nul\x01 HTTP/1.1\r\n\r\n",
	"NOTATOKENBECAUSEITISTOOLONG / HTTP/1.1\r\n\r\n",
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

/* Checks that two parsers know the same. */
static void check_same(const struct http1_request *a, const struct http1_request *b)
{
	CHECK_STR(a->facts.method, b->facts.method);
	CHECK_STR(a->facts.path, b->facts.path);
	CHECK_INT(a->facts.path_len, b->facts.path_len);
	CHECK_INT(a->facts.path_full_len, b->facts.path_full_len);
	CHECK_STR(a->facts.traceparent, b->facts.traceparent);
	CHECK_STR(a->facts.request_id, b->facts.request_id);
	CHECK_INT(a->facts.http_minor, b->facts.http_minor);
	CHECK_INT(a->facts.keep_alive, b->facts.keep_alive);
	CHECK_INT(a->facts.expect_continue, b->facts.expect_continue);
	CHECK_INT(a->facts.upgrade, b->facts.upgrade);
	CHECK_INT(a->facts.is_head, b->facts.is_head);
	CHECK_INT(a->facts.is_connect, b->facts.is_connect);
	CHECK_INT(a->stage, b->stage);
	CHECK_INT(a->started, b->started);
	CHECK_INT(a->body.left, b->body.left);
}

/* Feeds the pieces between cuts (ascending, the last one the end); the total used, or WIRE_NOT. */
static ssize_t feed_pieces(struct http1_request *r, const char *bytes, const size_t *cuts, size_t n)
{
	size_t from = 0;

	http1_request_start(r);
	for (size_t i = 0; i < n; i++) {
		size_t len = cuts[i] - from;
		ssize_t used = http1_request_feed(r, guard_copy(bytes + from, len), len);

		if (used < 0)
			return used;
		from += (size_t)used;
		if ((size_t)used < len)
			break;
	}
	return (ssize_t)from;
}

static void split_head_gives_the_same_facts(void)
{
	static struct http1_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t len = strlen(samples[i]);
		ssize_t used = feed_bytes(&whole, samples[i], len);

		for (size_t at = 0; at <= len; at++) {
			CHECK_INT(feed_pieces(&cut, samples[i], (size_t[]){ at, len }, 2), used);
			if (used >= 0)
				check_same(&cut, &whole);
		}
	}
}

static void head_in_three_pieces_gives_the_same_facts(void)
{
	static struct http1_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t len = strlen(samples[i]);
		ssize_t used = feed_bytes(&whole, samples[i], len);

		for (size_t a = 0; a <= len; a++) {
			for (size_t b = a; b <= len; b++) {
				size_t cuts[] = { a, b, len };

				CHECK_INT(feed_pieces(&cut, samples[i], cuts, 3), used);
				if (used >= 0)
					check_same(&cut, &whole);
			}
		}
	}
}

static void byte_by_byte_gives_the_same_facts(void)
{
	static struct http1_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t len = strlen(samples[i]), cuts[1024];
		ssize_t used = feed_bytes(&whole, samples[i], len);

		for (size_t at = 0; at < len; at++)
			cuts[at] = at + 1;
		CHECK_INT(feed_pieces(&cut, samples[i], cuts, len), used);
		if (used >= 0)
			check_same(&cut, &whole);
	}
}

static void truncated_message_is_not_done(void)
{
	static struct http1_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		size_t len = strlen(samples[i]);
		ssize_t used = feed_bytes(&whole, samples[i], len);

		for (size_t at = 0; used > 0 && at < (size_t)used; at++) {
			CHECK_INT(feed_bytes(&cut, samples[i], at), at);
			CHECK(cut.stage != WIRE_DONE);
		}
	}
}

static void nothing_fed_changes_nothing(void)
{
	http1_request_start(&request);
	CHECK_INT(http1_request_feed(&request, NULL, 0), 0);
	CHECK_INT(request.stage, WIRE_HEAD);
	CHECK(!request.started);
}

static void plain_get_tells_method_and_path(void)
{
	CHECK_INT(feed_and_rest("GET /a/b HTTP/1.1\r\nHost: h\r\n\r\n"), 0);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(request.started);
	CHECK_STR(request.facts.method, "GET");
	CHECK_STR(request.facts.path, "/a/b");
	CHECK_INT(request.facts.path_len, 4);
	CHECK_INT(request.facts.path_full_len, 4);
	CHECK_INT(request.facts.http_minor, 1);
	CHECK(request.facts.keep_alive);
	CHECK_STR(request.facts.traceparent, "");
	CHECK_STR(request.facts.request_id, "");
	CHECK(!request.facts.upgrade && !request.facts.expect_continue);
	CHECK(!request.facts.is_head && !request.facts.is_connect);
}

static void method_and_path_are_known_before_the_head_ends(void)
{
	CHECK_INT(feed_and_rest("GET /early HTTP/1.1\r\nHo"), 0);
	CHECK_INT(request.stage, WIRE_HEAD);
	CHECK(request.started);
	CHECK_STR(request.facts.method, "GET");
	CHECK_STR(request.facts.path, "/early");
}

static void empty_lines_before_a_request_do_not_start_it(void)
{
	CHECK_INT(feed_and_rest("\r\n\r\n\n"), 0);
	CHECK(!request.started);
	CHECK_INT(request.stage, WIRE_HEAD);
	CHECK_INT(more_and_rest("GET / HTTP/1.1\r\n\r\n"), 0);
	CHECK(request.started);
	CHECK_INT(request.stage, WIRE_DONE);
}

/* Looks through the whole struct, not only through the strings. */
static bool remembers(const char *secret)
{
	return memmem(&request, sizeof(request), secret, strlen(secret)) != NULL;
}

static void query_is_kept_nowhere_in_memory(void)
{
	static const char *const targets[] = {
		"/login?token=hunter2",
		"http://h/login?token=hunter2",
		"http://h?token=hunter2",
		"http://user:hunter2@h/",
		"/login#hunter2",
		"/login? hunter2",
		"/login?a=http://hunter2/x",
		"?hunter2",
	};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		memset(&request, 0, sizeof(request));
		feed_target("GET", targets[i]);
		CHECK(!remembers("hunter2"));
		CHECK(!strchr(request.facts.path, '?'));
	}
}

static void credentials_and_cookies_are_kept_nowhere(void)
{
	memset(&request, 0, sizeof(request));
	feed_fields(
		"Authorization: Basic hunter2\r\nCookie: s=hunter2\r\nX-Auth-Token: hunter2\r\n");
	CHECK(!remembers("hunter2"));
}

static void absolute_target_gives_its_path(void)
{
	feed_target("GET", "http://example.org:80/a/b?q");
	CHECK_STR(request.facts.path, "/a/b");
	CHECK_INT(request.facts.path_full_len, 4);
	feed_target("GET", "HTTPS://u:p@[::1]:80/c#d");
	CHECK_STR(request.facts.path, "/c");
	feed_target("GET", "http://example.org");
	CHECK_STR(request.facts.path, "/");
	feed_target("GET", "http://example.org?q=/x");
	CHECK_STR(request.facts.path, "/");
}

static void path_that_looks_like_a_scheme_stays(void)
{
	feed_target("GET", "/a://b/c");
	CHECK_STR(request.facts.path, "/a://b/c");
	feed_target("GET", "a:/b");
	CHECK_STR(request.facts.path, "a:/b");
	feed_target("GET", "://b");
	CHECK_STR(request.facts.path, "://b");
	feed_target("GET", "//b/c");
	CHECK_STR(request.facts.path, "//b/c");
}

static void options_star_stays(void)
{
	feed_target("OPTIONS", "*");
	CHECK_STR(request.facts.path, "*");
}

static void connect_names_its_authority_and_has_no_body(void)
{
	const char *text = "CONNECT h.example:443 HTTP/1.1\r\nContent-Length: 10\r\n\r\ntunnel";

	CHECK_INT(feed(text), strlen(text) - 6);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(request.facts.is_connect);
	CHECK_STR(request.facts.path, "h.example:443");
}

static void head_is_head_in_upper_case_only(void)
{
	feed_target("HEAD", "/");
	CHECK(request.facts.is_head);
	feed_target("head", "/");
	CHECK(!request.facts.is_head);
	feed_target("HEADER", "/");
	CHECK(!request.facts.is_head);
}

static void spaces_in_a_target_belong_to_it(void)
{
	feed_target("GET", "/a b HTT c");
	CHECK_STR(request.facts.path, "/a b HTT c");
	feed_target("GET", " /a ");
	CHECK_STR(request.facts.path, "/a");
}

static void long_path_is_cut_and_its_length_told(void)
{
	enum { LONG = 8000 };
	static const char *const tails[] = { " HTTP/1.1\r\n\r\n", "?q=1 HTTP/1.1\r\n\r\n" };
	char text[LONG + 64];

	for (size_t i = 0; i < 2; i++) {
		strcpy(text, "GET /");
		memset(text + 5, 'a', LONG - 1);
		strcpy(text + 4 + LONG, tails[i]);
		CHECK_INT(feed(text), strlen(text));
		CHECK_INT(request.stage, WIRE_DONE);
		CHECK_INT(request.facts.path_len, WIRE_PATH_MAX - 1);
		CHECK_INT(strlen(request.facts.path), WIRE_PATH_MAX - 1);
		CHECK_INT(request.facts.path_full_len, LONG);
	}
}

static void path_that_just_fits_is_not_cut(void)
{
	char text[WIRE_PATH_MAX + 64];

	for (int len = WIRE_PATH_MAX - 2; len <= WIRE_PATH_MAX; len++) {
		memset(text, 'a', sizeof(text));
		memcpy(text, "GET /", 5);
		strcpy(text + 4 + len, " HTTP/1.1\r\n\r\n");
		CHECK_INT(feed(text), strlen(text));
		CHECK_INT(request.facts.path_full_len, len);
		CHECK_INT(request.facts.path_len, len < WIRE_PATH_MAX ? len : WIRE_PATH_MAX - 1);
		CHECK(!strncmp(request.facts.path, text + 4, request.facts.path_len));
	}
}

static void path_bytes_are_raw(void)
{
	feed_target("GET", "/%00/../\xc3\xa9%0a;v=1/\x7f\xff");
	CHECK_STR(request.facts.path, "/%00/../\xc3\xa9%0a;v=1/\x7f\xff");
}

static void keep_alive_follows_version_and_connection(void)
{
	static const struct {
		const char *version, *fields;
		bool keep_alive;
	} cases[] = {
		{ "1.1", "", true },
		{ "1.1", "Connection: close\r\n", false },
		{ "1.1", "connection:CLOSE\r\n", false },
		{ "1.1", "Connection: keep-alive, close\r\n", false },
		{ "1.1", "Connection: close\r\nConnection: keep-alive\r\n", false },
		{ "1.1", "Connection: closed\r\nConnection: clos\r\n", true },
		{ "1.1", "X-Connection: close\r\nConnections: close\r\n", true },
		{ "1.1", "Connection: " LONG_ID ", close\r\n", false },
		{ "1.1", "Connection: a, b, c,,, close ,d\r\n", false },
		{ "1.1", "Connection: a,\r\n\tclose\r\n", false },
		{ "1.1", "Connection\r\nConnection: close\r\n", false },
		{ "1.1", "Content-Length\nConnection: close\r\n", false },
		{ "1.1", "Connection  :\tclose\r\n", false },
		{ "1.1", "Cookie: a\r\n Connection: close\r\n", true },
		{ "1.0", "", false },
		{ "1.0", "Connection: Keep-Alive\r\n", true },
		{ "1.0", "Connection: keep-alive, close\r\n", false },
		{ "1.2", "", true },
	};
	char text[1024];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/%s\r\n%s\r\n", cases[i].version,
			 cases[i].fields);
		CHECK_INT(feed(text), strlen(text));
		CHECK_INT(request.facts.keep_alive, cases[i].keep_alive);
		CHECK_INT(request.facts.http_minor, cases[i].version[2] != '0');
	}
}

static void bare_line_feeds_end_lines(void)
{
	CHECK_INT(feed_and_rest("POST /p HTTP/1.1\nContent-Length: 2\nConnection: close\n\nokX"),
		  1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(!request.facts.keep_alive);
}

static void white_space_may_follow_the_version(void)
{
	CHECK_INT(feed_and_rest("GET / HTTP/1.1 \t \r\nHost: h\r\n\r\nGET"), 3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest("GET / HTTP/1.1 \nHost: h\n\nGET"), 3);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void folded_value_is_joined(void)
{
	feed_fields("X-Request-Id: one\r\n  two \r\n\tthree\r\n");
	CHECK_STR(request.facts.request_id, "one  two three");
	feed_fields("X-Request-Id:\r\n one\r\n");
	CHECK_STR(request.facts.request_id, "one");
}

static void x_reqprof_asks_for_a_profile(void)
{
	CHECK(feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n") > 0 && !request.facts.asked);
	CHECK(feed("GET / HTTP/1.1\r\nX-Reqprof: 1\r\n\r\n") > 0 && request.facts.asked);
	CHECK(feed("GET / HTTP/1.1\r\nx-reqprof: please\r\n\r\n") > 0 && request.facts.asked);
	CHECK(feed("GET / HTTP/1.1\r\nX-Reqprof: 0\r\n\r\n") > 0 && !request.facts.asked);
	CHECK(feed("GET / HTTP/1.1\r\nX-Reqprofs: 1\r\n\r\n") > 0 && !request.facts.asked);
}

static void request_id_is_trimmed_and_cut(void)
{
	feed_fields("X-REQUEST-ID: \t a b \t\r\nX-Request-Id: second\r\n");
	CHECK_STR(request.facts.request_id, "a b");
	feed_fields("X-Request-Id: " LONG_ID "\r\n");
	CHECK_INT(strlen(request.facts.request_id), WIRE_ID_MAX - 1);
	CHECK(!strncmp(request.facts.request_id, LONG_ID, WIRE_ID_MAX - 1));
	feed_fields("X-Request-Id:   \r\n");
	CHECK_STR(request.facts.request_id, "");
}

static void traceparent_is_kept_when_it_is_one(void)
{
	static const char *const wrong[] = {
		"",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736x00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
		TRACEPARENT "," TRACEPARENT,
		LONG_ID LONG_ID,
	};
	char fields[512];

	feed_fields("traceparent: " TRACEPARENT " \r\n");
	CHECK_STR(request.facts.traceparent, TRACEPARENT);
	feed_fields("TraceParent:00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\r\n");
	CHECK_STR(request.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(fields, sizeof(fields), "traceparent: %s\r\n", wrong[i]);
		feed_fields(fields);
		CHECK_STR(request.facts.traceparent, "");
	}
}

static void expect_continue_is_noticed(void)
{
	CHECK_INT(feed_and_rest(
			  "PUT / HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"),
		  0);
	CHECK(request.facts.expect_continue);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(more_and_rest("ok"), 0);
	CHECK_INT(request.stage, WIRE_DONE);
	/* A line without a colon is not the beginning of the next one's name. */
	feed_fields("Expect\r\nExpect: 100-continue\r\n");
	CHECK(request.facts.expect_continue);
	feed_fields("Expect: 200-ok\r\n");
	CHECK(!request.facts.expect_continue);
}

static void upgrade_ends_with_its_head(void)
{
	const char *text = "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
	char more[128];

	snprintf(more, sizeof(more), "%s%s", text, "\x81\x85mask");
	CHECK_INT(feed(more), strlen(text));
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(request.facts.upgrade);
}

static void upgrade_offered_with_a_body_has_that_body(void)
{
	CHECK_INT(
		feed_and_rest(
			"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
			"Content-Length: 3\r\n\r\nabcGET"),
		3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(request.facts.upgrade);
}

static void control_bytes_are_part_of_a_target_as_lenient_servers_have_it(void)
{
	feed("GET /\x1b[31m\tred\x07?secret\x1b HTTP/1.1\r\n\r\n");
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_STR(request.facts.path, "/\x1b[31m\tred\x07");
}

static void what_is_not_http1_is_told_early(void)
{
	static const struct {
		const char *bytes;
		size_t len, told_at; /* WIRE_NOT comes with this many bytes, not before */
	} cases[] = {
		{ "\x16\x03\x01\x02", 4, 1 },
		{ "\0S\1\0", 4, 1 },
		{ "HTTP/1.1 200 OK\r\n", 17, 5 },
		{ " GET / HTTP/1.1\r\n", 18, 1 },
		{ "GET\r\n", 5, 4 },
		{ "GET\t/ HTTP/1.1", 14, 4 },
		{ "ABCDEFGHIJKLMNOPQRSTUVWX / HTTP/1.1", 35, 24 },
		{ "GET /\r\n", 7, 6 },
		{ "GET /\n", 6, 6 },
		{ "GET /\0 HTTP/1.1", 15, 6 },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, 12 },
		{ "GET / HTTP/1.x", 14, 14 },
		{ "GET / HTTP/1.1x", 15, 15 },
		{ "GET / HTTP/1.1\rx", 16, 16 },
		{ "GET / http/1.1\r\n", 16, 15 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t told = cases[i].told_at;

		CHECK_INT(feed_bytes(&request, cases[i].bytes, told - 1), told - 1);
		CHECK_INT(feed_bytes(&request, cases[i].bytes, told), WIRE_NOT);
		CHECK_INT(feed_bytes(&request, cases[i].bytes, cases[i].len), WIRE_NOT);
		/* And it stays so, whatever is fed. */
		CHECK_INT(http1_request_feed(&request, "GET / HTTP/1.1\r\n\r\n", 18), WIRE_NOT);
		CHECK_INT(http1_request_skip(&request, 1), WIRE_NOT);
	}
}

static void head_of_64_kib_is_followed(void)
{
	enum { FIELDS = 64, VALUE = 1024 };
	static char text[FIELDS * (VALUE + 16) + 256];
	size_t len = 0;

	len += (size_t)sprintf(text, "GET /big HTTP/1.1\r\n");
	for (int i = 0; i < FIELDS; i++) {
		len += (size_t)sprintf(text + len, "Content-%02d: ", i);
		memset(text + len, 'v', VALUE);
		len += VALUE;
		len += (size_t)sprintf(text + len, "\r\n");
	}
	len += (size_t)sprintf(text + len, "Connection: close\r\nX-Request-Id: last\r\n\r\n");
	CHECK(len > 64 << 10);
	for (size_t piece = 1; piece <= len; piece = piece * 3 + 1) {
		http1_request_start(&request);
		for (size_t at = 0; at < len; at += piece) {
			size_t part = len - at < piece ? len - at : piece;

			CHECK_INT(http1_request_feed(&request, guard_copy(text + at, part), part),
				  part);
			CHECK_INT(request.stage, at + part < len ? WIRE_HEAD : WIRE_DONE);
		}
		CHECK_STR(request.facts.path, "/big");
		CHECK_STR(request.facts.request_id, "last");
		CHECK(!request.facts.keep_alive);
	}
}

static void one_field_of_64_kib_is_followed(void)
{
	enum { VALUE = 64 << 10 };
	static char text[VALUE + 256];
	size_t len = (size_t)sprintf(text, "GET /big HTTP/1.1\r\nConnection: ");

	memset(text + len, 'v', VALUE);
	len += VALUE;
	len += (size_t)sprintf(text + len, ", close\r\n\r\n");
	CHECK_INT(feed_bytes(&request, text, len), len);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(!request.facts.keep_alive);
}

static void struct_is_small(void)
{
	CHECK(sizeof(struct http1_request) < 3 << 10);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(split_head_gives_the_same_facts),
		TAP_TEST(head_in_three_pieces_gives_the_same_facts),
		TAP_TEST(byte_by_byte_gives_the_same_facts),
		TAP_TEST(truncated_message_is_not_done),
		TAP_TEST(nothing_fed_changes_nothing),
		TAP_TEST(plain_get_tells_method_and_path),
		TAP_TEST(method_and_path_are_known_before_the_head_ends),
		TAP_TEST(empty_lines_before_a_request_do_not_start_it),
		TAP_TEST(query_is_kept_nowhere_in_memory),
		TAP_TEST(credentials_and_cookies_are_kept_nowhere),
		TAP_TEST(absolute_target_gives_its_path),
		TAP_TEST(path_that_looks_like_a_scheme_stays),
		TAP_TEST(options_star_stays),
		TAP_TEST(connect_names_its_authority_and_has_no_body),
		TAP_TEST(head_is_head_in_upper_case_only),
		TAP_TEST(spaces_in_a_target_belong_to_it),
		TAP_TEST(long_path_is_cut_and_its_length_told),
		TAP_TEST(path_that_just_fits_is_not_cut),
		TAP_TEST(path_bytes_are_raw),
		TAP_TEST(keep_alive_follows_version_and_connection),
		TAP_TEST(bare_line_feeds_end_lines),
		TAP_TEST(white_space_may_follow_the_version),
		TAP_TEST(folded_value_is_joined),
		TAP_TEST(x_reqprof_asks_for_a_profile),
		TAP_TEST(request_id_is_trimmed_and_cut),
		TAP_TEST(traceparent_is_kept_when_it_is_one),
		TAP_TEST(expect_continue_is_noticed),
		TAP_TEST(upgrade_ends_with_its_head),
		TAP_TEST(upgrade_offered_with_a_body_has_that_body),
		TAP_TEST(control_bytes_are_part_of_a_target_as_lenient_servers_have_it),
		TAP_TEST(what_is_not_http1_is_told_early),
		TAP_TEST(head_of_64_kib_is_followed),
		TAP_TEST(one_field_of_64_kib_is_followed),
		TAP_TEST(struct_is_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
