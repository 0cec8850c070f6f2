/* HTTP/2 connections: frames in, requests out, each of its own stream. */
#include "preload/track/streams.h"

#include <sys/socket.h>
#include <unistd.h>

#include "preload/track/track.h"
#include "preload/wire/http2.h"
#include "tests/unit/tap.h"

enum { LOG_MAX = 16384, BYTES_MAX = 65536 };
static char happened[LOG_MAX];
static unsigned begun, done, abandoned, dropped, pushes;
static struct request last_finished;

static void note(const char *what, const struct request *r)
{
	size_t at = strlen(happened);

	snprintf(happened + at, LOG_MAX - at, "%s %s; ", what, request_facts(r)->path);
}

static void began(struct request *r)
{
	r->profiled = true;
	begun++;
	/* Its path may be known already, when one call brought the whole head. */
	strncat(happened, "began; ", LOG_MAX - strlen(happened) - 1);
}
static void resumed(struct request *r)
{
	note("resumed", r);
}
static void paused(struct request *r)
{
	note("paused", r);
}
static void finished(struct request *r)
{
	last_finished = *r;
	done++;
	note("finished", r);
}
static void connection_abandoned(void)
{
	abandoned++;
}
static void pipeline_dropped(unsigned n)
{
	dropped += n;
}
static void tls_unseen(void)
{
}
static void pushed(unsigned n)
{
	pushes += n;
}

static void head(struct request *r)
{
	(void)r;
}

static const struct track_callbacks callbacks = {
	.began = began,
	.head = head,
	.resumed = resumed,
	.paused = paused,
	.finished = finished,
	.connection_abandoned = connection_abandoned,
	.pipeline_dropped = pipeline_dropped,
	.pushed = pushed,
	.tls_unseen = tls_unseen,
};

static int client, server;
enum { LISTENER = 900 };

/* ---- frames ---- */

static uint8_t bytes[BYTES_MAX];
static size_t n_bytes;

