/* Requests as front ends pass them on, and what stands before and behind requests. */
#include "preload/track/track.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "preload/track/connection.h"
#include "tests/unit/tap.h"

static struct request last_finished;
static unsigned finished_count, began_count, abandoned, dropped;

static void began(struct request *r)
{
	r->profiled = true;
	began_count++;
}
static void nothing(struct request *r)
{
	(void)r;
}
static void finished(struct request *r)
{
	last_finished = *r;
	finished_count++;
}
static void connection_abandoned(void)
{
	abandoned++;
}
static void pipeline_dropped(unsigned n)
{
	dropped += n;
}

static const struct track_callbacks callbacks = {
	.began = began,
	.head = nothing,
	.resumed = nothing,
	.paused = nothing,
	.finished = finished,
	.connection_abandoned = connection_abandoned,
	.pipeline_dropped = pipeline_dropped,
};

static int listener, client, server, upstream = -1;

static int connect_to_listener(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	getsockname(listener, (struct sockaddr *)&a, &len);
	CHECK(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	return fd;
}

static void open_all(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	finished_count = began_count = abandoned = dropped = 0;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(listen(listener, 5) == 0);
	client = connect_to_listener();
	server = accept(listener, NULL, NULL);
	track_wait_accept();
	track_accepted(listener, server);
}

static void close_one(int fd)
{
	void *token = track_closing(fd);

	close(fd);
	track_closed(token);
}

static void close_all(void)
{
	if (upstream >= 0)
		close_one(upstream);
	upstream = -1;
	close_one(server);
	close_one(listener);
	close(client);
	track_wait_accept();
}

#define IN(text) track_received(server, text, sizeof(text) - 1)
#define OUT(text) track_sent(server, text, sizeof(text) - 1)

/* As a server may read or write it: in pieces of this many bytes. */
static void in_pieces(const char *bytes, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step)
		track_received(server, bytes + at, len - at < step ? len - at : step);
}
static void out_pieces(int fd, const char *bytes, size_t len, size_t step)
{
	for (size_t at = 0; at < len; at += step)
		track_sent(fd, bytes + at, len - at < step ? len - at : step);
}

/* Records of 8-byte headers. begin(flags), then PARAMS of 36 bytes, and the two empty records. */
#define BEGIN(id, flags) "\1\1\0" id "\0\10\0\0\0\1" flags "\0\0\0\0\0"
#define HEAD(id, path)          \
	"\1\4\0" id "\0\44\0\0" \
	"\16\3REQUEST_METHODGET\13\4REQUEST_URI" path "\1\4\0" id "\0\0\0\0"
#define STDIN(id) "\1\5\0" id "\0\0\0\0"
#define FASTCGI_ANSWER(id)                                    \
	"\1\6\0" id "\0\26\2\0Status: 404 No\r\n\r\nabcd\0\0" \
	"\1\3\0" id "\0\10\0\0\0\0\0\0\0\0\0\0"

static void fastcgi_is_followed_whatever_the_reads(void)
{
	static const char request[] = BEGIN("\1", "\0") HEAD("\1", "/abc") STDIN("\1");
	static const char answer[] = FASTCGI_ANSWER("\1");

	for (size_t step = 1; step < sizeof(request); step++) {
		open_all();
		in_pieces(request, sizeof(request) - 1, step);
		CHECK_INT(began_count, 1);
		CHECK(track_current() != NULL);
		out_pieces(server, answer, sizeof(answer) - 1, step);
		CHECK(track_current() == NULL);
		/* The front end waits for the close: it comes first. */
		CHECK_INT(finished_count, 0);
		close_all();
		CHECK_INT(finished_count, 1);
		CHECK_INT(last_finished.end, REQUEST_COMPLETE);
		CHECK_INT(last_finished.protocol, WIRE_FASTCGI);
		CHECK_INT(last_finished.out.any.status, 404);
		CHECK_STR(request_facts(&last_finished)->path, "/abc");
	}
}

