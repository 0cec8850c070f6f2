/* Connections that speak TLS: ciphertext by descriptor, plain text by session. */
#include "preload/track/sessions.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "preload/track/track.h"
#include "tests/unit/tap.h"

static unsigned n_began, n_finished, n_unseen;
static struct request last;

static void began(struct request *r)
{
	r->profiled = true;
	n_began++;
}
static void nothing(struct request *r)
{
}
static void finished(struct request *r)
{
	n_finished++;
	last = *r;
}
static void nothing_happened(void)
{
}
static void nothing_dropped(unsigned n)
{
}
static void tls_unseen(void)
{
	n_unseen++;
}

static const struct track_callbacks callbacks = {
	.began = began,
	.head = nothing,
	.resumed = nothing,
	.paused = nothing,
	.finished = finished,
	.connection_abandoned = nothing_happened,
	.pipeline_dropped = nothing_dropped,
	.pushed = nothing_dropped,
	.tls_unseen = tls_unseen,
};

#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

/* Descriptors are only numbers here: track asks the kernel about those alone that were not accepted. */
enum { LISTENER = 900, FIRST = 901, SECOND = 902, RECORD = 60 };

static struct track_session session(int object, char random)
{
	static const int objects[4];
	struct track_session s = { .object = &objects[object] };

	memset(s.random, random, sizeof(s.random));
	return s;
}

static void ciphertext(int fd, uint8_t type, bool sent)
{
	uint8_t record[5 + RECORD] = { type, 3, 3, 0, RECORD };

	if (sent)
		track_sent(fd, record, sizeof(record));
	else
		track_received(fd, record, sizeof(record));
}

static void hello(int fd, char random)
{
	uint8_t record[5 + RECORD] = { TLS_HANDSHAKE, 3, 1, 0, RECORD, TLS_CLIENT_HELLO };

	memset(record + 11, random, TLS_RANDOM);
	track_accepted(LISTENER, fd);
	/* As OpenSSL reads: the header first. */
	track_received(fd, record, 5);
	track_received(fd, record + 5, sizeof(record) - 5);
	ciphertext(fd, TLS_HANDSHAKE, true);
	ciphertext(fd, TLS_APPLICATION_DATA, false); /* Finished */
}

static void over(int fd)
{
	track_closed(track_closing(fd));
	track_wait_accept();
}

static void begin(void)
{
	n_began = n_finished = n_unseen = 0;
	memset(&last, 0, sizeof(last));
}

static void in(const struct track_session *s, const char *text)
{
	track_tls(s, text, strlen(text), false);
}

/* What SSL_write does: with the ciphertext written inside, as to a descriptor, or left to the host. */
static void out(const struct track_session *s, const char *text, int fd)
{
	track_tls_writing();
	if (fd >= 0)
		ciphertext(fd, TLS_APPLICATION_DATA, true);
	track_tls(s, text, strlen(text), true);
}

static void plain_text_becomes_requests_of_the_connection(void)
{
	struct track_session s = session(0, 'a');

	begin();
	hello(FIRST, 'a');
	CHECK_INT(n_began, 0);
	in(&s, "GET /a HTTP/1.1\r\nHo");
	in(&s, "st: x\r\n\r\n");
	CHECK_INT(n_began, 1);
	CHECK(track_current() != NULL);
	out(&s, RESPONSE, FIRST);
	/* The client has it, so the file can be written. */
	CHECK_INT(n_finished, 1);
	CHECK_INT(last.end, REQUEST_COMPLETE);
	CHECK(last.secure);
	CHECK_STR(request_facts(&last)->path, "/a");
	in(&s, "POST /b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /c HTTP/1.1\r\n\r\n");
	out(&s, RESPONSE RESPONSE, FIRST);
	CHECK_INT(n_began, 3);
	CHECK_INT(n_finished, 3);
	over(FIRST);
	CHECK_INT(n_unseen, 0);
}

