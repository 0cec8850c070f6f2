#include "preload/wire/fastcgi.h"

#include "tests/unit/cuts.h"
#include "tests/unit/fastcgi_records.h"

static union wire_request request;
static union wire_response response;

#define REQUEST(text) cuts_request(WIRE_FASTCGI, &request, BYTES(text))
#define RESPONSE(text) cuts_response(WIRE_FASTCGI, &response, &request, BYTES(text))

/* Records made here. */
static char records[200000];
static size_t records_len;

static void add_record(unsigned type, unsigned id, const void *content, size_t len, size_t padding)
{
	char header[8] = { 1,	      (char)type,   (char)(id >> 8), (char)id, (char)(len >> 8),
			   (char)len, (char)padding };

	memcpy(records + records_len, header, sizeof(header));
	records_len += sizeof(header);
	if (len > 0)
		memcpy(records + records_len, content, len);
	records_len += len;
	memset(records + records_len, 0xee, padding);
	records_len += padding;
}

enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES };

static void begin(unsigned id, unsigned flags)
{
	char body[8] = { 0, 1, (char)flags };

	add_record(BEGIN, id, body, sizeof(body), 0);
}

static char pairs[70000];
static size_t pairs_len;

static void add_length(size_t len)
{
	if (len >= 128) {
		pairs[pairs_len++] = (char)(len >> 24 | 0x80);
		pairs[pairs_len++] = (char)(len >> 16);
		pairs[pairs_len++] = (char)(len >> 8);
	}
	pairs[pairs_len++] = (char)len;
}

static void add_pair(const char *key, const char *value)
{
	add_length(strlen(key));
	add_length(strlen(value));
	memcpy(pairs + pairs_len, key, strlen(key));
	pairs_len += strlen(key);
	memcpy(pairs + pairs_len, value, strlen(value));
	pairs_len += strlen(value);
}

static void restart(void)
{
	records_len = pairs_len = 0;
}

/* The pairs so far, as one request of id 1 without a body. */
static void feed_pairs(void)
{
	records_len = 0;
	begin(1, 0);
	add_record(PARAMS, 1, pairs, pairs_len, 3);
	add_record(PARAMS, 1, NULL, 0, 0);
	add_record(STDIN, 1, NULL, 0, 0);
	wire_request_start(WIRE_FASTCGI, &request);
	CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, records, records_len), records_len);
	CHECK_INT(request.any.stage, WIRE_DONE);
}

static void nginx_get_tells_its_facts(void)
{
	REQUEST(nginx_get);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "GET");
	CHECK_STR(request.any.facts.path, "/php/a%20b");
	CHECK_STR(request.any.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_STR(request.any.facts.request_id, "r-1");
	CHECK_INT(request.any.facts.http_minor, 1);
	CHECK(!request.any.facts.keep_alive && !request.any.facts.is_head);
	RESPONSE(php_get);
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK_INT(response.any.status, 200);
	CHECK_INT(response.any.body_bytes, strlen("GET /php/a%20b?x=1\n"));
	CHECK(response.any.started && response.any.closes && !response.any.until_close);
}

static void nginx_post_has_a_body_and_a_status(void)
{
	REQUEST(nginx_post);
	CHECK_STR(request.any.facts.method, "POST");
	CHECK_STR(request.any.facts.path, "/php/p");
	RESPONSE(php_post);
	CHECK_INT(response.any.status, 404);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void kept_connections_stay(void)
{
	REQUEST(nginx_kept_get);
	CHECK(request.any.facts.keep_alive);
	RESPONSE(php_kept_get);
	CHECK(!response.any.closes);
	REQUEST(nginx_kept_post);
	RESPONSE(php_kept_post);
	CHECK_INT(response.any.status, 404);
	CHECK(!response.any.closes);
}

static void two_requests_in_one_read_are_two(void)
{
	static char both[sizeof(nginx_kept_get) + sizeof(nginx_kept_post)];
	size_t first = sizeof(nginx_kept_get) - 1, second = sizeof(nginx_kept_post) - 1;

	memcpy(both, nginx_kept_get, first);
	memcpy(both + first, nginx_kept_post, second);
	wire_request_start(WIRE_FASTCGI, &request);
	CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, both, first + second), first);
	CHECK_STR(request.any.facts.path, "/k/a%20b");
	wire_request_start(WIRE_FASTCGI, &request);
	CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, both + first, second), second);
	CHECK_STR(request.any.facts.path, "/k/p");
}

