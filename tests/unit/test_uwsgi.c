#include "preload/wire/uwsgi.h"

#include "tests/unit/guard.h"
#include "tests/unit/tap.h"
#include "tests/unit/uwsgi_packets.h"

static struct uwsgi_request request;

static ssize_t feed_to(struct uwsgi_request *r, const char *bytes, size_t len)
{
	uwsgi_request_start(r);
	return uwsgi_request_feed(r, guard_copy(bytes, len), len);
}

/* All but the NUL at the end of a string constant. */
#define FEED(packet) feed_to(&request, packet, sizeof(packet) - 1)

/* A packet made here: start, then variables, then a body if any. */
static char packet[70000];
static size_t packet_len;

static void packet_start(void)
{
	memset(packet, 0, 4);
	packet_len = 4;
}

static void packet_add_bytes(const void *bytes, size_t len)
{
	packet[packet_len++] = (char)len;
	packet[packet_len++] = (char)(len >> 8);
	memcpy(packet + packet_len, bytes, len);
	packet_len += len;
}

static void packet_add(const char *key, const char *value)
{
	packet_add_bytes(key, strlen(key));
	packet_add_bytes(value, strlen(value));
}

static ssize_t packet_feed(const char *body)
{
	packet[1] = (char)(packet_len - 4);
	packet[2] = (char)((packet_len - 4) >> 8);
	memcpy(packet + packet_len, body, strlen(body));
	return feed_to(&request, packet, packet_len + strlen(body));
}

/* One variable of a GET for /. */
static void feed_variable(const char *key, const char *value)
{
	packet_start();
	packet_add("REQUEST_METHOD", "GET");
	packet_add("PATH_INFO", "/");
	packet_add(key, value);
	CHECK_INT(packet_feed(""), packet_len);
}

