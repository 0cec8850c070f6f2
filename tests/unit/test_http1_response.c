#include "preload/wire/http1.h"

#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

static struct http1_response response;

static const struct wire_facts get = { .method = "GET", .keep_alive = true };
static const struct wire_facts get_closing = { .method = "GET" };
static const struct wire_facts head = { .method = "HEAD", .keep_alive = true, .is_head = true };
static const struct wire_facts connect = { .method = "CONNECT",
					   .keep_alive = true,
					   .is_connect = true };

static ssize_t feed_to(struct http1_response *r, const struct wire_facts *request,
		       const char *bytes, size_t len)
{
	http1_response_start(r, request);
	return http1_response_feed(r, guard_copy(bytes, len), len);
}

/* Feeds bytes of which the last ones are not this response's; returns how many these are. */
static ssize_t feed_and_rest(const struct wire_facts *request, const char *text)
{
	size_t len = strlen(text);

	return (ssize_t)len - feed_to(&response, request, text, len);
}

/* The same with bytes that follow those fed before. */
static ssize_t more_and_rest(const char *text)
{
	size_t len = strlen(text);

	return (ssize_t)len - http1_response_feed(&response, guard_copy(text, len), len);
}

/* Every kind of message, for the tests that cut them. The last bytes may belong to the next one. */
static const char *const samples[] = {
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.0 404 Not Found\nConnection: keep-alive\nContent-Length: 2\n\nno",
	"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\nHTTP",
	"HTTP/1.1 304\r\nContent-Length: 10\r\n\r\nHTTP",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\n"
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\nT: 1\r\n\r\nHTTP",
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n\x81\x05hello",
	"Status: 500 Internal Server Error\r\nContent-Length: 1\r\n\r\nxy",
	"sTATUS:200\r\n\r\nbody",
	"\r\nHTTP/1.1 \t200\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdefg",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
	"HTTP/2 200\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/1.1 099 OK\r\n\r\n",
	"hello",
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static const struct wire_facts *const requests[] = { &get, &get_closing, &head, &connect };

enum { REQUESTS = sizeof(requests) / sizeof(requests[0]) };

static void check_same(const struct http1_response *a, const struct http1_response *b)
{
	CHECK_INT(a->stage, b->stage);
	CHECK_INT(a->status, b->status);
	CHECK_INT(a->interim, b->interim);
	CHECK_INT(a->started, b->started);
	CHECK_INT(a->until_close, b->until_close);
	CHECK_INT(a->closes, b->closes);
	CHECK_INT(a->upgraded, b->upgraded);
	CHECK_INT(a->body_bytes, b->body_bytes);
	CHECK_INT(a->body.left, b->body.left);
}

/* Feeds the pieces between cuts (ascending, the last one the end); the total used, or WIRE_NOT. */
static ssize_t feed_pieces(struct http1_response *r, const struct wire_facts *request,
			   const char *bytes, const size_t *cuts, size_t n)
{
	size_t from = 0;

	http1_response_start(r, request);
	for (size_t i = 0; i < n; i++) {
		size_t len = cuts[i] - from;
		ssize_t used = http1_response_feed(r, guard_copy(bytes + from, len), len);

		if (used < 0)
			return used;
		from += (size_t)used;
		if ((size_t)used < len)
			break;
	}
	return (ssize_t)from;
}

static void check_cuts(const struct wire_facts *request, const char *text)
{
	struct http1_response whole, cut;
	size_t len = strlen(text), all[512];
	ssize_t used = feed_to(&whole, request, text, len);

	for (size_t a = 0; a <= len; a++) {
		for (size_t b = a; b <= len; b++) {
			size_t cuts[] = { a, b, len };

			CHECK_INT(feed_pieces(&cut, request, text, cuts, 3), used);
			if (used >= 0)
				check_same(&cut, &whole);
		}
	}
	for (size_t at = 0; at < len; at++)
		all[at] = at + 1;
	CHECK_INT(feed_pieces(&cut, request, text, all, len), used);
	if (used >= 0)
		check_same(&cut, &whole);
}

static void split_response_gives_the_same_facts(void)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		for (size_t q = 0; q < REQUESTS; q++)
			check_cuts(requests[q], samples[i]);
	}
}

static void truncated_response_is_not_done(void)
{
	for (size_t i = 0; i < SAMPLES; i++) {
		for (size_t q = 0; q < REQUESTS; q++) {
			struct http1_response cut;
			size_t len = strlen(samples[i]);
			ssize_t used = feed_to(&cut, requests[q], samples[i], len);

			for (size_t at = 0; used > 0 && at < (size_t)used; at++) {
				CHECK_INT(feed_to(&cut, requests[q], samples[i], at), at);
				CHECK(cut.stage != WIRE_DONE);
			}
		}
	}
}