static void apache_and_uwsgi_are_understood(void)
{
	REQUEST(apache_post);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "POST");
	CHECK_STR(request.any.facts.path, "/f/t.php");
	RESPONSE(uwsgi_post);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void params_go_on_from_record_to_record(void)
{
	restart();
	add_pair("REQUEST_METHOD", "GET");
	add_pair("HTTP_COOKIE", "a=b");
	add_pair("REQUEST_URI", "/a/long/path?and=a&query=too");
	add_pair("HTTP_X_REQUEST_ID", "id-42");
	for (size_t at = 0; at <= pairs_len; at++) {
		records_len = 0;
		begin(7, 0);
		add_record(PARAMS, 7, pairs, at, at % 8);
		/* An empty record in the middle would be the end. */
		if (at > 0 && at < pairs_len)
			add_record(PARAMS, 7, pairs + at, pairs_len - at, 1);
		add_record(PARAMS, 7, NULL, 0, 2);
		add_record(STDIN, 7, NULL, 0, 5);
		if (at == 0)
			continue;
		wire_request_start(WIRE_FASTCGI, &request);
		CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, records, records_len), records_len);
		CHECK_INT(request.any.stage, WIRE_DONE);
		CHECK_STR(request.any.facts.path, "/a/long/path");
		CHECK_STR(request.any.facts.request_id, "id-42");
	}
}

static void long_lengths_have_four_bytes(void)
{
	static char value[60001], key[201];

	restart();
	memset(value, 'v', sizeof(value) - 1);
	memset(key, 'K', sizeof(key) - 1);
	add_pair("HTTP_COOKIE", value);
	add_pair(key, "");
	add_pair("", "");
	add_pair("REQUEST_METHOD", "PUT");
	value[200] = '\0';
	value[0] = '/';
	add_pair("REQUEST_URI", value);
	feed_pairs();
	CHECK_STR(request.any.facts.method, "PUT");
	CHECK_INT(request.any.facts.path_len, 200);
}

