/* Where a request's body ends: http1_body.c, as requests use it. */
#include "preload/wire/http1_body.h"

#include "tests/unit/http1_request.h"

/* A chunked request with this body; returns how many of its bytes are not the request's. */
static ssize_t feed_chunks_and_rest(const char *body)
{
	char text[512];

	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%s",
		 body);
	return feed_and_rest(text);
}

static void pipelined_requests_come_one_by_one(void)
{
	const char *text = "POST /1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
			   "GET /2 HTTP/1.1\r\nX-Request-Id: two\r\nConnection: close\r\n\r\n"
			   "GET /3 HTTP/1.1\r\n\r\n";
	const char *at = text, *end = text + strlen(text);
	static const char *const paths[] = { "/1", "/2", "/3" };
	static const bool keep_alive[] = { true, false, true };

	http1_request_start(&request);
	for (int i = 0; i < 3; i++) {
		at += http1_request_feed(&request, guard_copy(at, (size_t)(end - at)),
					 (size_t)(end - at));
		CHECK_INT(request.stage, WIRE_DONE);
		CHECK_STR(request.facts.path, paths[i]);
		CHECK_STR(request.facts.request_id, i == 1 ? "two" : "");
		CHECK_INT(request.facts.keep_alive, keep_alive[i]);
		/* What is done takes no more. */
		CHECK_INT(http1_request_feed(&request, "GET", 3), 0);
		http1_request_start(&request);
	}
	CHECK(at == end);
}

static void content_length_bounds_the_body(void)
{
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET"), 3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nContent-Length: 007\r\n\r\n1234567X"), 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(
		feed_and_rest("POST / HTTP/1.1\r\nContent-Length: 9223372036854775807\r\n\r\nabc"),
		0);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK(request.facts.keep_alive);
	CHECK_INT(request.body.left, INT64_MAX - 3);
}

static void equal_lengths_count_once(void)
{
	CHECK_INT(
		feed_and_rest(
			"POST / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nokX"),
		1);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void empty_elements_of_a_list_count_for_nothing(void)
{
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nContent-Length: ,\t, 2,,\r\n\r\nokX"), 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest("GET / HTTP/1.1\r\nContent-Length:\r\n\r\nX"), 1);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void last_coding_of_a_list_decides(void)
{
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
				"0\r\n\r\nX"),
		  1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n"
				"transfer-encoding: Chunked\r\n\r\n0\r\n\r\nX"),
		  1);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void unusable_framing_takes_everything_until_close(void)
{
	static const char *const fields[] = {
		"Content-Length: 5\r\nContent-Length: 6\r\n",
		"Content-Length: 5, 6\r\n",
		"Content-Length: -1\r\n",
		"Content-Length: +5\r\n",
		"Content-Length: 0x5\r\n",
		"Content-Length: 5 5\r\n",
		"Content-Length: 9223372036854775808\r\n",
		"Content-Length: 99999999999999999999999999999999999999\r\n",
		"Content-Length: " LONG_ID "\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n",
	};
	char text[512];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), "POST /p HTTP/1.1\r\n%s\r\n0\r\n\r\nmore", fields[i]);
		CHECK_INT(feed(text), strlen(text));
		CHECK_INT(request.stage, WIRE_BODY);
		CHECK(!request.facts.keep_alive);
		CHECK_STR(request.facts.path, "/p");
	}
}

static void chunks_end_the_request_with_their_trailer(void)
{
	static const char *const bodies[] = {
		"0\r\n\r\nGET",
		"3\r\nabc\r\n0\r\n\r\nGET",
		"3\nabc\n0\n\nGET",
		"3;ext=1;b=\"0\"\r\nabc\r\n0;last\r\n\r\nGET",
		"A  \r\n0123456789\r\n000\r\n\r\nGET",
		"  3\r\nabc\r\n0\r\n\r\nGET",
		"b\r\n0123456789\n\r\n0\r\nT: 1\r\n\tfold\r\nU: 2\r\n\r\nGET",
		"0\r\n\rX\r\n\r\nGET",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		CHECK_INT(feed_chunks_and_rest(bodies[i]), strlen("GET"));
		CHECK_INT(request.stage, WIRE_DONE);
		CHECK(request.facts.keep_alive);
	}
}

