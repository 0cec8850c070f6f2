#include "preload/wire/ajp.h"

#include "tests/unit/ajp_packets.h"
#include "tests/unit/cuts.h"

static union wire_request request;
static union wire_response response;

#define REQUEST(text) cuts_request(WIRE_AJP, &request, BYTES(text))
#define RESPONSE(text) cuts_response(WIRE_AJP, &response, &request, BYTES(text))

static void apache_get_tells_its_facts(void)
{
	REQUEST(apache_get);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "GET");
	CHECK_STR(request.any.facts.path, "/a.jsp");
	CHECK_STR(request.any.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_STR(request.any.facts.request_id, "r-1");
	CHECK_INT(request.any.facts.http_minor, 1);
	CHECK(request.any.facts.keep_alive);
	RESPONSE(tomcat_get);
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK_INT(response.any.status, 200);
	CHECK_INT(response.any.body_bytes, 13);
	CHECK(response.any.started && !response.any.closes);
}

static void tomcat_asks_for_a_body_before_it_answers(void)
{
	REQUEST(apache_get);
	RESPONSE(tomcat_wants_body);
	CHECK_INT(response.any.stage, WIRE_HEAD);
	CHECK(!response.any.started);
	/* And gets an empty one, which is no request. */
	REQUEST(apache_no_body);
	CHECK(!request.any.started);
	CHECK_INT(request.any.stage, WIRE_HEAD);
}

static void apache_post_has_a_body_and_a_status(void)
{
	size_t len = sizeof(apache_post) - 1;

	REQUEST(apache_post);
	CHECK_STR(request.any.facts.method, "POST");
	CHECK_INT(request.any.stage, WIRE_DONE);
	wire_request_start(WIRE_AJP, &request);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, apache_post, len - 16), len - 16);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, apache_post + len - 16, 16), 16);
	CHECK_INT(request.any.stage, WIRE_DONE);
	RESPONSE(tomcat_post_head);
	CHECK_INT(response.any.status, 404);
	CHECK_INT(response.any.stage, WIRE_BODY);
	CHECK_INT(cuts_answer(WIRE_AJP, &response, BYTES(tomcat_post_end)),
		  sizeof(tomcat_post_end) - 1);
	CHECK_INT(response.any.stage, WIRE_DONE);
}

static void chunked_bodies_end_with_an_empty_packet(void)
{
	REQUEST(apache_chunked);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, BYTES(apache_chunked_body)),
		  sizeof(apache_chunked_body) - 1);
	CHECK_INT(request.any.stage, WIRE_BODY);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, BYTES(apache_no_body)), sizeof(apache_no_body) - 1);
	CHECK_INT(request.any.stage, WIRE_DONE);
	REQUEST(apache_chunked);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, "\x12\x34\0\0", 4), 4);
	CHECK_INT(request.any.stage, WIRE_DONE);
}

static void methods_come_as_numbers_or_as_names(void)
{
	REQUEST(apache_patch);
	CHECK_STR(request.any.facts.method, "PATCH");
	REQUEST(apache_propfind);
	CHECK_STR(request.any.facts.method, "PROPFIND");
	CHECK_STR(request.any.facts.path, "/nope%20x/");
}

static void a_body_that_is_not_wanted_makes_room_for_the_next_request(void)
{
	size_t len = sizeof(apache_post) - 1 - 16;

	wire_request_start(WIRE_AJP, &request);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, apache_post, len), len);
	CHECK(ajp_request_withheld(&request.ajp, guard_copy(apache_get, 6), 6));
	CHECK(!ajp_request_withheld(&request.ajp, guard_copy(apache_get, 5), 5));
	CHECK(!ajp_request_withheld(&request.ajp, apache_post + len, 16));
	/* 512 bytes of a body begin like a Forward Request. */
	CHECK(!ajp_request_withheld(&request.ajp, "\x12\x34\2\2\2\0", 6));
	CHECK(!ajp_request_withheld(&request.ajp, NULL, 100));
	/* Cut in the header it is not noticed, and refused. */
	CHECK_INT(cuts_feed(WIRE_AJP, &request, apache_get, sizeof(apache_get) - 1), WIRE_NOT);
}

/* A Forward Request with what comes behind the server's port. */
static void forward(char *packet, size_t *len, const char *rest, size_t rest_len)
{
	static const char head[] = "\2\2\0\10HTTP/1.0\0\0\2/p\0\377\377\377\377\0\1h\0\0\120";
	size_t payload = sizeof(head) - 1 + rest_len;

	packet[0] = 0x12;
	packet[1] = 0x34;
	packet[2] = (char)(payload >> 8);
	packet[3] = (char)payload;
	memcpy(packet + 4, head, sizeof(head) - 1);
	memcpy(packet + 4 + sizeof(head) - 1, rest, rest_len);
	*len = payload + 4;
}