static void router_get_tells_its_facts(void)
{
	CHECK_INT(FEED(router_get), sizeof(router_get) - 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK(request.started);
	CHECK_STR(request.facts.method, "GET");
	CHECK_STR(request.facts.path, "/resource_providers/d");
	CHECK_INT(request.facts.path_len, 21);
	CHECK_INT(request.facts.path_full_len, 21);
	CHECK_STR(request.facts.traceparent,
		  "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
	CHECK_STR(request.facts.request_id, "r-1");
	CHECK_INT(request.facts.http_minor, 1);
	CHECK(!request.facts.keep_alive && !request.facts.upgrade);
	CHECK(!request.facts.expect_continue && !request.facts.is_head &&
	      !request.facts.is_connect);
}

static void router_post_has_its_body(void)
{
	CHECK_INT(FEED(router_post), sizeof(router_post) - 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_STR(request.facts.method, "POST");
	CHECK_STR(request.facts.path, "/items");
	CHECK_INT(feed_to(&request, router_post, sizeof(router_post) - 2), sizeof(router_post) - 2);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(uwsgi_request_feed(&request, "vXX", 3), 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(uwsgi_request_feed(&request, "XX", 2), 0);
}

static void router_chunks_have_no_end(void)
{
	CHECK_INT(FEED(router_chunked_input), sizeof(router_chunked_input) - 1);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(uwsgi_request_feed(&request, "more", 4), 4);
	CHECK_INT(uwsgi_request_skip(&request, 1000), 1000);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(FEED(router_chunked_dropped), sizeof(router_chunked_dropped) - 1);
	CHECK_INT(request.stage, WIRE_BODY);
}

static void router_expect_waits_for_its_body(void)
{
	CHECK_INT(FEED(router_expect), sizeof(router_expect) - 1);
	CHECK(request.facts.expect_continue);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void router_upgrade_is_noticed(void)
{
	CHECK_INT(FEED(router_upgrade), sizeof(router_upgrade) - 1);
	CHECK(request.facts.upgrade);
	CHECK_INT(request.stage, WIRE_DONE);
}

static void nginx_packets_are_understood(void)
{
	CHECK_INT(FEED(nginx_get), sizeof(nginx_get) - 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_STR(request.facts.path, "/d");
	CHECK_STR(request.facts.request_id, "r-1");
	CHECK_INT(FEED(nginx_post), sizeof(nginx_post) - 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(FEED(nginx_chunked), sizeof(nginx_chunked) - 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_STR(request.facts.path, "/chunked");
}

static const struct {
	const char *bytes;
	size_t len;
} samples[] = {
	{ router_get, sizeof(router_get) - 1 },
	{ router_post, sizeof(router_post) - 1 },
	{ router_chunked_dropped, sizeof(router_chunked_dropped) - 1 },
	{ router_chunked_input, sizeof(router_chunked_input) - 1 },
	{ router_expect, sizeof(router_expect) - 1 },
	{ router_upgrade, sizeof(router_upgrade) - 1 },
	{ nginx_get, sizeof(nginx_get) - 1 },
	{ nginx_post, sizeof(nginx_post) - 1 },
	{ nginx_chunked, sizeof(nginx_chunked) - 1 },
};

enum { SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static void check_same(const struct uwsgi_request *a, const struct uwsgi_request *b)
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
	CHECK_INT(a->stage, b->stage);
	CHECK_INT(a->body_left, b->body_left);
}

static void split_packet_gives_the_same_facts(void)
{
	static struct uwsgi_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		const char *bytes = samples[i].bytes;
		size_t len = samples[i].len;

		CHECK_INT(feed_to(&whole, bytes, len), len);
		for (size_t at = 0; at <= len; at++) {
			CHECK_INT(feed_to(&cut, bytes, at), at);
			CHECK_INT(uwsgi_request_feed(&cut, guard_copy(bytes + at, len - at),
						     len - at),
				  len - at);
			check_same(&cut, &whole);
		}
	}
}

static void byte_by_byte_gives_the_same_facts(void)
{
	static struct uwsgi_request whole, cut;

	for (size_t i = 0; i < SAMPLES; i++) {
		feed_to(&whole, samples[i].bytes, samples[i].len);
		uwsgi_request_start(&cut);
		for (size_t at = 0; at < samples[i].len; at++) {
			CHECK(cut.stage != WIRE_DONE);
			CHECK_INT(uwsgi_request_feed(&cut, guard_copy(samples[i].bytes + at, 1), 1),
				  1);
		}
		check_same(&cut, &whole);
	}
}

static void query_and_cookies_are_kept_nowhere_in_memory(void)
{
	packet_start();
	packet_add("REQUEST_METHOD", "GET");
	packet_add("REQUEST_URI", "http://user:hunter2@h/a?hunter2#hunter2");
	packet_add("QUERY_STRING", "hunter2");
	packet_add("HTTP_COOKIE", "s=hunter2");
	packet_add("HTTP_AUTHORIZATION", "Basic hunter2");
	packet_add("HTTP_REFERER", "/a?hunter2");
	memset(&request, 0, sizeof(request));
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/a");
	CHECK(!memmem(&request, sizeof(request), "hunter2", 7));
}

static void path_info_beats_request_uri_in_either_order(void)
{
	packet_start();
	packet_add("PATH_INFO", "/info");
	packet_add("REQUEST_URI", "/uri?q");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/info");
	packet_start();
	packet_add("REQUEST_URI", "/uri?q");
	packet_add("PATH_INFO", "/info");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/info");
	CHECK_INT(request.facts.path_full_len, 5);
	packet_start();
	packet_add("PATH_INFO", "/one");
	packet_add("PATH_INFO", "/two");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/two");
}

static void request_uri_counts_without_path_info(void)
{
	packet_start();
	packet_add("REQUEST_URI", "/a b\nc?q");
	packet_add("PATH_INFO", "");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/a b\nc");
	packet_start();
	packet_add("REQUEST_URI", "http://h:80?q x");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/");
}

static void path_with_a_nul_byte_keeps_its_length(void)
{
	packet_start();
	packet_add_bytes("PATH_INFO", 9);
	packet_add_bytes("/a\0b", 4);
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_INT(request.facts.path_len, 4);
	CHECK(!memcmp(request.facts.path, "/a\0b", 5));
}

static void long_path_is_cut_and_its_length_told(void)
{
	static char path[8001];

	memset(path, '/', sizeof(path) - 1);
	packet_start();
	packet_add("PATH_INFO", path);
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_INT(request.facts.path_len, WIRE_PATH_MAX - 1);
	CHECK_INT(strlen(request.facts.path), WIRE_PATH_MAX - 1);
	CHECK_INT(request.facts.path_full_len, 8000);
}

static void packet_of_64_kib_is_followed(void)
{
	static char value[60001];

	memset(value, 'v', sizeof(value) - 1);
	packet_start();
	packet_add("HTTP_COOKIE", value);
	packet_add(value + 60000 - 5000, "long key");
	packet_add("REQUEST_METHOD", "PUT");
	packet_add("PATH_INFO", "/last");
	packet_add("CONTENT_LENGTH", "2");
	CHECK(packet_len - 4 > 65000 && packet_len - 4 <= UINT16_MAX);
	CHECK_INT(packet_feed("okX"), packet_len + 2);
	CHECK_STR(request.facts.path, "/last");
	CHECK_INT(request.stage, WIRE_DONE);
}

static void methods_are_recognised(void)
{
	feed_variable("REQUEST_METHOD", "HEAD");
	CHECK(request.facts.is_head);
	feed_variable("REQUEST_METHOD", "CONNECT");
	CHECK(request.facts.is_connect && !request.facts.is_head);
	feed_variable("REQUEST_METHOD", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	CHECK_STR(request.facts.method, "ABCDEFGHIJKLMNOPQRSTUVW");
}

static void protocol_gives_the_minor_version(void)
{
	feed_variable("SERVER_PROTOCOL", "HTTP/1.0");
	CHECK_INT(request.facts.http_minor, 0);
	feed_variable("SERVER_PROTOCOL", "HTTP/1.1");
	CHECK_INT(request.facts.http_minor, 1);
	feed_variable("SERVER_PROTOCOL", "HTTP/2.0");
	CHECK_INT(request.facts.http_minor, 1);
}

static void lists_are_searched_by_element(void)
{
	static const struct {
		const char *connection;
		bool upgrade;
	} cases[] = {
		{ "Upgrade", true },
		{ "keep-alive, Upgrade", true },
		{ "a,\tupgrade\t,b", true },
		{ " upgrade", true },
		{ "", false },
		{ ",", false },
		{ "upgraded", false },
		{ "up, grade", false },
		{ "keep-alive", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		feed_variable("HTTP_CONNECTION", cases[i].connection);
		CHECK_INT(request.facts.upgrade, cases[i].upgrade);
	}
}

static void body_length_decides_what_follows(void)
{
	static const struct {
		const char *length, *coding;
		enum wire_stage stage;
		int used; /* of the four body bytes */
	} cases[] = {
		{ "0", NULL, WIRE_DONE, 0 },
		{ "3", NULL, WIRE_DONE, 3 },
		{ "4", NULL, WIRE_DONE, 4 },
		{ "5", NULL, WIRE_BODY, 4 },
		{ "", NULL, WIRE_DONE, 0 },
		{ NULL, NULL, WIRE_DONE, 0 },
		{ NULL, "chunked", WIRE_BODY, 4 },
		{ "3", "chunked", WIRE_DONE, 3 },
		{ "0", "chunked", WIRE_DONE, 0 },
		{ "", "chunked", WIRE_BODY, 4 },
		{ "x", NULL, WIRE_BODY, 4 },
		{ "-1", NULL, WIRE_BODY, 4 },
		{ "99999999999999999999", NULL, WIRE_BODY, 4 },
	};

	for (int order = 0; order < 2; order++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			packet_start();
			packet_add("PATH_INFO", "/");
			if (cases[i].coding && order)
				packet_add("HTTP_TRANSFER_ENCODING", cases[i].coding);
			if (cases[i].length)
				packet_add("CONTENT_LENGTH", cases[i].length);
			if (cases[i].coding && !order)
				packet_add("HTTP_TRANSFER_ENCODING", cases[i].coding);
			CHECK_INT(packet_feed("body"), packet_len + cases[i].used);
			CHECK_INT(request.stage, cases[i].stage);
		}
	}
}

static void unseen_bytes_count_off_the_body(void)
{
	packet_start();
	packet_add("CONTENT_LENGTH", "10");
	CHECK_INT(packet_feed("ab"), packet_len + 2);
	CHECK_INT(uwsgi_request_skip(&request, 7), 7);
	CHECK_INT(request.stage, WIRE_BODY);
	CHECK_INT(uwsgi_request_skip(&request, 7), 1);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_INT(uwsgi_request_skip(&request, 7), 0);
	uwsgi_request_start(&request);
	CHECK_INT(uwsgi_request_skip(&request, 1), WIRE_NOT);
	CHECK_INT(FEED(router_get), sizeof(router_get) - 1);
}

static void lengths_that_do_not_add_up_are_refused(void)
{
	static const struct {
		char bytes[16];
		size_t told_at; /* WIRE_NOT comes with this many bytes, not before */
	} cases[] = {
		{ "\5\5\0\0\1\0K\0\0", 1 },	/* modifier1 of another plugin */
		{ "\0\0\0\0", 4 },		/* no variables */
		{ "\0\1\0\0\1", 5 },		/* no room for a key length */
		{ "\0\3\0\0\1\0K", 5 },		/* no room for a value length */
		{ "\0\5\0\0\2\0KK\0", 6 },	/* a value length cut in two */
		{ "\0\6\0\0\377\377K\0\0", 6 }, /* a key beyond the packet */
		{ "\0\6\0\0\1\0K\2\0v", 9 },	/* a value beyond the packet */
		{ "\0\7\0\0\1\0K\1\0v\0", 11 }, /* a byte too many */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *bytes = cases[i].bytes;
		size_t told = cases[i].told_at;

		CHECK_INT(feed_to(&request, bytes, told - 1), told - 1);
		CHECK_INT(feed_to(&request, bytes, told), WIRE_NOT);
		CHECK_INT(feed_to(&request, bytes, sizeof(cases[i].bytes)), WIRE_NOT);
		CHECK_INT(uwsgi_request_feed(&request, "\0", 1), WIRE_NOT);
		CHECK_INT(uwsgi_request_skip(&request, 1), WIRE_NOT);
	}
}

static void empty_keys_and_values_are_put_up_with(void)
{
	packet_start();
	packet_add("", "nameless");
	packet_add("", "");
	packet_add("PATH_INFO", "/p");
	packet_add("EMPTY", "");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_INT(request.stage, WIRE_DONE);
	CHECK_STR(request.facts.path, "/p");
}

static void keys_are_compared_whole(void)
{
	packet_start();
	packet_add("PATH_INFO", "/p");
	packet_add("PATH_INFO2", "/no");
	packet_add("PATH_INF", "/no");
	packet_add("path_info", "/no");
	packet_add("XPATH_INFO", "/no");
	packet_add("HTTP_X_REQUEST_IDS", "no");
	CHECK_INT(packet_feed(""), packet_len);
	CHECK_STR(request.facts.path, "/p");
	CHECK_STR(request.facts.request_id, "");
}

static void long_values_are_cut(void)
{
	char value[300];

	memset(value, 'i', sizeof(value));
	value[299] = '\0';
	feed_variable("HTTP_X_REQUEST_ID", value);
	CHECK_INT(strlen(request.facts.request_id), WIRE_ID_MAX - 1);
	feed_variable("HTTP_TRACEPARENT", value);
	CHECK_STR(request.facts.traceparent, "");
}

static void struct_is_small(void)
{
	CHECK(sizeof(struct uwsgi_request) < 3 << 10);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(router_get_tells_its_facts),
		TAP_TEST(router_post_has_its_body),
		TAP_TEST(router_chunks_have_no_end),
		TAP_TEST(router_expect_waits_for_its_body),
		TAP_TEST(router_upgrade_is_noticed),
		TAP_TEST(nginx_packets_are_understood),
		TAP_TEST(split_packet_gives_the_same_facts),
		TAP_TEST(byte_by_byte_gives_the_same_facts),
		TAP_TEST(query_and_cookies_are_kept_nowhere_in_memory),
		TAP_TEST(path_info_beats_request_uri_in_either_order),
		TAP_TEST(request_uri_counts_without_path_info),
		TAP_TEST(path_with_a_nul_byte_keeps_its_length),
		TAP_TEST(long_path_is_cut_and_its_length_told),
		TAP_TEST(packet_of_64_kib_is_followed),
		TAP_TEST(methods_are_recognised),
		TAP_TEST(protocol_gives_the_minor_version),
		TAP_TEST(lists_are_searched_by_element),
		TAP_TEST(body_length_decides_what_follows),
		TAP_TEST(unseen_bytes_count_off_the_body),
		TAP_TEST(lengths_that_do_not_add_up_are_refused),
		TAP_TEST(empty_keys_and_values_are_put_up_with),
		TAP_TEST(keys_are_compared_whole),
		TAP_TEST(long_values_are_cut),
		TAP_TEST(struct_is_small),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