static void fastcgi_connections_are_kept(void)
{
	open_all();
	/* The empty STDIN record is read after the answer. */
	IN(BEGIN("\1", "\1") HEAD("\1", "/one"));
	OUT(FASTCGI_ANSWER("\1"));
	CHECK_INT(finished_count, 1);
	CHECK_STR(request_facts(&last_finished)->path, "/one");
	IN(STDIN("\1"));
	CHECK_INT(began_count, 1);
	IN(BEGIN("\1", "\1") HEAD("\1", "/two") STDIN("\1"));
	OUT(FASTCGI_ANSWER("\1"));
	CHECK_INT(finished_count, 2);
	CHECK_STR(request_facts(&last_finished)->path, "/two");
	close_all();
	CHECK_INT(finished_count, 2);
	CHECK_INT(abandoned + dropped, 0);
}

static void fastcgi_requests_at_the_same_time_are_never_mixed_up(void)
{
	/* One behind the other, and one inside the other. */
	for (int inside = 0; inside < 2; inside++) {
		open_all();
		IN(BEGIN("\1", "\1"));
		if (inside)
			IN(BEGIN("\2", "\1") HEAD("\2", "/two"));
		IN(HEAD("\1", "/one") STDIN("\1"));
		if (!inside)
			IN(BEGIN("\2", "\1") HEAD("\2", "/two"));
		IN(STDIN("\2"));
		OUT(FASTCGI_ANSWER("\2"));
		CHECK_INT(finished_count, 0);
		OUT(FASTCGI_ANSWER("\1"));
		CHECK_INT(began_count, 1);
		CHECK_INT(dropped, 1);
		CHECK_INT(abandoned, 1);
		close_all();
		CHECK_INT(finished_count, 1);
		CHECK_STR(request_facts(&last_finished)->path, "/one");
		CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	}
}

static void a_front_end_that_leaves_aborts(void)
{
	open_all();
	IN(BEGIN("\1", "\1") HEAD("\1", "/one"));
	OUT("\1\6\0\1\0\26\2\0Status: 404 No\r\n\r\n");
	close_all();
	CHECK_INT(finished_count, 1);
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
}

#define SCGI "54:CONTENT_LENGTH\0002\0REQUEST_METHOD\0POST\0REQUEST_URI\0/s?q\0,ab"

static void scgi_ends_with_its_length_or_the_connection(void)
{
	open_all();
	IN(SCGI);
	OUT("Status: 201 Made\r\nContent-Length: 2\r\n\r\nok");
	CHECK(track_current() == NULL);
	close_all();
	CHECK_INT(finished_count, 1);
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	CHECK_INT(last_finished.out.any.status, 201);
	CHECK_STR(request_facts(&last_finished)->path, "/s");
	CHECK_STR(request_facts(&last_finished)->method, "POST");
	open_all();
	in_pieces(SCGI, sizeof(SCGI) - 1, 5);
	OUT("Content-Type: a\r\n\r\nok");
	close_all();
	CHECK_INT(last_finished.end, REQUEST_CLOSED);
	CHECK_INT(last_finished.out.any.status, 200);
}

#define MODWSGI "\61\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0REQUEST_METHOD\0GET\0REQUEST_URI\0/wsgi/abc\0"

static void mod_wsgis_interim_answer_does_not_end_it(void)
{
	open_all();
	/* The daemon reads the first number alone, and the body's end when it has answered. */
	in_pieces(MODWSGI, 8, 8);
	track_received(server, MODWSGI + 8, sizeof(MODWSGI) - 1 - 8);
	CHECK_INT(began_count, 1);
	OUT("Status: 200 Continue\r\n\r\n");
	CHECK(track_current() != NULL);
	OUT("Status: 200 OK\r\nContent-Length: 2\r\n\r\nok");
	CHECK(track_current() == NULL);
	IN("0\r\n\r\n");
	close_all();
	CHECK_INT(began_count, 1);
	CHECK_INT(finished_count, 1);
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	CHECK_STR(request_facts(&last_finished)->path, "/wsgi/abc");
}