static void broken_chunks_take_everything(void)
{
	static const char *const bodies[] = {
		"x\r\n",
		"\r\n0\r\n\r\n",
		"3\r\nabcd\r\n0\r\n\r\n",
		"3\r\nabc\rd\n0\r\n\r\n",
		"-1\r\n",
		"3,\r\nabc\r\n0\r\n\r\n",
		"8000000000000000\r\nabc",
		"FFFFFFFFFFFFFFFFF\r\nabc",
		"10000000000000000\r\n",
		";x\r\n0\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		CHECK_INT(feed_chunks_and_rest(bodies[i]), 0);
		CHECK_INT(request.stage, WIRE_BODY);
		CHECK_INT(more_and_rest("0\r\n\r\nGET"), 0);
		CHECK_INT(request.stage, WIRE_BODY);
	}
}

static void largest_chunk_is_followed(void)
{
	CHECK_INT(feed_chunks_and_rest("7fffffffffffffff\r\nabc"), 0);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(http1_request_skip(&request, INT64_MAX - 3), INT64_MAX - 3);
	CHECK_INT(http1_request_feed(&request, "\r\n0\r\n\r\nGET", 10), 7);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void chunked_beats_content_length_in_either_order(void)
{
	CHECK_INT(
		feed_and_rest(
			"POST / HTTP/1.1\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n"
			"0\r\n\r\nGET"),
		3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(
		feed_and_rest(
			"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n"
			"0\r\n\r\nGET"),
		3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(
		feed_and_rest(
			"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nokX"),
		1);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void unseen_bytes_count_off_the_body(void)
{
	CHECK_INT(feed_and_rest("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nab"), 0);
	CHECK_INT(http1_request_skip(&request, 5), 5);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(http1_request_skip(&request, 0), 0);
	CHECK_INT(http1_request_skip(&request, 5), 3);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(http1_request_skip(&request, 5), 0);
}

static void unseen_bytes_cannot_be_part_of_a_head(void)
{
	CHECK_INT(feed_and_rest("GET / HT"), 0);
	CHECK_INT(http1_request_skip(&request, 0), 0);
	CHECK_INT(http1_request_skip(&request, 1), WIRE_NOT);
	CHECK_INT(http1_request_feed(&request, "TP/1.1", 6), WIRE_NOT);
}

static void unseen_bytes_cannot_hide_a_chunk_size(void)
{
	CHECK_INT(feed_chunks_and_rest("5\r\n"), 0);
	CHECK_INT(http1_request_skip(&request, 5), 5);
	CHECK_INT(more_and_rest("\r\n5\r\n"), 0);
	CHECK_INT(http1_request_skip(&request, 6), WIRE_NOT);
	CHECK_INT(feed_chunks_and_rest("5"), 0);
	CHECK_INT(http1_request_skip(&request, 1), WIRE_NOT);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(pipelined_requests_come_one_by_one),
		TAP_TEST(content_length_bounds_the_body),
		TAP_TEST(equal_lengths_count_once),
		TAP_TEST(empty_elements_of_a_list_count_for_nothing),
		TAP_TEST(last_coding_of_a_list_decides),
		TAP_TEST(unusable_framing_takes_everything_until_close),
		TAP_TEST(chunks_end_the_request_with_their_trailer),
		TAP_TEST(broken_chunks_take_everything),
		TAP_TEST(largest_chunk_is_followed),
		TAP_TEST(chunked_beats_content_length_in_either_order),
		TAP_TEST(unseen_bytes_count_off_the_body),
		TAP_TEST(unseen_bytes_cannot_be_part_of_a_head),
		TAP_TEST(unseen_bytes_cannot_hide_a_chunk_size),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