static void frame(unsigned type, unsigned flags, unsigned stream, const void *payload, size_t len)
{
	const uint8_t header[] = {
		(uint8_t)(len >> 16),	 (uint8_t)(len >> 8),	 (uint8_t)len,
		(uint8_t)type,		 (uint8_t)flags,	 (uint8_t)(stream >> 24),
		(uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream,
	};

	if (n_bytes + sizeof(header) + len > sizeof(bytes)) {
		printf("Bail out! too many frames\n");
		exit(1);
	}
	memcpy(bytes + n_bytes, header, sizeof(header));
	memcpy(bytes + n_bytes + sizeof(header), payload, len);
	n_bytes += sizeof(header) + len;
}

/* A request; flags: 4 with a body to come, 5 without. */
static void ask(unsigned stream, const char *path, unsigned flags)
{
	char block[64];
	size_t len = strlen(path);

	memcpy(block, "\x82\x04", 2);
	block[2] = (char)len;
	memcpy(block + 3, path, len);
	frame(HTTP2_HEADERS, flags, stream, block, len + 3);
}

static void answer(unsigned stream, const char *status, unsigned flags)
{
	char block[5] = { 8, 3, status[0], status[1], status[2] };

	frame(HTTP2_HEADERS, flags, stream, block, sizeof(block));
}

static void reset(unsigned stream)
{
	frame(HTTP2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
}

static void in(void)
{
	track_received(server, bytes, n_bytes);
	n_bytes = 0;
}
static void out(void)
{
	track_sent(server, bytes, n_bytes);
	n_bytes = 0;
}

/* A connection that has said hello. */
static void meet(void)
{
	int pair[2];

	happened[0] = '\0';
	begun = done = abandoned = dropped = pushes = 0;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	client = pair[0];
	server = pair[1];
	track_wait_accept();
	track_accepted(LISTENER, server);
	memcpy(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_PREFACE_LEN);
	n_bytes = HTTP2_PREFACE_LEN;
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	in();
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	out();
	CHECK_STR(happened, "");
}

static void part(void)
{
	void *token = track_closing(server);

	close(server);
	track_closed(token);
	close(client);
	track_wait_accept();
	CHECK_INT(begun, done);
}

/* ---- one stream ---- */

static void a_request_lasts_from_its_headers_to_the_end_of_the_response(void)
{
	meet();
	ask(1, "/a?secret", 5);
	in();
	CHECK_STR(happened, "began; resumed /a; ");
	answer(1, "200", 4);
	frame(HTTP2_DATA, 0, 1, "some", 4);
	out();
	CHECK_STR(happened, "began; resumed /a; ");
	frame(HTTP2_DATA, 1, 1, "", 0);
	out();
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; ");
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	CHECK_INT(last_finished.out.any.status, 200);
	CHECK_STR(wire_protocol_name(last_finished.protocol, &last_finished.in), "http/2");
	CHECK_STR(request_facts(&last_finished)->method, "GET");
	CHECK(last_finished.end_ns >= last_finished.start_ns);
	CHECK(last_finished.start_ns == last_finished.first_byte_ns);
	part();
	CHECK_INT(abandoned, 0);
}

static void bytes_cut_anywhere_are_one_request(void)
{
	for (size_t cut = 1; cut < 22; cut++) {
		meet();
		ask(1, "/cut", 4);
		frame(HTTP2_DATA, 1, 1, "b", 1);
		track_received(server, bytes, cut);
		CHECK_INT(begun, cut >= HTTP2_FRAME_HEADER);
		track_received(server, bytes + cut, n_bytes - cut);
		n_bytes = 0;
		answer(1, "404", 4);
		frame(HTTP2_DATA, 1, 1, "body", 4);
		track_sent(server, bytes, cut);
		CHECK_INT(done, 0);
		track_sent(server, bytes + cut, n_bytes - cut);
		n_bytes = 0;
		CHECK_INT(done, 1);
		CHECK_STR(request_facts(&last_finished)->path, "/cut");
		CHECK_INT(last_finished.out.any.status, 404);
		part();
		CHECK_INT(begun, 1);
	}
}

static void the_first_byte_counts_not_the_whole_frame_header(void)
{
	uint64_t first;

	meet();
	ask(1, "/slow", 5);
	track_received(server, bytes, 3);
	usleep(2000);
	track_received(server, bytes + 3, n_bytes - 3);
	n_bytes = 0;
	first = track_current()->first_byte_ns;
	answer(1, "200", 5);
	out();
	CHECK(last_finished.end_ns - first >= 2000000);
	part();
}

static void interim_answers_and_trailers_do_not_end_it(void)
{
	meet();
	ask(1, "/a", 4);
	in();
	answer(1, "100", 4);
	answer(1, "103", 4);
	answer(1, "201", 4);
	frame(HTTP2_DATA, 0, 1, "x", 1);
	out();
	CHECK_INT(done, 0);
	frame(HTTP2_HEADERS, 5, 1, "\0\1a\1b", 5);
	out();
	CHECK_INT(done, 1);
	CHECK_INT(last_finished.out.any.status, 201);
	CHECK_INT(last_finished.out.any.interim, 2);
	part();
}

static void a_head_alone_is_a_response(void)
{
	meet();
	ask(1, "/grpc", 4);
	in();
	answer(1, "200", 5);
	out();
	CHECK_INT(done, 1);
	/* The rest of the request is read later, or the server asks for no more of it. */
	frame(HTTP2_DATA, 1, 1, "late", 4);
	in();
	reset(1);
	out();
	CHECK_INT(begun, 1);
	part();
}

static void trailers_of_a_request_are_no_facts(void)
{
	meet();
	ask(1, "/a", 4);
	frame(HTTP2_HEADERS, 5, 1, "\x83\x85", 2);
	in();
	answer(1, "200", 5);
	out();
	CHECK_INT(begun, 1);
	CHECK_STR(request_facts(&last_finished)->method, "GET");
	CHECK_STR(request_facts(&last_finished)->path, "/a");
	part();
}

static void bodies_sent_unseen_are_followed(void)
{
	meet();
	ask(1, "/file", 5);
	in();
	answer(1, "200", 4);
	frame(HTTP2_DATA, 1, 1, "", 0);
	bytes[n_bytes - HTTP2_FRAME_HEADER + 2] = 200; /* so long, and none of it there */
	out();
	CHECK_INT(done, 0);
	track_sent(server, NULL, 150);
	CHECK_INT(done, 0);
	track_sent(server, NULL, 50);
	CHECK_INT(done, 1);
	part();
	CHECK_INT(abandoned, 0);
}

static void a_server_may_speak_first(void)
{
	meet();
	track_arrived(server);
	track_accepted(LISTENER, server);
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	out();
	memcpy(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_PREFACE_LEN);
	n_bytes = HTTP2_PREFACE_LEN;
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	ask(1, "/a", 5);
	in();
	answer(1, "200", 5);
	out();
	CHECK_INT(done, 1);
	part();
}

static void a_preface_in_pieces_is_known(void)
{
	meet();
	track_accepted(LISTENER, server);
	memcpy(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_PREFACE_LEN);
	n_bytes = HTTP2_PREFACE_LEN;
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	ask(1, "/a", 5);
	for (size_t i = 0; i < n_bytes; i++)
		track_received(server, bytes + i, 1);
	n_bytes = 0;
	answer(1, "200", 5);
	out();
	CHECK_STR(happened, "began; resumed ; paused /a; finished /a; ");
	part();
}

/* ---- upgraded from HTTP/1 ---- */

/* A connection that has said nothing yet, in place of meet()'s. */
static void meet_http1(void)
{
	meet();
	track_arrived(server);
	track_accepted(LISTENER, server);
}

static void text(const char *t)
{
	memcpy(bytes + n_bytes, t, strlen(t));
	n_bytes += strlen(t);
}

#define OFFER "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
#define TURNED "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

static void by_pieces(size_t piece, void (*moved)(int fd, const void *data, size_t len))
{
	for (size_t at = 0; at < n_bytes; at += piece)
		moved(server, bytes + at, n_bytes - at < piece ? n_bytes - at : piece);
	n_bytes = 0;
}

static void an_upgraded_request_is_stream_1(void)
{
	for (size_t piece = 1; piece < 150; piece++) {
		meet_http1();
		text("GET /first HTTP/1.1\r\nHost: x\r\n" OFFER "\r\n");
		by_pieces(piece, track_received);
		text(TURNED);
		frame(HTTP2_SETTINGS, 0, 0, "", 0);
		by_pieces(piece, track_sent);
		CHECK_INT(done, 0);
		text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
		frame(HTTP2_SETTINGS, 0, 0, "", 0);
		ask(3, "/second", 5);
		by_pieces(piece, track_received);
		answer(3, "404", 5);
		by_pieces(piece, track_sent);
		CHECK_INT(done, 1);
		CHECK_STR(request_facts(&last_finished)->path, "/second");
		answer(1, "200", 4);
		frame(HTTP2_DATA, 1, 1, "x", 1);
		by_pieces(piece, track_sent);
		CHECK_INT(done, 2);
		CHECK_STR(request_facts(&last_finished)->path, "/first");
		CHECK_INT(last_finished.out.any.status, 200);
		CHECK_INT(last_finished.end, REQUEST_COMPLETE);
		CHECK_STR(wire_protocol_name(last_finished.protocol, &last_finished.in), "http/2");
		part();
		CHECK_INT(begun, 2);
		CHECK_INT(abandoned, 0);
	}
}

static void a_body_may_come_behind_the_upgrade(void)
{
	meet_http1();
	text("POST /first HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" OFFER "\r\n12");
	in();
	text(TURNED);
	out();
	text("345PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	ask(3, "/second", 5);
	in();
	answer(1, "200", 5);
	answer(3, "200", 5);
	out();
	CHECK_INT(done, 2);
	part();
	CHECK_INT(abandoned, 0);
}

static void an_upgrade_to_something_else_ends_the_request(void)
{
	meet_http1();
	text("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n");
	in();
	text("HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n");
	out();
	part();
	CHECK_INT(done, 1);
	CHECK_INT(last_finished.end, REQUEST_UPGRADED);
}

static void a_client_that_leaves_behind_the_upgrade_aborts_it(void)
{
	meet_http1();
	text("GET /first HTTP/1.1\r\n" OFFER "\r\n");
	in();
	text(TURNED);
	out();
	part();
	CHECK_INT(done, 1);
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
}

/* ---- several ---- */

static void streams_in_one_buffer_begin_in_order(void)
{
	meet();
	ask(1, "/a", 5);
	ask(3, "/b", 5);
	ask(5, "/c", 5);
	in();
	CHECK_STR(happened, "began; began; began; resumed /c; ");
	answer(3, "203", 5);
	answer(1, "201", 5);
	out();
	/* The thread worked for neither of them, and what it did last was the end of /a. */
	CHECK_STR(happened, "began; began; began; resumed /c; finished /b; finished /a; ");
	CHECK_INT(last_finished.out.any.status, 201);
	answer(5, "205", 5);
	out();
	CHECK_INT(done, 3);
	CHECK_INT(last_finished.out.any.status, 205);
	CHECK_INT(last_finished.serial > 0, 1);
	part();
}

static void the_last_stream_touched_that_is_open_is_the_current_one(void)
{
	meet();
	ask(1, "/a", 5);
	ask(3, "/b", 5);
	in();
	CHECK_STR(request_facts(track_current())->path, "/b");
	answer(1, "200", 4);
	out();
	CHECK_STR(request_facts(track_current())->path, "/a");
	/* Both are touched, and the later one ends. */
	frame(HTTP2_DATA, 0, 1, "x", 1);
	answer(3, "200", 5);
	out();
	CHECK_STR(request_facts(track_current())->path, "/a");
	frame(HTTP2_DATA, 1, 1, "x", 1);
	out();
	CHECK(track_current() == NULL);
	/* A window is a stream's business, a ping nobody's. */
	ask(5, "/c", 5);
	ask(7, "/d", 5);
	frame(HTTP2_WINDOW_UPDATE, 0, 5, "\0\0\0\1", 4);
	in();
	CHECK_STR(request_facts(track_current())->path, "/c");
	track_wait_accept();
	frame(HTTP2_PING, 0, 0, "12345678", 8);
	in();
	CHECK(track_current() == NULL);
	/* The rest of a frame is work for the frame's stream. */
	frame(HTTP2_HEADERS, 4, 5, "\x88", 1);
	frame(HTTP2_DATA, 0, 5, "0123456789", 10);
	track_sent(server, bytes, n_bytes - 5);
	CHECK(track_current() != NULL);
	n_bytes = 0;
	part();
}

static void a_reset_aborts_the_one_stream(void)
{
	meet();
	ask(1, "/a", 5);
	ask(3, "/b", 5);
	in();
	reset(1);
	in();
	CHECK(strstr(happened, "finished /b") == NULL);
	answer(1, "200", 5); /* written already when the reset was read */
	answer(3, "200", 5);
	out();
	CHECK(strstr(happened, "finished /b") != NULL);
	ask(5, "/c", 4);
	in();
	reset(5);
	out();
	track_wait_accept();
	CHECK_INT(done, 3);
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
	CHECK_INT(last_finished.out.any.status, 0);
	part();
	CHECK_INT(abandoned, 0);
}

static void a_head_may_be_reset_before_its_end(void)
{
	meet();
	ask(1, "/a", 1); /* no END_HEADERS */
	in();
	reset(1);
	out();
	track_wait_accept();
	CHECK_INT(done, 1);
	/* A request that takes its memory over must not get the fields that still come. */
	frame(HTTP2_CONTINUATION, 4, 1, "\x04\x02/x", 4);
	ask(3, "/b", 5);
	in();
	CHECK_STR(request_facts(track_current())->path, "/b");
	answer(3, "200", 5);
	out();
	CHECK_STR(request_facts(&last_finished)->path, "/b");
	part();
}

static void more_streams_than_are_followed_are_counted(void)
{
	meet();
	for (unsigned i = 0; i < STREAMS_MAX + 10; i++)
		ask(1 + 2 * i, "/a", 5);
	in();
	CHECK_INT(begun, STREAMS_MAX);
	CHECK_INT(dropped, 10);
	for (unsigned i = 0; i < STREAMS_MAX + 10; i++)
		answer(1 + 2 * i, "200", 5);
	out();
	CHECK_INT(done, STREAMS_MAX);
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	ask(1001, "/b", 5);
	in();
	CHECK_INT(begun, STREAMS_MAX + 1);
	part();
	CHECK_INT(abandoned, 0);
}

static void a_flood_of_resets_loses_none(void)
{
	meet();
	for (unsigned i = 0; i < 1000; i++) {
		ask(1 + 2 * i, "/a", 5);
		reset(1 + 2 * i);
	}
	in();
	track_wait_accept();
	CHECK_INT(begun, 1000);
	CHECK_INT(done, 1000);
	CHECK_INT(dropped, 0);
	part();
}

static void the_close_ends_all(void)
{
	meet();
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		ask(1 + 2 * i, "/a", 5);
	in();
	part();
	CHECK_INT(done, STREAMS_MAX);
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
}

static void numbers_of_streams_only_grow(void)
{
	meet();
	ask(5, "/a", 5);
	ask(3, "/old", 5);
	ask(6, "/even", 5);
	in();
	CHECK_INT(begun, 1);
	part();
}

/* ---- what cannot be followed ---- */

static void a_broken_response_is_lost_at_once(void)
{
	meet();
	for (unsigned i = 0; i < 100; i++)
		ask(1 + 2 * i, "/a", 5);
	in();
	frame(HTTP2_HEADERS, 5, 1, "\x80", 1);
	out();
	track_wait_accept();
	CHECK_INT(abandoned, 1);
	CHECK_INT(done, 100);
	CHECK_INT(last_finished.end, REQUEST_LOST);
	ask(201, "/b", 5);
	in();
	answer(201, "200", 5);
	out();
	CHECK_INT(begun, 100);
	part();
	CHECK_INT(abandoned, 1);
}

static void a_broken_request_leaves_the_open_ones_alone(void)
{
	meet();
	ask(1, "/a", 5);
	frame(HTTP2_HEADERS, 5, 3, "\x80", 1);
	in();
	CHECK_INT(abandoned, 1);
	answer(1, "200", 5);
	out();
	CHECK_INT(done, 1);
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	ask(5, "/b", 5);
	in();
	CHECK_INT(begun, 2);
	part();
	CHECK_INT(abandoned, 1);
}

static void an_answer_in_http1_loses_the_request(void)
{
	static const char refusal[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	meet();
	track_accepted(LISTENER, server);
	memcpy(bytes, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2_PREFACE_LEN);
	n_bytes = HTTP2_PREFACE_LEN;
	frame(HTTP2_SETTINGS, 0, 0, "", 0);
	ask(1, "/a", 5);
	in();
	track_sent(server, refusal, strlen(refusal));
	track_wait_accept();
	CHECK_INT(done, 1);
	CHECK_INT(last_finished.end, REQUEST_LOST);
	part();
}

static void pushed_responses_are_counted_and_nobodys(void)
{
	meet();
	ask(1, "/a", 5);
	in();
	frame(HTTP2_PUSH_PROMISE, 4, 1, "\0\0\0\2\x82\x84", 6);
	answer(1, "200", 5);
	answer(2, "200", 4);
	frame(HTTP2_DATA, 1, 2, "x", 1);
	out();
	CHECK_INT(pushes, 1);
	CHECK_INT(begun, 1);
	CHECK_INT(done, 1);
	part();
}

static void a_forked_child_leaves_the_connection_alone(void)
{
	meet();
	ask(1, "/a", 5);
	in();
	CHECK_INT(track_postfork_child(), 1);
	answer(1, "200", 5);
	out();
	ask(3, "/b", 5);
	in();
	CHECK_INT(begun, 1);
	CHECK_INT(done, 0);
	done++; /* the parent's */
	part();
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_request_lasts_from_its_headers_to_the_end_of_the_response),
		TAP_TEST(bytes_cut_anywhere_are_one_request),
		TAP_TEST(the_first_byte_counts_not_the_whole_frame_header),
		TAP_TEST(interim_answers_and_trailers_do_not_end_it),
		TAP_TEST(a_head_alone_is_a_response),
		TAP_TEST(trailers_of_a_request_are_no_facts),
		TAP_TEST(bodies_sent_unseen_are_followed),
		TAP_TEST(a_server_may_speak_first),
		TAP_TEST(a_preface_in_pieces_is_known),
		TAP_TEST(an_upgraded_request_is_stream_1),
		TAP_TEST(a_body_may_come_behind_the_upgrade),
		TAP_TEST(an_upgrade_to_something_else_ends_the_request),
		TAP_TEST(a_client_that_leaves_behind_the_upgrade_aborts_it),
		TAP_TEST(streams_in_one_buffer_begin_in_order),
		TAP_TEST(the_last_stream_touched_that_is_open_is_the_current_one),
		TAP_TEST(a_reset_aborts_the_one_stream),
		TAP_TEST(a_head_may_be_reset_before_its_end),
		TAP_TEST(more_streams_than_are_followed_are_counted),
		TAP_TEST(a_flood_of_resets_loses_none),
		TAP_TEST(the_close_ends_all),
		TAP_TEST(numbers_of_streams_only_grow),
		TAP_TEST(a_broken_response_is_lost_at_once),
		TAP_TEST(a_broken_request_leaves_the_open_ones_alone),
		TAP_TEST(an_answer_in_http1_loses_the_request),
		TAP_TEST(pushed_responses_are_counted_and_nobodys),
		TAP_TEST(a_forked_child_leaves_the_connection_alone),
	};

	track_start(&callbacks);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