static void content_length_ends_the_response(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.status, 200);
	CHECK_INT(response.body_bytes, 3);
	CHECK(response.started);
	CHECK(!response.until_close && !response.closes && !response.upgraded);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(http1_response_feed(&response, "HTTP", 4), 0);
}

static void chunks_end_the_response_and_their_sizes_are_no_content(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nDigest: x\r\n\r\nHTTP"),
		  4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.body_bytes, 8);
	CHECK(!response.until_close);
}

static void response_without_length_ends_with_the_connection(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\n\r\nabc"), 0);
	CHECK_INT(response.stage, WIRE_BODY);
	CHECK(response.until_close && response.closes);
	CHECK_INT(more_and_rest("HTTP/1.1 200 OK\r\n\r\n"), 0);
	CHECK_INT(http1_response_skip(&response, 1000), 1000);
	CHECK_INT(response.stage, WIRE_BODY);
	CHECK_INT(response.body_bytes, 1022);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\n\r\n"), 0);
	CHECK_INT(response.stage, WIRE_BODY);
	CHECK(response.until_close);
}

static void answer_to_head_ends_with_its_head(void)
{
	CHECK_INT(feed_and_rest(&head, "HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest(&head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nHTTP"),
		  4);
	CHECK_INT(feed_and_rest(&head, "HTTP/1.1 200 OK\r\n\r\nHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK(!response.until_close && !response.closes);
	CHECK_INT(response.body_bytes, 0);
}

static void no_content_and_not_modified_end_with_their_head(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 204 No Content\r\n\r\nHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK(!response.until_close && !response.closes);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 304 X\r\nContent-Length: 99\r\n\r\nHTTP"), 4);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 204 X\r\nTransfer-Encoding: chunked\r\n\r\nHTTP"),
		  4);
}

static void interim_responses_do_not_end_it(void)
{
	http1_response_start(&response, &get);
	CHECK_INT(more_and_rest("HTTP/1.1 100 Continue\r\n\r\n"), 0);
	CHECK_INT(response.stage, WIRE_HEAD);
	CHECK_INT(response.status, 0);
	CHECK_INT(response.interim, 1);
	CHECK(!response.started);
	CHECK_INT(more_and_rest("HTTP/1.1 103 Early\r\nConnection: close\r\n"
				"Content-Length: 7\r\nLink: x\r\n\r\nHT"),
		  0);
	CHECK_INT(response.interim, 2);
	CHECK(!response.started);
	CHECK_INT(more_and_rest("TP/1.1 201"), 0);
	CHECK(response.started);
	CHECK_INT(response.status, 201);
	CHECK_INT(more_and_rest(" \r\nContent-Length: 1\r\n\r\nx"), 0);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.interim, 2);
	/* What an interim response said of its own framing and connection is forgotten. */
	CHECK(!response.closes);
	CHECK_INT(response.body_bytes, 1);
}

static void interim_count_does_not_wrap(void)
{
	http1_response_start(&response, &get);
	for (int i = 0; i < 600; i++)
		CHECK_INT(more_and_rest("HTTP/1.1 102 P\r\n\r\n"), 0);
	CHECK_INT(response.interim, 255);
}

static void switching_protocols_is_final(void)
{
	CHECK_INT(feed_and_rest(&get,
				"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n\x81\x01x"),
		  3);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.status, 101);
	CHECK_INT(response.interim, 0);
	CHECK(response.upgraded && response.started);
}

static void accepted_connect_is_an_upgrade_and_a_refused_one_is_not(void)
{
	CHECK_INT(feed_and_rest(&connect, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), 3);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK(response.upgraded);
	CHECK_INT(feed_and_rest(&connect, "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nabc"), 1);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK(!response.upgraded);
}

static void closes_follows_version_connection_and_request(void)
{
	static const struct {
		const struct wire_facts *request;
		const char *version, *fields;
		bool closes;
	} cases[] = {
		{ &get, "HTTP/1.1", "", false },
		{ &get, "HTTP/1.1", "Connection: Close\r\n", true },
		{ &get, "HTTP/1.1", "Connection: x, close\r\n", true },
		{ &get, "HTTP/1.1", "Connection: keep-alive\r\n", false },
		{ &get, "HTTP/1.0", "", true },
		{ &get, "HTTP/1.0", "Connection: keep-alive\r\n", false },
		{ &get, "HTTP/1.0", "Connection: keep-alive, close\r\n", true },
		{ &get, "Status:", "", false },
		{ &get_closing, "HTTP/1.1", "", true },
		{ &get_closing, "HTTP/1.1", "Connection: keep-alive\r\n", true },
	};
	char text[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s 200 OK\r\n%sContent-Length: 0\r\n\r\n",
			 cases[i].version, cases[i].fields);
		CHECK_INT(feed_and_rest(cases[i].request, text), 0);
		CHECK_INT(response.stage, WIRE_DONE);
		CHECK_INT(response.closes, cases[i].closes);
	}
}