static void headers_and_attributes_are_understood(void)
{
	static const char rest[] = "\0\0\4"			 /* no TLS, four headers */
				   "\240\6\0\7Upgrade\0"	 /* connection */
				   "\0\14X-REQUEST-ID\0\0\2i1\0" /* by its name */
				   "\0\0\0\0\1x\0"		 /* no name */
				   "\240\11\0\7hunter2\0"	 /* a cookie */
				   "\5\0\7hunter2\0"		 /* the query */
				   "\13\1\0"			 /* size of a key */
				   "\12\0\1a\0\0\7hunter2\0"	 /* a pair */
				   "\15\0\5PURGE\0"		 /* a method */
				   "\7\377\377"			 /* null */
				   "\377";
	char packet[512];
	size_t len;

	forward(packet, &len, rest, sizeof(rest) - 1);
	memset(&request, 0, sizeof(request));
	cuts_request(WIRE_AJP, &request, packet, len);
	CHECK_INT(request.any.stage, WIRE_DONE);
	CHECK_STR(request.any.facts.method, "PURGE");
	CHECK_STR(request.any.facts.path, "/p");
	CHECK_STR(request.any.facts.request_id, "i1");
	CHECK(request.any.facts.upgrade);
	CHECK_INT(request.any.facts.http_minor, 0);
	CHECK(!memmem(&request, sizeof(request), "hunter2", 7));
}

static void pings_are_passed_over(void)
{
	REQUEST("\x12\x34\0\1\12");
	CHECK(!request.any.started);
	RESPONSE("AB\0\1\11");
	CHECK_INT(response.any.stage, WIRE_HEAD);
}

static void the_end_tells_whether_the_connection_stays(void)
{
	REQUEST(apache_get);
	RESPONSE("AB\0\7\4\0\144\0\0\0\0AB\0\7\4\1\367\0\0\0\0AB\0\2\5\0");
	CHECK_INT(response.any.interim, 1);
	CHECK_INT(response.any.status, 503);
	CHECK_INT(response.any.stage, WIRE_DONE);
	CHECK(response.any.closes);
}

static void what_is_no_packet_is_refused(void)
{
	static const char *const answers[] = { "BA\0\1\5", "AA\0\1\5", "HTTP/1.1" };
	char packet[64];
	size_t len;

	/* Three headers are said to come, and none does. */
	forward(packet, &len, "\0\0\3", 3);
	wire_request_start(WIRE_AJP, &request);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, packet, len), WIRE_NOT);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, "\x12", 1), WIRE_NOT);
	CHECK_INT(wire_request_feed(WIRE_AJP, &request, NULL, 1), WIRE_NOT);
	/* Without the byte that ends them attributes end with the packet. */
	forward(packet, &len, "\0\0\0", 3);
	cuts_request(WIRE_AJP, &request, packet, len);
	CHECK_INT(request.any.stage, WIRE_DONE);
	wire_request_start(WIRE_AJP, &request);
	CHECK_INT(cuts_feed(WIRE_AJP, &request, "\x12\x35", 2), WIRE_NOT);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		wire_response_start(WIRE_AJP, &response, &request);
		CHECK_INT(cuts_answer(WIRE_AJP, &response, answers[i], 5), WIRE_NOT);
	}
}

static void unseen_bytes_count_off_a_chunk(void)
{
	wire_response_start(WIRE_AJP, &response, &request);
	CHECK_INT(cuts_answer(WIRE_AJP, &response, "AB\0\16\3\0\12", 7), 7);
	CHECK_INT(wire_response_feed(WIRE_AJP, &response, NULL, 10), 10);
	CHECK_INT(wire_response_feed(WIRE_AJP, &response, NULL, 1), WIRE_NOT);
}

static void structs_are_small(void)
{
	CHECK(sizeof(struct ajp_request) < 3 << 10);
	CHECK(sizeof(struct ajp_response) < 512);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(apache_get_tells_its_facts),
		TAP_TEST(tomcat_asks_for_a_body_before_it_answers),
		TAP_TEST(apache_post_has_a_body_and_a_status),
		TAP_TEST(chunked_bodies_end_with_an_empty_packet),
		TAP_TEST(methods_come_as_numbers_or_as_names),
		TAP_TEST(a_body_that_is_not_wanted_makes_room_for_the_next_request),
		TAP_TEST(headers_and_attributes_are_understood),
		TAP_TEST(pings_are_passed_over),
		TAP_TEST(the_end_tells_whether_the_connection_stays),
		TAP_TEST(what_is_no_packet_is_refused),
		TAP_TEST(unseen_bytes_count_off_a_chunk),
		TAP_TEST(structs_are_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