static void a_request_ends_when_the_host_has_written_the_ciphertext(void)
{
	struct track_session s = session(0, 'b');
	struct timespec now, pause = { .tv_nsec = 5000000 };
	uint64_t plain_ns;

	begin();
	hello(FIRST, 'b');
	in(&s, "GET /b HTTP/1.1\r\n\r\n");
	out(&s, RESPONSE, -1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	plain_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	CHECK_INT(n_finished, 0);
	nanosleep(&pause, NULL);
	ciphertext(FIRST, TLS_APPLICATION_DATA, true);
	CHECK_INT(n_finished, 0);
	track_wait_accept();
	CHECK_INT(n_finished, 1);
	CHECK(last.end_ns > plain_ns);
	/* An alert much later is no part of it. */
	plain_ns = last.end_ns;
	ciphertext(FIRST, 21, true);
	CHECK_INT(last.end_ns, plain_ns);
	over(FIRST);
}

static void sessions_do_not_mix(void)
{
	struct track_session a = session(0, 'a'), b = session(1, 'b');

	begin();
	hello(FIRST, 'a');
	hello(SECOND, 'b');
	in(&b, "GET /on-second HTTP/1.1\r\n\r\n");
	in(&a, "GET /on-first HTTP/1.1\r\n\r\n");
	out(&a, RESPONSE, FIRST);
	CHECK_STR(request_facts(&last)->path, "/on-first");
	over(FIRST);
	CHECK_INT(n_finished, 1);
	/* Its session object may live longer than the connection. */
	in(&a, "GET /late HTTP/1.1\r\n\r\n");
	CHECK_INT(n_began, 2);
	out(&b, RESPONSE, SECOND);
	CHECK_STR(request_facts(&last)->path, "/on-second");
	over(SECOND);
	CHECK_INT(n_finished, 2);
}

static void a_repeated_random_takes_nobody_elses_connection(void)
{
	struct track_session a = session(0, 'r'), b = session(1, 'r');

	begin();
	hello(FIRST, 'r');
	in(&a, "GET /a HTTP/1.1\r\n\r\n");
	hello(SECOND, 'r');
	in(&b, "GET /b HTTP/1.1\r\n\r\n");
	out(&a, RESPONSE, FIRST);
	CHECK_STR(request_facts(&last)->path, "/a");
	out(&b, RESPONSE, SECOND);
	CHECK_STR(request_facts(&last)->path, "/b");
	over(FIRST);
	over(SECOND);
	CHECK_INT(n_finished, 2);
}

static void tls_that_shows_no_plain_text_is_counted_once_it_ends(void)
{
	begin();
	hello(FIRST, 'u');
	over(FIRST); /* a handshake and no more */
	CHECK_INT(n_unseen, 0);
	hello(FIRST, 'u');
	ciphertext(FIRST, TLS_APPLICATION_DATA, false);
	CHECK_INT(n_unseen, 0);
	over(FIRST);
	CHECK_INT(n_unseen, 1);
	CHECK_INT(n_began, 0);
}

static void plain_text_that_is_no_http_is_left_alone(void)
{
	struct track_session s = session(0, 'x');

	begin();
	hello(FIRST, 'x');
	in(&s, "\x16\x03\x01\x01\x60\x01 and so on"); /* TLS inside TLS */
	in(&s, "GET / HTTP/1.1\r\n\r\n");
	CHECK_INT(n_began, 0);
	over(FIRST);
}

static void a_forked_child_serves_what_was_shaken_hands_on_before(void)
{
	struct track_session s = session(0, 'f');
	pid_t child;
	int status = -1;

	begin();
	hello(FIRST, 'f');
	child = fork();
	if (child == 0) {
		track_postfork_child();
		in(&s, "GET /f HTTP/1.1\r\n\r\n");
		out(&s, RESPONSE, FIRST);
		_exit(n_began == 1 && n_finished == 1 ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_INT(status, 0);
	over(FIRST);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(plain_text_becomes_requests_of_the_connection),
		TAP_TEST(a_request_ends_when_the_host_has_written_the_ciphertext),
		TAP_TEST(sessions_do_not_mix),
		TAP_TEST(a_repeated_random_takes_nobody_elses_connection),
		TAP_TEST(tls_that_shows_no_plain_text_is_counted_once_it_ends),
		TAP_TEST(plain_text_that_is_no_http_is_left_alone),
		TAP_TEST(a_forked_child_serves_what_was_shaken_hands_on_before),
	};

	track_start(&callbacks);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