static void status_line_may_be_bare(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\nH"), 1);
	CHECK_INT(response.status, 404);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 500 \nContent-Length: 0\n\nH"), 1);
	CHECK_INT(response.status, 500);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 999\nContent-Length: 0\n\nH"), 1);
	CHECK_INT(response.status, 999);
}

static void cgi_status_line_is_a_first_line(void)
{
	CHECK_INT(feed_and_rest(&get, "Status: 404 Not Found\r\nContent-Length: 2\r\n\r\nnoH"), 1);
	CHECK_INT(response.status, 404);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(feed_and_rest(&get, "status:200\nContent-Length: 0\n\nH"), 1);
	CHECK_INT(response.status, 200);
}

static void status_is_known_with_its_last_digit(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 20"), 0);
	CHECK_INT(response.status, 0);
	CHECK(!response.started);
	CHECK_INT(more_and_rest("4"), 0);
	CHECK_INT(response.status, 204);
	CHECK(response.started);
	CHECK_INT(response.stage, WIRE_HEAD);
}

static void unusable_framing_ends_with_the_connection(void)
{
	static const char *const fields[] = {
		"Content-Length: 1\r\nContent-Length: 2\r\n",
		"Content-Length: x\r\n",
		"Content-Length: 99999999999999999999\r\n",
		"Transfer-Encoding: gzip\r\nContent-Length: 1\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"Transfer-Encoding: chunked\r\nX: body starts with no size\r\n",
	};
	char text[256];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\nzzzz", fields[i]);
		CHECK_INT(feed_and_rest(&get, text), 0);
		CHECK_INT(response.stage, WIRE_BODY);
		CHECK(response.until_close && response.closes);
		CHECK_INT(response.body_bytes, 4);
	}
}

static void chunk_size_that_overflows_ends_with_the_connection(void)
{
	static const char *const sizes[] = { "8000000000000000", "fffffffffffffffff" };
	char text[256];

	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\nabc",
			 sizes[i]);
		CHECK_INT(feed_and_rest(&get, text), 0);
		CHECK(response.until_close && response.closes);
	}
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "7fffffffffffffff\r\nabc"),
		  0);
	CHECK(!response.until_close && !response.closes);
	CHECK_INT(response.body_bytes, 3);
}

static void chunks_that_break_midway_end_with_the_connection(void)
{
	CHECK_INT(
		feed_and_rest(&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab"),
		0);
	CHECK(!response.until_close && !response.closes);
	CHECK_INT(more_and_rest("oops\r\n0\r\n\r\n"), 0);
	CHECK(response.until_close && response.closes);
	CHECK_INT(response.stage, WIRE_BODY);
	CHECK_INT(more_and_rest("0\r\n\r\n"), 0);
	CHECK_INT(response.stage, WIRE_BODY);
}

static void unseen_bytes_count_off_the_body(void)
{
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nContent-Length: 3000000000\r\n\r\n"), 0);
	CHECK_INT(http1_response_skip(&response, 2999999999), 2999999999);
	CHECK_INT(response.stage, WIRE_BODY);
	CHECK_INT(http1_response_skip(&response, 2), 1);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.body_bytes, 3000000000);
	CHECK_INT(http1_response_skip(&response, 2), 0);
}

static void unseen_bytes_may_be_a_chunk(void)
{
	CHECK_INT(
		feed_and_rest(&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n"),
		0);
	CHECK_INT(http1_response_skip(&response, 15), 15);
	CHECK_INT(http1_response_skip(&response, 1), 1);
	CHECK_INT(more_and_rest("\r\n0\r\n\r\n"), 0);
	CHECK_INT(response.stage, WIRE_DONE);
	CHECK_INT(response.body_bytes, 16);
}

static void unseen_bytes_cannot_be_part_of_a_head(void)
{
	http1_response_start(&response, &get);
	CHECK_INT(http1_response_skip(&response, 0), 0);
	CHECK_INT(http1_response_skip(&response, 1), WIRE_NOT);
	CHECK_INT(http1_response_feed(&response, "HTTP/1.1 200 OK\r\n", 17), WIRE_NOT);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0);
	CHECK_INT(http1_response_skip(&response, 1), WIRE_NOT);
	CHECK_INT(feed_and_rest(&get, "HTTP/1.1 200 OK\r\n\r\n"), 0);
	CHECK_INT(http1_response_skip(&response, UINT64_MAX), WIRE_NOT);
}

