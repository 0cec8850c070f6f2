#include "preload/wire/scgi.h"

#include "tests/unit/cuts.h"
#include "tests/unit/scgi_heads.h"

static union wire_request request;
static union wire_response response;

#define REQUEST(text) cuts_request(WIRE_SCGI, &request, BYTES(text))
#define RESPONSE(text) cuts_response(WIRE_SCGI, &response, &request, BYTES(text))

static void nginx_get_tells_its_facts(void)
{
	REQUEST(nginx_get);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "GET");
	CHECK_STR(request.any.facts.path, "/scgi/a%20b");
	CHECK_STR(request.any.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_STR(request.any.facts.request_id, "r-1");
	CHECK(!request.any.facts.keep_alive);
}

static void nginx_post_has_its_body(void)
{
	REQUEST(nginx_post);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "POST");
	CHECK_STR(request.any.facts.path, "/scgi/p");
	wire_request_start(WIRE_SCGI, &request);
	CHECK_INT(cuts_feed(WIRE_SCGI, &request, nginx_post, sizeof(nginx_post) - 1 - 10),
		  sizeof(nginx_post) - 1 - 10);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(wire_request_feed(WIRE_SCGI, &request, NULL, 4), 4);
	CHECK_INT(cuts_feed(WIRE_SCGI, &request, "123456789", 9), 6);
	CHECK_INT(request.any.stage, WIRE_DONE);
}

static void uwsgis_answer_ends_with_its_length(void)
{
	REQUEST(nginx_post);
	RESPONSE(uwsgi_post);
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK_INT(response.any.status, 200);
	CHECK(response.any.closes && response.any.started);
}

static void answers_may_be_of_either_form(void)
{
	static const struct {
		const char *text;
		int status, stage, body;
	} cases[] = {
		{ "Content-Type: a\r\n\r\nbody", 200, WIRE_BODY, 4 },
		{ "Content-Type: a\r\nStatus: 404 No\r\n\r\nbody", 404, WIRE_BODY, 4 },
		{ "HTTP/1.1 201 Made\r\nContent-Length: 4\r\n\r\nbody", 201, WIRE_DONE, 4 },
		{ "HTTP/1.0 500 Bad\r\n\r\nbody", 500, WIRE_BODY, 4 },
		{ "Status: 204 None\r\n\r\n", 204, WIRE_DONE, 0 },
		{ "Location: /x\r\nContent-Length: 0\r\n\r\n", 302, WIRE_DONE, 0 },
		{ "HTTP/1.1 100 Continue\r\n\r\nStatus: 200 OK\r\nContent-Length: 1\r\n\r\n1", 200,
		  WIRE_DONE, 1 },
		{ "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", 101, WIRE_DONE, 0 },
		{ "Status: 200 Continue\r\n\r\nbody", 200, WIRE_BODY, 4 },
		{ "Status: 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200,
		  WIRE_DONE, 2 },
	};

	REQUEST(nginx_get);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cuts_response(WIRE_SCGI, &response, &request, cases[i].text, strlen(cases[i].text));
		CHECK_INT(response.any.status, cases[i].status);
		CHECK_INT(response.any.stage, cases[i].stage);
		CHECK_INT(response.any.body_bytes, cases[i].body);
		CHECK_INT(response.any.until_close, cases[i].stage == WIRE_BODY);
		CHECK_INT(response.any.upgraded, cases[i].status == 101);
	}
}

static void unseen_bytes_count_off_the_answer(void)
{
	REQUEST(nginx_get);
	wire_response_start(WIRE_SCGI, &response, &request);
	CHECK_INT(wire_response_feed(WIRE_SCGI, &response, NULL, 5), WIRE_NOT);
	wire_response_start(WIRE_SCGI, &response, &request);
	cuts_answer(WIRE_SCGI, &response, BYTES("Content-Length: 10\r\n\r\n"));
	CHECK_INT(wire_response_feed(WIRE_SCGI, &response, NULL, 7), 7);
	CHECK_INT(wire_response_feed(WIRE_SCGI, &response, NULL, 7), 3);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void a_head_request_has_no_body_in_its_answer(void)
{
	REQUEST("37:CONTENT_LENGTH\0000\0REQUEST_METHOD\0HEAD\0,");
	CHECK(request.any.facts.is_head);
	RESPONSE("Status: 200 OK\r\nContent-Length: 9\r\n\r\n");
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void heads_that_do_not_add_up_are_refused(void)
{
	static const struct {
		const char *bytes;
		size_t len, told;
	} cases[] = {
		{ BYTES(":a"), 1 },	 { BYTES("0:,"), 2 },	    { BYTES("123456789:"), 9 },
		{ BYTES("1x"), 2 },	 { BYTES("4:a\0b\0;"), 7 }, /* no comma */
		{ BYTES("3:a\0b,"), 5 },			    /* ends in a value */
		{ BYTES("2:a\0,"), 4 },				    /* ends behind a key */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t told = cases[i].told;

		wire_request_start(WIRE_SCGI, &request);
		CHECK_INT(cuts_feed(WIRE_SCGI, &request, cases[i].bytes, told - 1), told - 1);
		CHECK_INT(cuts_feed(WIRE_SCGI, &request, cases[i].bytes + told - 1, 1), WIRE_NOT);
		CHECK_INT(cuts_feed(WIRE_SCGI, &request, "1", 1), WIRE_NOT);
		CHECK_INT(wire_request_feed(WIRE_SCGI, &request, NULL, 1), WIRE_NOT);
	}
}

static void structs_are_small(void)
{
	CHECK(sizeof(struct scgi_request) < 3 << 10);
	CHECK(sizeof(struct cgi_response) < 512);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(nginx_get_tells_its_facts),
		TAP_TEST(nginx_post_has_its_body),
		TAP_TEST(uwsgis_answer_ends_with_its_length),
		TAP_TEST(answers_may_be_of_either_form),
		TAP_TEST(unseen_bytes_count_off_the_answer),
		TAP_TEST(a_head_request_has_no_body_in_its_answer),
		TAP_TEST(heads_that_do_not_add_up_are_refused),
		TAP_TEST(structs_are_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