#define AJP(path) \
	"\x12\x34\0\42\2\2\0\10HTTP/1.1\0\0\4" path "\0\377\377\377\377\0\1h\0\0\120\0\0\0\377"
#define AJP_POST(path)                                     \
	"\x12\x34\0\50\2\4\0\10HTTP/1.1\0\0\4" path        \
	"\0\377\377\377\377\0\1h\0\0\120\0\0\1\240\10\0\1" \
	"4\0\377"
#define AJP_ANSWER "AB\0\7\4\0\310\0\0\0\0AB\0\6\3\0\2ok\0AB\0\2\5\1"

static void ajp_requests_follow_each_other(void)
{
	open_all();
	IN(AJP("/one"));
	OUT("AB\0\3\6\37\372");
	IN("\x12\x34\0\2\0\0");
	CHECK_INT(began_count, 1);
	OUT(AJP_ANSWER);
	CHECK_INT(finished_count, 1);
	CHECK_STR(request_facts(&last_finished)->path, "/one");
	in_pieces(AJP("/two"), sizeof(AJP("/two")) - 1, 3);
	out_pieces(server, AJP_ANSWER, sizeof(AJP_ANSWER) - 1, 3);
	CHECK_INT(finished_count, 2);
	CHECK_STR(request_facts(&last_finished)->path, "/two");
	CHECK_INT(last_finished.out.any.status, 200);
	close_all();
	CHECK_INT(abandoned, 0);
}