static void what_is_no_response_is_told_early(void)
{
	static const struct {
		const char *bytes;
		size_t told_at; /* WIRE_NOT comes with this many bytes, not before */
	} cases[] = {
		{ "GET / HTTP/1.1\r\n", 1 }, { "<html>", 1 },
		{ "HTTP/2 200\r\n", 6 },     { "HTTP/1.x 200\r\n", 8 },
		{ "HTTP/1.1 2x0\r\n", 11 },  { "HTTP/1.1 099\r\n", 12 },
		{ "HTTP/1.1 2000\r\n", 13 }, { "HTTP/1.1\r\n", 9 },
		{ "HTTP/1.1 \r\n", 10 },     { "Stat: 200\r\n", 5 },
		{ "http/1.1 200\r\n", 1 },   { "Status: OK\r\n", 9 },
		{ "S\tatus: 200\r\n", 2 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t told = cases[i].told_at;

		CHECK_INT(feed_to(&response, &get, cases[i].bytes, told - 1), told - 1);
		CHECK_INT(feed_to(&response, &get, cases[i].bytes, told), WIRE_NOT);
		CHECK_INT(http1_response_feed(&response, "HTTP/1.1 200 OK\r\n\r\n", 19), WIRE_NOT);
		CHECK_INT(http1_response_skip(&response, 1), WIRE_NOT);
	}
}

static void pipelined_responses_come_one_by_one(void)
{
	const char *text =
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
		"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n"
		"HTTP/1.1 304 Same\r\nConnection: close\r\n\r\n";
	const char *at = text, *end = text + strlen(text);
	static const int status[] = { 200, 404, 304 }, interim[] = { 1, 0, 0 };

	for (int i = 0; i < 3; i++) {
		http1_response_start(&response, &get);
		at += http1_response_feed(&response, guard_copy(at, (size_t)(end - at)),
					  (size_t)(end - at));
		CHECK_INT(response.stage, WIRE_DONE);
		CHECK_INT(response.status, status[i]);
		CHECK_INT(response.interim, interim[i]);
		CHECK_INT(response.body_bytes, i < 2 ? 2 : 0);
		CHECK_INT(response.closes, i == 2);
	}
	CHECK(at == end);
}

static void head_of_64_kib_is_followed(void)
{
	static char text[80 << 10];
	size_t len = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\n");

	while (len < 66 << 10)
		len += (size_t)sprintf(text + len,
				       "Content-Security-Policy: default-src 'self'\r\n");
	len += (size_t)sprintf(text + len, "Content-Length: 2\r\n\r\nok");
	for (size_t piece = 1; piece <= len; piece = piece * 3 + 1) {
		http1_response_start(&response, &get);
		for (size_t at = 0; at < len; at += piece) {
			size_t part = len - at < piece ? len - at : piece;

			CHECK_INT(http1_response_feed(&response, guard_copy(text + at, part), part),
				  part);
		}
		CHECK_INT(response.stage, WIRE_DONE);
		CHECK_INT(response.body_bytes, 2);
	}
}

static void struct_is_small(void)
{
	CHECK(sizeof(struct http1_response) < 512);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(split_response_gives_the_same_facts),
		TAP_TEST(truncated_response_is_not_done),
		TAP_TEST(content_length_ends_the_response),
		TAP_TEST(chunks_end_the_response_and_their_sizes_are_no_content),
		TAP_TEST(response_without_length_ends_with_the_connection),
		TAP_TEST(answer_to_head_ends_with_its_head),
		TAP_TEST(no_content_and_not_modified_end_with_their_head),
		TAP_TEST(interim_responses_do_not_end_it),
		TAP_TEST(interim_count_does_not_wrap),
		TAP_TEST(switching_protocols_is_final),
		TAP_TEST(accepted_connect_is_an_upgrade_and_a_refused_one_is_not),
		TAP_TEST(closes_follows_version_connection_and_request),
		TAP_TEST(status_line_may_be_bare),
		TAP_TEST(cgi_status_line_is_a_first_line),
		TAP_TEST(status_is_known_with_its_last_digit),
		TAP_TEST(unusable_framing_ends_with_the_connection),
		TAP_TEST(chunk_size_that_overflows_ends_with_the_connection),
		TAP_TEST(chunks_that_break_midway_end_with_the_connection),
		TAP_TEST(unseen_bytes_count_off_the_body),
		TAP_TEST(unseen_bytes_may_be_a_chunk),
		TAP_TEST(unseen_bytes_cannot_be_part_of_a_head),
		TAP_TEST(what_is_no_response_is_told_early),
		TAP_TEST(pipelined_responses_come_one_by_one),
		TAP_TEST(head_of_64_kib_is_followed),
		TAP_TEST(struct_is_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
