#include "preload/wire/modwsgi.h"

#include "tests/unit/cuts.h"
#include "tests/unit/modwsgi_heads.h"

static union wire_request request;
static union wire_response response;

#define REQUEST(text) cuts_request(WIRE_MODWSGI, &request, BYTES(text))
#define RESPONSE(text) cuts_response(WIRE_MODWSGI, &response, &request, BYTES(text))

static void apache_get_tells_its_facts(void)
{
	REQUEST(apache_get);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "GET");
	CHECK_STR(request.any.facts.path, "/hello/a%20b");
	CHECK_STR(request.any.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_INT(request.any.facts.http_minor, 1);
	CHECK(!request.any.facts.keep_alive);
}

static void apache_post_has_its_body_in_chunks(void)
{
	size_t len = sizeof(apache_post) - 1, body = strlen("a\r\nname=value\r\n0\r\n\r\n");

	REQUEST(apache_post);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "POST");
	CHECK_STR(request.any.facts.path, "/post");
	wire_request_start(WIRE_MODWSGI, &request);
	CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, apache_post, len - body), len - body);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, "a\r\n", 3), 3);
	CHECK_INT(wire_request_feed(WIRE_MODWSGI, &request, NULL, 10), 10);
	CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, "\r\n0\r\n\r\nX", 8), 7);
	CHECK_INT(request.any.stage, WIRE_DONE);
}

static void its_interim_answer_is_not_the_answer(void)
{
	REQUEST(apache_get);
	RESPONSE("Status: 200 Continue\r\n\r\n");
	CHECK_INT(response.any.stage, WIRE_HEAD);
	CHECK_INT(response.any.interim, 1);
	CHECK_INT(response.any.status, 0);
	CHECK(!response.any.started);
	RESPONSE("Status: 200 Continue\r\n\r\nStatus: 404 No\r\nContent-Length: 2\r\n\r\nok");
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK_INT(response.any.status, 404);
	CHECK_INT(response.any.body_bytes, 2);
	RESPONSE("Status: 200 Continue\r\n\r\nStatus: 200 OK\r\nContent-Type: a\r\n\r\nsome");
	CHECK_INT(response.any.stage, WIRE_BODY);
	CHECK(response.any.until_close);
	/* Of an application that says so itself there is more. */
	RESPONSE("Status: 200 Continue\r\nContent-Length: 2\r\n\r\nok");
	CHECK_INT(response.any.interim, 0);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void its_error_is_one(void)
{
	REQUEST(apache_get);
	RESPONSE("Status: 200 Continue\r\n\r\nStatus: 200 Error\r\n\r\n");
	CHECK_INT(response.any.status, 500);
	RESPONSE("Status: 200 Timeout\r\n\r\n");
	CHECK_INT(response.any.status, 504);
	RESPONSE("Status: 200 Error\r\nContent-Length: 0\r\n\r\n");
	CHECK_INT(response.any.status, 200);
}

static void numbers_that_do_not_add_up_are_refused(void)
{
	static const struct {
		const char *bytes;
		size_t len, told;
	} cases[] = {
		{ BYTES("\0\0\0\1"), 4 },			     /* 16 MiB */
		{ BYTES("\11\0\0\0\0\0\0\0"), 8 },		     /* no room for a pair */
		{ BYTES("\100\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0"), 16 }, /* an odd number */
		{ BYTES("\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), 16 }, /* none */
		{ BYTES("\12\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0"), 16 },  /* more than there is room */
		{ BYTES("\14\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0"), 18 }, /* fewer */
		{ BYTES("\14\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0abcd"), 20 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t told = cases[i].told;

		wire_request_start(WIRE_MODWSGI, &request);
		CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, cases[i].bytes, told - 1), told - 1);
		CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, cases[i].bytes + told - 1, 1),
			  WIRE_NOT);
		CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, "1", 1), WIRE_NOT);
		CHECK_INT(wire_request_feed(WIRE_MODWSGI, &request, NULL, 1), WIRE_NOT);
	}
}

static void query_and_cookies_are_kept_nowhere_in_memory(void)
{
	static const char head[] = "\120\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0"
				   "REQUEST_URI\0/a?hunter2#hunter2\0"
				   "QUERY_STRING\0hunter2\0"
				   "HTTP_COOKIE\0hunter2\0"
				   "0\r\n\r\n";

	memset(&request, 0, sizeof(request));
	wire_request_start(WIRE_MODWSGI, &request);
	CHECK_INT(cuts_feed(WIRE_MODWSGI, &request, head, sizeof(head) - 1), sizeof(head) - 1);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.path, "/a");
	CHECK(!memmem(&request, sizeof(request), "hunter2", 7));
}

static void structs_are_small(void)
{
	CHECK(sizeof(struct modwsgi_request) < 3 << 10);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(apache_get_tells_its_facts),
		TAP_TEST(apache_post_has_its_body_in_chunks),
		TAP_TEST(its_interim_answer_is_not_the_answer),
		TAP_TEST(its_error_is_one),
		TAP_TEST(numbers_that_do_not_add_up_are_refused),
		TAP_TEST(query_and_cookies_are_kept_nowhere_in_memory),
		TAP_TEST(structs_are_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