static void the_path_comes_from_what_there_is(void)
{
	static const struct {
		const char *pairs[4][2];
		const char *path;
	} cases[] = {
		{ { { "SCRIPT_NAME", "/i.php" }, { "PATH_INFO", "/p" }, { "REQUEST_URI", "/u?q" } },
		  "/u" },
		{ { { "REQUEST_URI", "/u?q" }, { "SCRIPT_NAME", "/i.php" }, { "PATH_INFO", "/p" } },
		  "/u" },
		{ { { "SCRIPT_NAME", "/i.php" }, { "PATH_INFO", "/p" } }, "/i.php/p" },
		{ { { "PATH_INFO", "/p" }, { "SCRIPT_NAME", "/i.php" } }, "/i.php/p" },
		{ { { "PATH_INFO", "/p" }, { "SCRIPT_NAME", "" } }, "/p" },
		{ { { "SCRIPT_NAME", "" }, { "PATH_INFO", "/p" } }, "/p" },
		{ { { "DOCUMENT_URI", "/d" }, { "SCRIPT_NAME", "/s" } }, "/s" },
		{ { { "SCRIPT_NAME", "/s" }, { "DOCUMENT_URI", "/d" } }, "/s" },
		{ { { "DOCUMENT_URI", "/d" }, { "REQUEST_URI", "" } }, "/d" },
		{ { { "REQUEST_URI", "http://h?q" } }, "/" },
		{ { { "QUERY_STRING", "/q" } }, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		restart();
		for (size_t j = 0; j < 4 && cases[i].pairs[j][0]; j++)
			add_pair(cases[i].pairs[j][0], cases[i].pairs[j][1]);
		feed_pairs();
		CHECK_STR(request.any.facts.path, cases[i].path);
	}
}

static void query_and_cookies_are_kept_nowhere_in_memory(void)
{
	restart();
	add_pair("REQUEST_METHOD", "GET");
	add_pair("REQUEST_URI", "http://user:hunter2@h/a?hunter2#hunter2");
	add_pair("QUERY_STRING", "hunter2");
	add_pair("HTTP_COOKIE", "s=hunter2");
	add_pair("HTTP_AUTHORIZATION", "Basic hunter2");
	memset(&request, 0, sizeof(request));
	feed_pairs();
	CHECK_STR(request.any.facts.path, "/a");
	CHECK(!memmem(&request, sizeof(request), "hunter2", 7));
}

static void other_ids_are_passed_over_and_counted(void)
{
	restart();
	add_pair("REQUEST_METHOD", "GET");
	add_pair("REQUEST_URI", "/mine");
	begin(1, 1);
	begin(2, 1);
	add_record(PARAMS, 1, pairs, pairs_len, 0);
	pairs_len = 0;
	add_pair("REQUEST_METHOD", "DELETE");
	add_pair("REQUEST_URI", "/theirs");
	add_record(PARAMS, 2, pairs, pairs_len, 0);
	add_record(PARAMS, 2, NULL, 0, 0);
	add_record(PARAMS, 1, NULL, 0, 0);
	add_record(STDIN, 2, "xyz", 3, 0);
	add_record(STDIN, 2, NULL, 0, 0);
	add_record(STDIN, 1, NULL, 0, 0);
	cuts_request(WIRE_FASTCGI, &request, records, records_len);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "GET");
	CHECK_STR(request.any.facts.path, "/mine");
	CHECK_INT(request.fastcgi.others, 1);
	CHECK_INT(wire_request_others(WIRE_FASTCGI, &request), 1);
	records_len = 0;
	add_record(STDOUT, 2, "Status: 500 No\r\n\r\ntheirs", 24, 0);
	add_record(END, 2, "\0\0\0\0\0\0\0\0", 8, 0);
	add_record(STDOUT, 1, "Status: 201 Made\r\n\r\nmine", 24, 7);
	add_record(END, 1, "\0\0\0\0\0\0\0\0", 8, 2);
	cuts_response(WIRE_FASTCGI, &response, &request, records, records_len);
	CHECK_INT(response.any.status, 201);
	CHECK_INT(response.any.body_bytes, 4);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void what_stands_before_a_request_is_no_request(void)
{
	restart();
	add_record(GET_VALUES, 0, "\17\0FCGI_MPXS_CONNS", 17, 7);
	add_record(STDIN, 9, NULL, 0, 0);
	cuts_request(WIRE_FASTCGI, &request, records, records_len);
	CHECK(!request.any.started);
	CHECK_INT(request.any.stage, WIRE_HEAD);
}

static void an_abort_does_not_end_the_answer(void)
{
	restart();
	begin(1, 0);
	add_record(PARAMS, 1, NULL, 0, 0);
	add_record(ABORT, 1, NULL, 0, 0);
	cuts_request(WIRE_FASTCGI, &request, records, records_len);
	CHECK_INT(request.any.stage, WIRE_BODY);
	records_len = 0;
	add_record(END, 1, "\0\0\0\0\0\0\0\0", 8, 0);
	cuts_response(WIRE_FASTCGI, &response, &request, records, records_len);
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK_INT(response.any.status, 0);
}

static void heads_of_answers_may_be_cut_by_records(void)
{
	static const char head[] = "X-A: b\r\nStatus: 418 Tea\r\nLocation: /x\r\n\r\nbody";

	REQUEST(nginx_get);
	for (size_t at = 1; at < sizeof(head) - 1; at++) {
		restart();
		add_record(STDERR, 1, "Status: 999\r\n\r\n", 15, 1);
		add_record(STDOUT, 1, head, at, at % 3);
		add_record(STDOUT, 1, head + at, sizeof(head) - 1 - at, 0);
		add_record(STDOUT, 1, NULL, 0, 0);
		add_record(END, 1, "\0\0\0\0\0\0\0\0", 8, 0);
		wire_response_start(WIRE_FASTCGI, &response, &request);
		CHECK_INT(cuts_answer(WIRE_FASTCGI, &response, records, records_len), records_len);
		CHECK_INT(response.any.status, 418);
		CHECK_INT(response.any.body_bytes, 4);
		CHECK_INT(response.any.stage, WIRE_DONE);
	}
}

static void a_status_is_found_as_servers_find_it(void)
{
	static const struct {
		const char *head;
		int status;
	} cases[] = {
		{ "\r\n", 200 },
		{ "\n", 200 },
		{ "Content-Type: a\n\n", 200 },
		{ "Location: /x\r\n\r\n", 302 },
		{ "location: /x\r\nstatus:303\r\n\r\n", 303 },
		{ "STATUS: \t404\r\n\r\n", 404 },
		{ "Status: 404\n\n", 404 },
		{ "HTTP/1.1 503 Busy\r\nA: b\r\n\r\n", 503 },
		{ "A: b\r\nHTTP/1.1 503 Busy\r\n\r\n", 200 },
		{ "X-Status: 404\r\nStatusx: 404\r\n\r\n", 200 },
		{ "Status: 40\r\n\r\n", 200 },
		{ "Status: 4040\r\n\r\n", 200 },
		{ "Status: 099\r\n\r\n", 200 },
		{ "Status: abc\r\n\r\n", 200 },
		{ "Status:\r\n\r\n", 200 },
		{ "Status: 500 a\r\nStatus: 404 b\r\n\r\n", 404 },
		{ "A\r\rB: c\r\nStatus: 404\r\n\r\n", 404 },
		{ "\rStatus: 404\r\n\r\n", 200 },
	};
	struct cgi_head head;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].head);

		cgi_head_start(&head);
		CHECK_INT(cgi_head_feed(&head, guard_copy(cases[i].head, len), len), len);
		CHECK(head.ended);
		CHECK_INT(head.status, cases[i].status);
		cgi_head_start(&head);
		for (size_t at = 0; at < len; at++) {
			CHECK(!head.ended);
			CHECK_INT(cgi_head_feed(&head, guard_copy(cases[i].head + at, 1), 1), 1);
		}
		CHECK(head.ended);
		CHECK_INT(head.status, cases[i].status);
	}
}