static void an_ajp_body_that_nobody_wanted_never_comes(void)
{
	open_all();
	IN(AJP_POST("/one"));
	OUT(AJP_ANSWER);
	CHECK_INT(finished_count, 1);
	CHECK_STR(request_facts(&last_finished)->method, "POST");
	IN(AJP("/two"));
	OUT(AJP_ANSWER);
	CHECK_INT(finished_count, 2);
	CHECK_STR(request_facts(&last_finished)->path, "/two");
	close_all();
	CHECK_INT(abandoned, 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define V1 "PROXY TCP4 192.0.2.7 198.51.100.1 1234 80\r\n"
#define V2 "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\14\300\0\2\7\1\2\3\4\4\322\0\120"

static void a_proxy_head_tells_the_peer(void)
{
	static const char v1[] = V1 GET("/a") GET("/b"), v2[] = V2 GET("/a") GET("/b");

	for (size_t step = 1; step < sizeof(v1); step++) {
		for (int version = 1; version <= 2; version++) {
			open_all();
			if (version == 1)
				in_pieces(v1, sizeof(v1) - 1, step);
			else
				in_pieces(v2, sizeof(v2) - 1, step);
			OUT(RESPONSE);
			OUT(RESPONSE);
			CHECK_INT(finished_count, 2);
			CHECK_STR(request_facts(&last_finished)->path, "/b");
			CHECK_INT(last_finished.peer.u.in.sin_family, AF_INET);
			CHECK_INT(ntohs(last_finished.peer.u.in.sin_port), 1234);
			CHECK_INT(ntohl(last_finished.peer.u.in.sin_addr.s_addr), 0xc0000207);
			CHECK_INT(last_finished.protocol, WIRE_HTTP1);
			close_all();
		}
	}
}

static void a_proxy_head_that_tells_nothing_leaves_the_peer(void)
{
	open_all();
	IN("PROXY UNKNOWN\r\n" GET("/a"));
	OUT(RESPONSE);
	CHECK_INT(finished_count, 1);
	CHECK_INT(ntohl(last_finished.peer.u.in.sin_addr.s_addr), INADDR_LOOPBACK);
	close_all();
	open_all();
	IN("PROXY TCP6 2001:db8::7 ::1 1234 80\r\n" GET("/a"));
	OUT(RESPONSE);
	CHECK_INT(last_finished.peer.u.in6.sin6_family, AF_INET6);
	CHECK_INT(last_finished.peer.u.in6.sin6_addr.s6_addr[15], 7);
	close_all();
}

static void behind_a_proxy_head_anything_may_come(void)
{
	open_all();
	IN(V2);
	IN(BEGIN("\1", "\1") HEAD("\1", "/one") STDIN("\1"));
	OUT(FASTCGI_ANSWER("\1"));
	CHECK_INT(finished_count, 1);
	close_all();
	open_all();
	IN(V1 "SSH-2.0-x\r\n" GET("/a"));
	CHECK_INT(began_count, 0);
	close_all();
	open_all();
	IN("PROXY TCP4 1.2.3.4 nonsense\n" GET("/a"));
	IN(GET("/a"));
	CHECK_INT(began_count, 0);
	close_all();
}

static void what_follows_an_upgrade_is_never_looked_at(void)
{
	open_all();
	IN("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
	OUT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\201\5hello");
	CHECK(track_current() == NULL);
	IN(GET("/in-a-frame"));
	OUT(RESPONSE);
	IN("\201\205abcdefghi");
	close_all();
	CHECK_INT(began_count, 1);
	CHECK_INT(finished_count, 1);
	CHECK_INT(last_finished.out.any.status, 101);
	CHECK_INT(last_finished.end, REQUEST_UPGRADED);
}

/* Is the request for which these bytes are sent to an upstream, in pieces, a proxy's? */
static int role_when_relayed(const char *bytes, size_t len, size_t step)
{
	open_all();
	IN("GET /x/%2e HTTP/1.1\r\n\r\n");
	upstream = connect_to_listener();
	track_connected(upstream);
	out_pieces(upstream, bytes, len, step);
	OUT(RESPONSE);
	close_all();
	return (int)last_finished.role;
}

static void what_a_front_end_relays_by_makes_a_proxy(void)
{
	static const char fastcgi[] = BEGIN("\1", "\0") HEAD("\1", "/abc") STDIN("\1");
	static const char scgi[] = "50:CONTENT_LENGTH\0000\0REQUEST_METHOD\0GET\0REQUEST_URI\0/\0,";
	static const char other[] =
		"50:CONTENT_LENGTH\0000\0REQUEST_METHOD\0PUT\0REQUEST_URI\0/\0,";

	for (size_t step = 1; step < 60; step += 7) {
		CHECK_INT(role_when_relayed(fastcgi, sizeof(fastcgi) - 1, step), REQUEST_PROXY);
		CHECK_INT(role_when_relayed(MODWSGI, sizeof(MODWSGI) - 1, step), REQUEST_PROXY);
		CHECK_INT(role_when_relayed(AJP("/abc"), sizeof(AJP("/abc")) - 1, step),
			  REQUEST_PROXY);
		CHECK_INT(role_when_relayed(scgi, sizeof(scgi) - 1, step), REQUEST_PROXY);
		CHECK_INT(role_when_relayed(other, sizeof(other) - 1, step), REQUEST_SERVER);
		CHECK_INT(role_when_relayed(GET("/other"), sizeof(GET("/other")) - 1, step),
			  REQUEST_SERVER);
		CHECK_INT(role_when_relayed(GET("/x/%2e"), sizeof(GET("/x/%2e")) - 1, step),
			  REQUEST_PROXY);
	}
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(fastcgi_is_followed_whatever_the_reads),
		TAP_TEST(fastcgi_connections_are_kept),
		TAP_TEST(fastcgi_requests_at_the_same_time_are_never_mixed_up),
		TAP_TEST(a_front_end_that_leaves_aborts),
		TAP_TEST(scgi_ends_with_its_length_or_the_connection),
		TAP_TEST(mod_wsgis_interim_answer_does_not_end_it),
		TAP_TEST(ajp_requests_follow_each_other),
		TAP_TEST(an_ajp_body_that_nobody_wanted_never_comes),
		TAP_TEST(a_proxy_head_tells_the_peer),
		TAP_TEST(a_proxy_head_that_tells_nothing_leaves_the_peer),
		TAP_TEST(behind_a_proxy_head_anything_may_come),
		TAP_TEST(what_follows_an_upgrade_is_never_looked_at),
		TAP_TEST(what_a_front_end_relays_by_makes_a_proxy),
	};

	track_start(&callbacks);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