static void unseen_bytes_count_off_a_record(void)
{
	REQUEST(nginx_get);
	restart();
	add_record(STDOUT, 1, "\r\n0123456789", 12, 4);
	wire_response_start(WIRE_FASTCGI, &response, &request);
	CHECK_INT(wire_response_feed(WIRE_FASTCGI, &response, NULL, 3), WIRE_NOT);
	wire_response_start(WIRE_FASTCGI, &response, &request);
	CHECK_INT(cuts_answer(WIRE_FASTCGI, &response, records, 8 + 2), 8 + 2);
	CHECK_INT(wire_response_feed(WIRE_FASTCGI, &response, NULL, 10), 10);
	CHECK_INT(response.any.body_bytes, 10);
	CHECK_INT(cuts_answer(WIRE_FASTCGI, &response, "\0\0\0\0", 4), 4);
	wire_response_start(WIRE_FASTCGI, &response, &request);
	cuts_answer(WIRE_FASTCGI, &response, records, 8 + 2);
	CHECK_INT(wire_response_feed(WIRE_FASTCGI, &response, NULL, 11), WIRE_NOT);
	/* Of a request, within STDIN. */
	records_len = 0;
	begin(1, 0);
	add_record(PARAMS, 1, NULL, 0, 0);
	add_record(STDIN, 1, "0123456789", 10, 0);
	wire_request_start(WIRE_FASTCGI, &request);
	CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, records, records_len - 10), records_len - 10);
	CHECK_INT(wire_request_feed(WIRE_FASTCGI, &request, NULL, 10), 10);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(wire_request_feed(WIRE_FASTCGI, &request, NULL, 1), WIRE_NOT);
	CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, "x", 1), WIRE_NOT);
}

static void what_is_no_record_is_refused(void)
{
	static const struct {
		const char *bytes;
		size_t len, told;
	} cases[] = {
		{ BYTES("\2\1\0\1\0\10\0\0"), 1 }, /* version */
		{ BYTES("\1\0\0\1\0\10\0\0"), 2 }, /* types */
		{ BYTES("\1\14\0\1\0\10\0\0"), 2 },
		{ BYTES("\1\1\0\1\0\7\0\0"), 8 },	/* a shorter BEGIN_REQUEST */
		{ BYTES("\1\1\0\0\0\10\0\0"), 8 },	/* for id 0 */
		{ BYTES("\1\1\0\1\0\10\0\0\0\0"), 10 }, /* roles */
		{ BYTES("\1\1\0\1\0\10\0\0\0\4"), 10 },
		{ BYTES("\1\1\0\1\0\10\0\0\1\1"), 9 },
		{ BYTES("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\1\0\1\0\10\0\0"), 24 }, /* again */
		{ BYTES("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\5\0\1\0\0\0\0"),
		  24 }, /* STDIN first */
		{ BYTES("\1\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0\1\4\0\1\0\0\0\0\1\4\0\1\0\0\0\0"),
		  32 }, /* PARAMS behind their end */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t told = cases[i].told;

		wire_request_start(WIRE_FASTCGI, &request);
		CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, cases[i].bytes, told - 1), told - 1);
		CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, cases[i].bytes + told - 1, 1),
			  WIRE_NOT);
		CHECK_INT(cuts_feed(WIRE_FASTCGI, &request, "\1", 1), WIRE_NOT);
	}
}

static void structs_are_small(void)
{
	CHECK(sizeof(struct fastcgi_request) < 3 << 10);
	CHECK(sizeof(struct fastcgi_response) < 512);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(nginx_get_tells_its_facts),
		TAP_TEST(nginx_post_has_a_body_and_a_status),
		TAP_TEST(kept_connections_stay),
		TAP_TEST(two_requests_in_one_read_are_two),
		TAP_TEST(apache_and_uwsgi_are_understood),
		TAP_TEST(params_go_on_from_record_to_record),
		TAP_TEST(long_lengths_have_four_bytes),
		TAP_TEST(the_path_comes_from_what_there_is),
		TAP_TEST(query_and_cookies_are_kept_nowhere_in_memory),
		TAP_TEST(other_ids_are_passed_over_and_counted),
		TAP_TEST(what_stands_before_a_request_is_no_request),
		TAP_TEST(an_abort_does_not_end_the_answer),
		TAP_TEST(heads_of_answers_may_be_cut_by_records),
		TAP_TEST(a_status_is_found_as_servers_find_it),
		TAP_TEST(unseen_bytes_count_off_a_record),
		TAP_TEST(what_is_no_record_is_refused),
		TAP_TEST(structs_are_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
