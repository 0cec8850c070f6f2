/* Bytes and descriptors in, requests out: track without a sampler and without hooks. */
#include "preload/track/track.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "preload/track/connection.h"
#include "tests/unit/tap.h"

enum { LOG_MAX = 8192 };
static char happened[LOG_MAX];

static void note(const char *what, const struct request *r)
{
	size_t at = strlen(happened);

	snprintf(happened + at, LOG_MAX - at, "%s %s; ", what, request_facts(r)->path);
}

static bool profiling = true;
static void began(struct request *r)
{
	r->profiled = profiling;
	/* The path is not known yet when only the first bytes have come: told by serial alone. */
	strncat(happened, "began; ", LOG_MAX - strlen(happened) - 1);
}
static unsigned heads;
static char head_path[4096];
static void head(struct request *r)
{
	heads++;
	snprintf(head_path, sizeof(head_path), "%s", request_facts(r)->path);
}
static void resumed(struct request *r)
{
	note("resumed", r);
}
static void paused(struct request *r)
{
	note("paused", r);
}
static struct request last_finished;
static void finished(struct request *r)
{
	last_finished = *r;
	note("finished", r);
}
static unsigned abandoned;
static void connection_abandoned(void)
{
	abandoned++;
}
static void pipeline_dropped(unsigned n)
{
	(void)n;
	strncat(happened, "dropped; ", LOG_MAX - strlen(happened) - 1);
}

static unsigned responses_pushed;
static void pushed(unsigned n)
{
	responses_pushed += n;
}

static unsigned unseen;
static void tls_unseen(void)
{
	unseen++;
}

static bool switched_off;
static bool off(void)
{
	return switched_off;
}
static unsigned passed;
static void passed_over(void)
{
	passed++;
}

static const struct track_callbacks callbacks = {
	.off = off,
	.passed_over = passed_over,
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

static int listener, client, server;

static void connect_pair(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);

	happened[0] = '\0';
	abandoned = 0;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK(listen(listener, 5) == 0);
	getsockname(listener, (struct sockaddr *)&a, &len);
	client = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(client, (struct sockaddr *)&a, sizeof(a)) == 0);
	server = accept(listener, NULL, NULL);
	track_wait_accept();
	track_accepted(listener, server);
}

static void close_server(void)
{
	void *token = track_closing(server);

	close(server);
	track_closed(token);
}

static void close_all(void)
{
	track_closed(track_closing(listener));
	close(listener);
	close(client);
	track_wait_accept();
}

static void in(const char *text);
static void out(const char *text);

static void a_head_is_told_once_when_it_is_whole(void)
{
	connect_pair();
	heads = 0;
	in("GET /pie");
	CHECK_INT(heads, 0);
	in("ces HTTP/1.1\r\nHost: a\r\n");
	CHECK_INT(heads, 0);
	in("\r\n");
	CHECK_INT(heads, 1);
	CHECK_STR(head_path, "/pieces");
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	out("ok");
	CHECK_INT(heads, 1);
	close_server();
	close_all();
}

/* A request and its response, at these moments. */
static void served_at(uint64_t read_ns, uint64_t written_ns)
{
	track_moved_at(read_ns);
	in("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
	track_moved_at(written_ns);
	out("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void one_that_comes_right_after_an_answer_has_not_lain_there(void)
{
	const uint64_t at = 1000000000, ms = 1000000;

	connect_pair();
	served_at(at, at + ms);
	CHECK(last_finished.arrived_known);
	served_at(at + ms + ms / 2, at + 2 * ms);
	CHECK(!last_finished.arrived_known);
	CHECK_INT(last_finished.start_ns, at + ms + ms / 2);
	CHECK_INT(last_finished.end_ns, at + 2 * ms);
	served_at(at + 9 * ms, at + 10 * ms);
	CHECK(last_finished.arrived_known);
	close_server();
	close_all();
}

static void in(const char *text)
{
	track_received(server, text, strlen(text));
}
static void out(const char *text)
{
	track_sent(server, text, strlen(text));
}

#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void a_keep_alive_request_finishes_with_its_last_byte(void)
{
	connect_pair();
	in("GET /a?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n");
	CHECK_STR(happened, "began; resumed /a; ");
	CHECK(track_current() != NULL);
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
	CHECK_STR(happened, "began; resumed /a; ");
	out("k");
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; ");
	CHECK(track_current() == NULL);
	CHECK_INT(last_finished.end, REQUEST_COMPLETE);
	CHECK_INT(last_finished.out.any.status, 200);
	in("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /b") != NULL);
	close_server();
	close_all();
}

static void what_comes_after_the_servers_end_is_no_request(void)
{
	connect_pair();
	in("GET /first HTTP/1.1\r\nHost: h\r\n\r\n");
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	track_shutdown_write(server);
	in("GET /lingering HTTP/1.1\r\nHost: h\r\n\r\n");
	close_all();
	CHECK(strstr(happened, "/first") != NULL);
	CHECK(strstr(happened, "/lingering") == NULL);
	CHECK_INT(abandoned, 0);
}

static void a_client_that_waits_for_the_close_gets_it_first(void)
{
	connect_pair();
	in("GET /a HTTP/1.0\r\n\r\n");
	out("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
	CHECK_STR(happened, "began; resumed /a; paused /a; ");
	close_server();
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; ");
	close_all();
}

static void a_response_without_length_ends_with_the_connection(void)
{
	uint64_t wrote;

	connect_pair();
	in("GET /a HTTP/1.0\r\n\r\n");
	out("HTTP/1.0 200 OK\r\n\r\nsome body");
	wrote = track_current()->last_write_ns;
	usleep(2000);
	close_server();
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; ");
	CHECK_INT(last_finished.end, REQUEST_CLOSED);
	CHECK_INT(last_finished.end_ns, wrote);
	close_all();
}

static void a_close_in_the_middle_aborts(void)
{
	connect_pair();
	in("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
	out("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok");
	close_server();
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
	CHECK(strstr(happened, "finished /a") != NULL);
	close_all();
}

static void pipelined_requests_follow_each_other_without_a_read(void)
{
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
	CHECK_STR(happened, "began; resumed /a; ");
	out(RESPONSE);
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; began; resumed /b; ");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /b") != NULL);
	CHECK_INT(last_finished.start_ns >= last_finished.first_byte_ns, 1);
	close_server();
	close_all();
}

static void two_answers_in_one_write_end_two_requests(void)
{
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
	out(RESPONSE RESPONSE);
	CHECK(strstr(happened, "finished /a; ") != NULL);
	CHECK(strstr(happened, "finished /b; ") != NULL);
	close_server();
	close_all();
}

static void a_deep_pipeline_is_dropped_and_counted(void)
{
	connect_pair();
	for (int i = 0; i < CONNECTION_QUEUE_MAX + 3; i++)
		in("GET /a HTTP/1.1\r\n\r\n");
	CHECK(strstr(happened, "dropped; ") != NULL);
	CHECK_INT(abandoned, 1);
	out(RESPONSE);
	CHECK(strstr(happened, "finished /a; ") != NULL);
	close_server();
	close_all();
}

static void heads_cut_at_every_byte_are_one_request(void)
{
	const char *head = "POST /cut HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc";

	for (size_t cut = 1; cut < strlen(head); cut++) {
		connect_pair();
		track_received(server, head, cut);
		track_received(server, head + cut, strlen(head) - cut);
		out(RESPONSE);
		CHECK(strstr(happened, "finished /cut; ") != NULL);
		CHECK(strstr(strstr(happened, "began") + 1, "began") == NULL);
		close_server();
		close_all();
	}
}

static void a_body_left_unread_is_not_the_next_request(void)
{
	connect_pair();
	in("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /a; ") != NULL);
	in("0\r\n\r\n");
	CHECK(strstr(strstr(happened, "began") + 1, "began") == NULL);
	in("GET /b HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /b; ") != NULL);
	CHECK_INT(abandoned, 0);
	close_server();
	close_all();
}

static void interim_answers_do_not_end_it(void)
{
	connect_pair();
	in("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
	out("HTTP/1.1 100 Continue\r\n\r\n");
	CHECK(strstr(happened, "finished") == NULL);
	in("ok");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /a") != NULL);
	CHECK_INT(last_finished.out.any.status, 200);
	close_server();
	close_all();
}

static void a_body_withheld_after_the_answer_is_not_waited_for(void)
{
	connect_pair();
	in("POST /big HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n");
	out("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	CHECK(strstr(happened, "finished /big") != NULL);
	in("GET /next HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /next") != NULL);
	close_server();
	close_all();
}

static void other_protocols_are_never_looked_at_again(void)
{
	connect_pair();
	in("SSH-2.0-OpenSSH_9.2\r\n");
	CHECK_INT(slots_get(server), SLOT_NOT);
	in("GET /a HTTP/1.1\r\n\r\n");
	CHECK_STR(happened, "");
	close_server();
	CHECK_INT(slots_get(server), SLOT_UNKNOWN);
	close_all();
}

static void files_that_look_like_requests_are_not(void)
{
	int fds[2];

	happened[0] = '\0';
	CHECK(pipe(fds) == 0);
	track_received(fds[0], "GET / HTTP/1.1\r\n\r\n", 18);
	CHECK_STR(happened, "");
	CHECK_INT(slots_get(fds[0]), SLOT_NOT);
	track_closing(fds[0]);
	close(fds[0]);
	close(fds[1]);
}

static void a_socket_never_accepted_is_judged_by_its_first_bytes(void)
{
	connect_pair();
	track_arrived(server);
	in("GET /passed HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /passed") != NULL);
	close_server();
	close_all();
}

static void a_number_handed_out_again_is_a_new_connection(void)
{
	connect_pair();
	in("GET /old HTTP/1.1\r\n\r\n");
	/* libuv closed it by a system call that nobody saw. */
	track_accepted(listener, server);
	CHECK(strstr(happened, "finished /old") != NULL);
	CHECK_INT(last_finished.end, REQUEST_ABORTED);
	in("GET /new HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /new") != NULL);
	close_server();
	close_all();
}

static void waiting_for_new_work_puts_it_down(void)
{
	struct pollfd mine, both[2];
	int epoll = epoll_create1(0), other = epoll_create1(0);

	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\n");
	mine = (struct pollfd){ .fd = server };
	track_wait_poll(&mine, 1);
	CHECK(track_current() != NULL);
	track_wait_epoll(other);
	CHECK(track_current() != NULL);
	both[0] = mine;
	both[1] = (struct pollfd){ .fd = listener };
	track_wait_poll(both, 2);
	CHECK(track_current() == NULL);
	out("HTTP/1.1 200 OK\r\n");
	CHECK(track_current() != NULL);
	track_epoll_added(epoll, listener);
	track_wait_epoll(epoll);
	CHECK(track_current() == NULL);
	out("Content-Length: 0\r\n\r\n");
	CHECK(strstr(happened, "finished /a") != NULL);
	close_server();
	close_all();
	track_closing(epoll);
	close(epoll);
	close(other);
}

static void a_relayed_request_makes_a_proxy(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int upstream = socket(AF_INET, SOCK_STREAM, 0);

	connect_pair();
	getsockname(listener, (struct sockaddr *)&a, &len);
	in("GET /same?q HTTP/1.1\r\n\r\n");
	CHECK(connect(upstream, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(upstream);
	track_sent(upstream, "GET /same?q HTTP/1.1\r\nVia: us\r\n\r\n", 33);
	out(RESPONSE);
	CHECK_INT(last_finished.role, REQUEST_PROXY);
	len = sizeof(a);
	getsockname(upstream, (struct sockaddr *)&a, &len);
	CHECK_INT(last_finished.upstream.u.in.sin_port, a.sin_port);
	close_server();
	track_closed(track_closing(upstream));
	close(upstream);
	close_all();
}

static void a_front_ends_uwsgi_packet_makes_a_proxy_whatever_its_path(void)
{
	/* modifier1 0, size 42, modifier2 0; PATH_INFO is decoded and normalised by the front end. */
	static const char packet[] = "\0\x2a\0\0"
				     "\x0e\0REQUEST_METHOD\x03\0GET"
				     "\x09\0PATH_INFO\x08\0/a/../d ";
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int upstream = socket(AF_INET, SOCK_STREAM, 0);

	connect_pair();
	getsockname(listener, (struct sockaddr *)&a, &len);
	in("GET /a/%2e%2e/d%20 HTTP/1.1\r\n\r\n");
	CHECK(connect(upstream, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(upstream);
	CHECK_INT(sizeof(packet) - 1, 4 + 42);
	track_sent(upstream, packet, sizeof(packet) - 1);
	out(RESPONSE);
	CHECK_INT(last_finished.role, REQUEST_PROXY);
	close_server();
	track_closed(track_closing(upstream));
	close(upstream);
	close_all();
}

static void an_event_loops_turn_does_not_mix_up_upstreams(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int upstream = socket(AF_INET, SOCK_STREAM, 0), other, second;

	connect_pair();
	getsockname(listener, (struct sockaddr *)&a, &len);
	in("GET /first HTTP/1.1\r\n\r\n");
	CHECK(connect(upstream, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(upstream);
	/* In one turn: another client's head, then the first one's upstream has become writable. */
	other = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(other, (struct sockaddr *)&a, sizeof(a)) == 0);
	second = accept(listener, NULL, NULL);
	track_accepted(listener, second);
	track_received(second, "GET /second HTTP/1.1\r\n\r\n", 24);
	track_sent(upstream, "GET /first HTTP/1.1\r\n\r\n", 23);
	CHECK_STR(request_facts(track_current())->path, "/first");
	out(RESPONSE);
	CHECK_STR(request_facts(&last_finished)->path, "/first");
	CHECK_INT(last_finished.role, REQUEST_PROXY);
	track_sent(second, RESPONSE, strlen(RESPONSE));
	CHECK_INT(last_finished.role, REQUEST_SERVER);
	close_server();
	track_closed(track_closing(second));
	close(second);
	close(other);
	track_closed(track_closing(upstream));
	close(upstream);
	close_all();
}

/* ---- event loops ---- */

static unsigned events_of_several, turns_hidden, turns_begun;
static uint64_t running_task; /* its coroutine has the same number */
static struct turn *running_turn;
static void turn_begins(struct turn *turn)
{
	running_turn = turn;
	turns_begun++;
}
static void turn_event(struct turn_event *event)
{
	events_of_several += event->several;
	event->task = running_task;
}
static uint64_t turn_task(void)
{
	return running_task;
}
static void whole_task(struct handed_task *task)
{
	*task = (struct handed_task){ .task = running_task, .coroutine = running_task };
}
static void turn_ends(struct turn *turn, bool waits, bool idle)
{
	(void)waits;
	(void)idle;
	turns_hidden += turn->hidden;
}

static void start_with_turns(bool on)
{
	static struct track_callbacks with;

	with = callbacks;
	with.turn_begins = turn_begins;
	with.turn_event = turn_event;
	with.turn_task = turn_task;
	with.turn_ends = turn_ends;
	with.task = whole_task;
	events_of_several = turns_hidden = turns_begun = 0;
	track_start(on ? &with : &callbacks);
}

/* Handlers may run before the first answer is written: whose work it is does not show. */
static void *pipelined_on_a_loop(void *epoll)
{
	int fd = *(int *)epoll;

	track_wait_epoll(fd);
	track_epoll_added(fd, server);
	track_wait_epoll(fd);
	in("GET /a HTTP/1.1\r\n\r\n");
	CHECK(track_current() != NULL && !track_in_turns());
	out(RESPONSE);
	track_wait_epoll(fd);
	in("GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
	CHECK(track_current() == NULL && track_in_turns());
	CHECK(events_of_several > 0);
	out(RESPONSE);
	out(RESPONSE);
	track_wait_epoll(fd);
	CHECK_INT(turns_hidden, 1);
	CHECK(strstr(happened, "finished /b; ") && strstr(happened, "finished /c; "));
	events_of_several = 0;
	in("GET /d HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	track_wait_epoll(fd);
	CHECK_INT(events_of_several + turns_hidden, 1);
	track_thread_ends();
	return NULL;
}

static void on_another_thread(void *(*work)(void *), void *argument)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, work, argument) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void on_a_loop(void *(*work)(void *))
{
	int epoll = epoll_create1(0);

	start_with_turns(true);
	connect_pair();
	track_epoll_added(epoll, listener);
	on_another_thread(work, &epoll);
	close_server();
	close_all();
	track_closed(track_closing(epoll));
	close(epoll);
	start_with_turns(false);
}

/* uwsgi's greenlets: one has begun to sleep, and the loop's next event is a connection. */
static void *accepts_meanwhile(void *epoll)
{
	in("GET /a HTTP/1.1\r\n\r\n");
	CHECK(!track_polls());
	out(RESPONSE);
	track_wait_epoll(*(int *)epoll);
	track_look_for_connections();
	in("GET /b HTTP/1.1\r\n\r\n");
	CHECK(track_polls() && track_current() != NULL && !track_in_turns());
	track_look_for_connections();
	CHECK(track_current() == NULL && track_in_turns());
	out(RESPONSE);
	track_wait_epoll(*(int *)epoll);
	track_thread_ends();
	return NULL;
}

static void who_looks_for_connections_in_the_middle_of_a_request_is_a_loop(void)
{
	on_a_loop(accepts_meanwhile);
}

static void *answers(void *unused)
{
	out(RESPONSE);
	track_thread_ends();
	return unused;
}

/* A pool's thread that was taken for a loop waits in a condition when it has nothing to do. */
static void *sleeps_in_a_turn(void *epoll)
{
	in("GET /a HTTP/1.1\r\n\r\n");
	track_wait_epoll(*(int *)epoll);
	CHECK(track_in_turns());
	out(RESPONSE);
	CHECK(strstr(happened, "finished /a; ") == NULL);
	CHECK(track_parks() && track_done());
	track_park();
	CHECK(strstr(happened, "finished /a; ") != NULL);
	CHECK(!track_parks());
	track_woken();

	/* Another has begun: that one goes on. */
	in("GET /b HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	in("GET /c HTTP/1.1\r\n\r\n");
	CHECK(track_parks() && !track_done());
	track_park();
	CHECK(strstr(happened, "finished /b; ") != NULL);
	track_woken();
	CHECK(track_parks());
	out(RESPONSE);
	CHECK(strstr(happened, "finished /c; ") == NULL);
	track_park();
	CHECK(strstr(happened, "finished /c; ") != NULL);
	track_woken();

	in("GET /d HTTP/1.1\r\n\r\n");
	track_park();
	on_another_thread(answers, NULL);
	CHECK(strstr(happened, "finished /d; ") != NULL);
	track_woken();

	in("GET /e HTTP/1.1\r\n\r\n");
	track_park();
	track_woken();
	out(RESPONSE);
	CHECK(strstr(happened, "finished /e; ") == NULL);
	track_wait_epoll(*(int *)epoll);
	CHECK(strstr(happened, "finished /e; ") != NULL);

	/* It waits with a set that nobody knows yet, or for something else than clients. */
	in("GET /g HTTP/1.1\r\n\r\n");
	track_wait_epoll(listener);
	CHECK(track_parks());
	out(RESPONSE);
	CHECK(strstr(happened, "finished /g; ") == NULL);
	track_wait_epoll(listener);
	CHECK(strstr(happened, "finished /g; ") != NULL);
	track_waited(false);
	CHECK(track_in_turns());

	/* A thread that ends in such a sleep. */
	in("GET /f HTTP/1.1\r\n\r\n");
	track_park();
	track_thread_ends();
	return NULL;
}

static void a_loop_that_sleeps_in_a_lock_keeps_no_request_from_being_finished(void)
{
	on_a_loop(sleeps_in_a_turn);
	CHECK(strstr(happened, "finished /f; ") != NULL);
}

static void pipelined_requests_make_a_thread_that_polls_a_loop(void)
{
	on_a_loop(pipelined_on_a_loop);
}

/* How many turns begin in so many rounds of the loop? */
static unsigned rounds(int epoll, unsigned count, bool only_looks)
{
	unsigned before = turns_begun;

	for (unsigned i = 0; i < count; i++) {
		track_wait_epoll(epoll);
		track_waited(only_looks);
	}
	return turns_begun - before;
}

static void answered_by(uint64_t task, int epoll)
{
	running_task = 0;
	in("GET /a HTTP/1.1\r\n\r\n");
	CHECK_INT(rounds(epoll, 1, true), 1);
	running_task = task;
	out(RESPONSE);
	running_task = 0;
}

static void *goes_on_when_it_has_answered(void *argument)
{
	int epoll = *(int *)argument;

	CHECK_INT(rounds(epoll, 1, false), 0);
	answered_by(0, epoll);
	CHECK_INT(rounds(epoll, 10, true), 0); /* has no tasks */
	answered_by(7, epoll);
	CHECK_INT(rounds(epoll, 10, true), 4);
	answered_by(7, epoll);
	CHECK_INT(rounds(epoll, 1, true), 1);
	CHECK_INT(rounds(epoll, 1, false), 0);
	CHECK_INT(rounds(epoll, 10, true), 0);
	track_wait_epoll(epoll);
	track_thread_ends();
	return NULL;
}

static void a_loops_tasks_are_looked_at_for_a_moment_after_the_last_answer(void)
{
	on_a_loop(goes_on_when_it_has_answered);
}

static int second_server;

/* Another client, whose connection has been accepted as second_server. */
static int connect_second(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int other = socket(AF_INET, SOCK_STREAM, 0);

	getsockname(listener, (struct sockaddr *)&a, &len);
	CHECK(connect(other, (struct sockaddr *)&a, sizeof(a)) == 0);
	second_server = accept(listener, NULL, NULL);
	track_accepted(listener, second_server);
	return other;
}

static void close_second(int other)
{
	track_closed(track_closing(second_server));
	close(second_server);
	close(other);
}

static void second_out(const char *text)
{
	track_sent(second_server, text, strlen(text));
}

static void second_in(const char *text)
{
	track_received(second_server, text, strlen(text));
}

/* A proxy: what it did before it connected was for whom it connects, unless it calls back where it reads. */
static unsigned events_of_a_connect(unsigned inside, unsigned outside)
{
	unsigned before = running_turn->count;
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int upstream = socket(AF_INET, SOCK_STREAM, 0);

	running_turn->inside = inside;
	running_turn->outside = outside;
	getsockname(listener, (struct sockaddr *)&a, &len);
	CHECK(connect(upstream, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(upstream);
	track_closed(track_closing(upstream));
	close(upstream);
	return running_turn->count - before;
}

static void *connects_when_it_has_read(void *epoll)
{
	int fd = *(int *)epoll;

	int other = connect_second();

	track_epoll_added(fd, server);
	track_wait_epoll(fd);
	in("GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
	out(RESPONSE RESPONSE);
	track_wait_epoll(fd);
	in("GET /d HTTP/1.1\r\n\r\n");
	CHECK(track_in_turns());
	CHECK_INT(events_of_a_connect(0, 0), 1);
	CHECK_INT(events_of_a_connect(1, 1), 1);
	CHECK_INT(events_of_a_connect(1, 0), 0);
	CHECK_INT(events_of_a_connect(80, 1), 0);
	CHECK(!running_turn->events[running_turn->count - 1].cut);
	/* /f has begun, and /g's next step comes first: the connection may be for either. */
	out(RESPONSE);
	in("GET /e HTTP/1.1\r\n\r\nGET /f HTTP/1.1\r\n\r\n");
	second_in("GET /g HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	second_out("HTTP/1.1 200 OK\r\n");
	CHECK_INT(events_of_a_connect(0, 0), 0);
	CHECK(running_turn->events[running_turn->count - 1].cut);
	track_thread_ends();
	close_second(other);
	return NULL;
}

static void a_loop_that_works_on_when_it_has_read_connects_for_who_was_read(void)
{
	on_a_loop(connects_when_it_has_read);
}

#define CLOSING "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

/* It waits for new connections with others at the same set (uwsgi), and for its only one together with what wakes it (Ruby). */
static void *has_one_connection_at_a_time(void *epoll)
{
	struct pollfd fds[2] = { { .fd = server, .events = POLLIN }, { .events = POLLIN } };
	int woken[2];
	fd_set set;

	CHECK(pipe(woken) == 0);
	fds[1].fd = woken[0];
	FD_ZERO(&set);
	FD_SET(server, &set);
	FD_SET(woken[0], &set);
	track_wait_epoll(*(int *)epoll);
	in("GET /a HTTP/1.1\r\n\r\n");
	out(CLOSING);
	track_wait_poll(fds, 2);
	in("GET /a HTTP/1.1\r\n\r\n");
	out(CLOSING);
	track_wait_select((server > woken[0] ? server : woken[0]) + 1, &set, NULL);
	in("GET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
	CHECK(!track_in_turns() && track_current() != NULL);
	out(RESPONSE RESPONSE);
	track_thread_ends();
	close(woken[0]);
	close(woken[1]);
	return NULL;
}

static void *pipelined_on_a_thread(void *unused)
{
	in("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
	CHECK(track_current() != NULL && !track_in_turns());
	out(RESPONSE RESPONSE);
	track_thread_ends();
	return unused;
}

static void pipelined_requests_make_no_loop_of_a_thread_with_one_connection(void)
{
	on_a_loop(has_one_connection_at_a_time);
}

static void pipelined_requests_are_one_thread_s_work_in_their_order(void)
{
	start_with_turns(true);
	connect_pair();
	on_another_thread(pipelined_on_a_thread, NULL);
	close_server();
	close_all();
	start_with_turns(false);
}

/* ---- threads of pools ---- */

static void parked(struct request *r)
{
	note("parked", r);
}
static void unparked(struct request *r, bool kept)
{
	note(kept ? "unparked" : "lost", r);
}
static bool stray_begins(bool handed)
{
	(void)handed;
	strncat(happened, "stray; ", LOG_MAX - strlen(happened) - 1);
	return true;
}
static void stray_ends(struct request *r, bool wanted)
{
	(void)wanted;
	if (r)
		note("stray was for", r);
	else
		strncat(happened, "stray was nobody's; ", LOG_MAX - strlen(happened) - 1);
}

static void start_with_pools(void)
{
	static struct track_callbacks with;

	with = callbacks;
	with.parked = parked;
	with.unparked = unparked;
	with.stray_begins = stray_begins;
	with.stray_ends = stray_ends;
	track_start(&with);
}

static void stop_pools(void)
{
	track_thread_ends();
	track_pools = false;
	track_start(&callbacks);
}

static void *answers_it(void *unused)
{
	out(RESPONSE);
	track_thread_ends();
	return unused;
}

static void who_sleeps_in_a_lock_does_not_keep_a_request(void)
{
	start_with_pools();
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\n");
	CHECK(track_parks());
	track_park();
	CHECK(!track_parks());
	track_woken();
	CHECK(track_current() != NULL);
	CHECK_STR(happened, "began; resumed /a; parked /a; unparked /a; ");
	track_park();
	happened[0] = '\0';
	on_another_thread(answers_it, NULL);
	CHECK(strstr(happened, "finished /a; ") != NULL);
	happened[0] = '\0';
	track_woken();
	CHECK_STR(happened, "lost /a; ");
	CHECK(track_current() == NULL);
	/* The process ends, or something is read in a signal handler, while it sleeps. */
	in("GET /b HTTP/1.1\r\n\r\n");
	track_park();
	happened[0] = '\0';
	out(RESPONSE);
	CHECK(strstr(happened, "unparked /b; ") != NULL && strstr(happened, "finished /b; ") != NULL);
	close_server();
	close_all();
	stop_pools();
}

/* Twice: where pools take requests over is known from the first time. */
static void *two_are_answered(void *unused)
{
	out(RESPONSE);
	CHECK_STR(happened, "stray; finished /a; ");
	happened[0] = '\0';
	in("GET /b HTTP/1.1\r\n\r\n");
	CHECK_STR(happened, "began; stray was nobody's; resumed /b; ");
	track_park();
	track_woken();
	track_goes_on();
	CHECK_STR(happened, "began; stray was nobody's; resumed /b; parked /b; unparked /b; paused /b; stray; ");
	happened[0] = '\0';
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	CHECK_STR(happened, "stray was for /b; stray; ");
	CHECK_STR(request_facts(track_current())->path, "/b");
	out("ok");
	CHECK(strstr(happened, "stray was for /b; stray; stray was for /b; ") != NULL);
	CHECK(strstr(happened, "finished /b; ") != NULL);
	CHECK(track_current() == NULL);
	happened[0] = '\0';
	track_wait_accept();
	CHECK_STR(happened, "stray was nobody's; ");
	return unused;
}

static void what_a_pools_thread_writes_tells_whose_work_that_was(void)
{
	start_with_pools();
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\n");
	track_park();
	happened[0] = '\0';
	on_another_thread(two_are_answered, NULL);
	CHECK(track_pools);
	track_woken();
	close_server();
	close_all();
	stop_pools();
}

/* A pool of one thread gives what is left in a connection's buffer back to its queue. */
static void *answers_from_a_queue(void *unused)
{
	const char *two = "GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n";

	in("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
	happened[0] = '\0';
	out(RESPONSE);
	CHECK_STR(happened, "paused /a; finished /a; began; stray; ");
	second_in(two);
	happened[0] = '\0';
	second_out(RESPONSE);
	CHECK_STR(happened, "paused /c; finished /c; began; stray; ");
	happened[0] = '\0';
	out(RESPONSE);
	CHECK_STR(happened, "stray was for /b; stray; finished /b; ");
	CHECK(track_pools);
	happened[0] = '\0';
	second_out(RESPONSE);
	CHECK_STR(happened, "stray was for /d; stray; finished /d; ");
	track_thread_ends();
	return unused;
}

static void a_request_that_nobody_read_for_may_be_another_threads(void)
{
	int other;

	start_with_pools();
	connect_pair();
	other = connect_second();
	on_another_thread(answers_from_a_queue, NULL);
	close_second(other);
	close_server();
	close_all();
	stop_pools();
}

/* Puma: what comes slowly, head or body, is read on by another thread. */
static void *leaves_the_rest_to_others(void *rest)
{
	happened[0] = '\0';
	in("POST /a HTTP/1.1\r\nContent-Length: 2\r\n");
	CHECK_STR(happened, "began; resumed /a; paused /a; stray; ");
	in("\r\n");
	CHECK(strstr(happened, "paused /a; stray; stray was for /a; resumed /a; paused /a; stray; ") != NULL);
	happened[0] = '\0';
	if (rest) {
		second_out(RESPONSE);
		CHECK_STR(happened, "stray was for /x; stray; ");
	} else {
		in("ok");
		CHECK_STR(happened, "stray was for /a; resumed /a; ");
		out(RESPONSE);
	}
	track_thread_ends();
	return NULL;
}

static void who_has_not_read_a_request_whole_may_go_on_with_another(void)
{
	int other;

	start_with_pools();
	track_pools = true;
	connect_pair();
	other = connect_second();
	on_another_thread(leaves_the_rest_to_others, NULL);
	second_in("GET /x HTTP/1.1\r\n\r\n");
	on_another_thread(leaves_the_rest_to_others, &other);
	close_second(other);
	close_server();
	close_all();
	stop_pools();
}

enum { OWN_MANY = 40 };

static void *answers_in_order(void *unused)
{
	for (int i = 0; i < OWN_MANY; i++) {
		in("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
		out(RESPONSE);
		happened[0] = '\0';
		out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
		if (i == 0)
			CHECK_STR(happened, "stray was for /b; resumed /b; ");
		out("ok");
		CHECK(strstr(happened, "paused /b; finished /b; ") != NULL);
	}
	CHECK_STR(happened, "paused /b; finished /b; ");
	CHECK(!track_pools);
	track_thread_ends();
	return unused;
}

/* (For good: such requests stray no more in tests after this one.) */
static void a_thread_that_always_answers_what_it_began_works_for_it(void)
{
	start_with_pools();
	connect_pair();
	on_another_thread(answers_in_order, NULL);
	close_server();
	close_all();
	stop_pools();
}

/* ---- work that is handed to threads of pools ---- */

static enum track_hand hand;
static uintptr_t handed_item, worked_item;
static enum track_hand hands(uintptr_t *item)
{
	*item = handed_item;
	return hand;
}
static uintptr_t item_here(void)
{
	return worked_item;
}
static void stray_settles(bool all)
{
	strncat(happened, all ? "all settled; " : "settled; ", LOG_MAX - strlen(happened) - 1);
}

static void gives(uintptr_t item, const void *semaphore)
{
	hand = TRACK_GIVES;
	handed_item = item;
	track_tells(semaphore);
	hand = TRACK_HANDS_NOTHING;
}

static bool is_of(uintptr_t item, const char *path)
{
	struct handed_answer answer = handed_whose(item);
	bool is = path ? answer.request && strcmp(request_facts(answer.request)->path, path) == 0 :
			 answer.whose == HANDED_NOBODYS;

	handed_let_go(&answer);
	return is;
}

static void start_with_hands(void)
{
	static struct track_callbacks with;

	with = callbacks;
	with.stray_begins = stray_begins;
	with.stray_ends = stray_ends;
	with.hands = hands;
	with.item = item_here;
	with.stray_settles = stray_settles;
	track_start(&with);
}

static void *works_on_items(void *semaphore)
{
	happened[0] = '\0';
	CHECK(!track_told_by("another"));
	CHECK(track_told_by(semaphore));
	track_takes();
	CHECK_STR(happened, "stray; ");
	/* It gives some of it on, and is done. */
	worked_item = 0x1000;
	gives(0x2000, semaphore);
	CHECK(is_of(0x2000, "/a"));
	CHECK_STR(happened, "stray; settled; ");
	hand = TRACK_ENDS;
	handed_item = 0x1000;
	track_tells(semaphore);
	CHECK(is_of(0x1000, NULL));
	happened[0] = '\0';
	track_settles(true);
	CHECK_STR(happened, "all settled; ");
	hand = TRACK_HANDS_NOTHING;
	worked_item = 0;
	gives(0x3000, semaphore);
	CHECK(is_of(0x3000, NULL));
	track_thread_ends();
	return NULL;
}

static void *is_new(void *unused)
{
	happened[0] = '\0';
	track_tells("a lock of its own");
	CHECK_STR(happened, "stray; settled; ");
	track_thread_ends();
	return unused;
}

static void what_is_given_away_for_a_request_is_its_work(void)
{
	static const char semaphore[] = "lock";

	start_with_hands();
	connect_pair();
	gives(0x1000, semaphore);
	CHECK(is_of(0x1000, NULL) && !track_hands && !track_told_by(semaphore));
	in("GET /a HTTP/1.1\r\n\r\n");
	gives(0x1000, semaphore);
	CHECK(is_of(0x1000, "/a") && track_hands);
	/* What wakes the request's own thread is no work for it. */
	happened[0] = '\0';
	track_takes();
	CHECK_STR(happened, "");
	on_another_thread(works_on_items, (void *)semaphore);
	on_another_thread(is_new, NULL);
	out(RESPONSE);
	track_thread_ends();
	CHECK(is_of(0x2000, NULL));
	/* By a thread that works for nobody: the address is used again. */
	gives(0x2000, semaphore);
	CHECK(!handed_is(0x2000));
	close_server();
	close_all();
	track_hands = false;
	track_start(&callbacks);
}

/* A connection that others will be told to wait for, waited for a moment. */
static void who_waits_for_one_client_is_no_event_loop(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int other = socket(AF_INET, SOCK_STREAM, 0), second;
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };

	start_with_turns(true);
	connect_pair();
	getsockname(listener, (struct sockaddr *)&a, &len);
	CHECK(connect(other, (struct sockaddr *)&a, sizeof(a)) == 0);
	second = accept(listener, NULL, NULL);
	track_accepted(listener, second);
	in("GET /first HTTP/1.1\r\n\r\n");
	fds[0].fd = second;
	fds[1].fd = listener;
	track_wait_poll(fds, 1);
	CHECK(!track_in_turns() && track_current() == NULL);
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	CHECK(track_current() != NULL);
	track_wait_poll(fds, 2);
	CHECK(track_in_turns());
	track_thread_ends();
	close_server();
	track_closed(track_closing(second));
	close(second);
	close(other);
	close_all();
	start_with_turns(false);
}

static void *takes_the_next_from_a_queue(void *unused)
{
	/* The client is gone, nothing more can be written, and the pool's thread sees no call that fails. */
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
	happened[0] = '\0';
	second_out(RESPONSE);
	CHECK(strstr(happened, "stray was for /second; ") != NULL);
	CHECK(!track_in_turns());
	track_thread_ends();
	return unused;
}

static void a_pools_thread_that_turns_to_another_request_is_no_event_loop(void)
{
	int other;

	start_with_turns(true);
	start_with_pools();
	connect_pair();
	other = connect_second();
	in("GET /first HTTP/1.1\r\n\r\n");
	second_in("GET /second HTTP/1.1\r\n\r\n");
	on_another_thread(takes_the_next_from_a_queue, NULL);
	close_server();
	close_second(other);
	close_all();
	stop_pools();
}

static int pooled;

/* Takes the connection from a pool, to which the first request's thread has given it back. */
static void *second_on_another_thread(void *second)
{
	int fd = *(int *)second;

	track_received(fd, "GET /second HTTP/1.1\r\n\r\n", 24);
	track_sent(pooled, "GET /second HTTP/1.1\r\n\r\n", 24);
	track_received(pooled, RESPONSE, strlen(RESPONSE));
	CHECK_STR(request_facts(track_current())->path, "/second");
	track_sent(fd, RESPONSE, strlen(RESPONSE));
	CHECK_STR(request_facts(&last_finished)->path, "/second");
	CHECK_INT(last_finished.role, REQUEST_PROXY);
	return NULL;
}

static void another_thread_makes_a_pooled_connection_its_requests(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	pthread_t thread;
	int other, second;

	connect_pair();
	pooled = socket(AF_INET, SOCK_STREAM, 0);
	getsockname(listener, (struct sockaddr *)&a, &len);
	in("GET /first HTTP/1.1\r\n\r\n");
	CHECK(connect(pooled, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(pooled);
	track_sent(pooled, "GET /first HTTP/1.1\r\n\r\n", 23);
	track_received(pooled, RESPONSE, strlen(RESPONSE));
	/* Its own response is not out yet. */
	other = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(connect(other, (struct sockaddr *)&a, sizeof(a)) == 0);
	second = accept(listener, NULL, NULL);
	track_accepted(listener, second);
	CHECK(pthread_create(&thread, NULL, second_on_another_thread, &second) == 0);
	pthread_join(thread, NULL);
	CHECK_STR(request_facts(track_current())->path, "/first");
	out(RESPONSE);
	CHECK_STR(request_facts(&last_finished)->path, "/first");
	CHECK_INT(last_finished.role, REQUEST_PROXY);
	close_server();
	track_closed(track_closing(second));
	close(second);
	close(other);
	track_closed(track_closing(pooled));
	close(pooled);
	close_all();
}

static void asking_another_service_makes_no_proxy(void)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int upstream = socket(AF_INET, SOCK_STREAM, 0);

	connect_pair();
	getsockname(listener, (struct sockaddr *)&a, &len);
	in("GET /mine HTTP/1.1\r\n\r\n");
	CHECK(connect(upstream, (struct sockaddr *)&a, sizeof(a)) == 0);
	track_connected(upstream);
	track_sent(upstream, "GET /theirs HTTP/1.1\r\n\r\n", 24);
	track_received(upstream, "HTTP/1.1 200 OK\r\n\r\n", 19);
	CHECK_STR(request_facts(track_current())->path, "/mine");
	out(RESPONSE);
	CHECK_INT(last_finished.role, REQUEST_SERVER);
	close_server();
	track_closed(track_closing(upstream));
	close(upstream);
	close_all();
}

static void a_duplicate_keeps_the_connection_open(void)
{
	int copy;

	connect_pair();
	in("GET /a HTTP/1.0\r\n\r\n");
	copy = dup(server);
	track_duplicated(server, copy);
	out("HTTP/1.0 200 OK\r\n\r\nbody");
	close_server();
	CHECK(strstr(happened, "finished") == NULL);
	track_sent(copy, "more", 4);
	track_closed(track_closing(copy));
	close(copy);
	CHECK(strstr(happened, "finished /a") != NULL);
	CHECK_INT(last_finished.out.any.body_bytes, 8);
	close_all();
}

static void bytes_that_cannot_be_seen_count(void)
{
	connect_pair();
	in("GET /file HTTP/1.1\r\n\r\n");
	out("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	track_sent(server, NULL, 999);
	CHECK(strstr(happened, "finished") == NULL);
	track_sent(server, NULL, 1);
	CHECK(strstr(happened, "finished /file") != NULL);
	close_server();
	close_all();
}

static void a_forked_child_forgets_its_parents_requests(void)
{
	connect_pair();
	in("GET /parents HTTP/1.1\r\n\r\n");
	CHECK_INT(track_postfork_child(), 1);
	CHECK(track_current() == NULL);
	out(RESPONSE);
	CHECK(strstr(happened, "finished") == NULL);
	close_server();
	CHECK(strstr(happened, "finished") == NULL);
	close_all();
}

static void a_forked_child_serves_a_connection_it_inherited(void)
{
	connect_pair();
	CHECK_INT(track_postfork_child(), 0);
	in("GET /childs HTTP/1.1\r\n\r\n");
	out(RESPONSE);
	CHECK(strstr(happened, "finished /childs") != NULL);
	close_server();
	close_all();
}

static void switched_off_nobody_holds_a_request(void)
{
	profiling = false;
	connect_pair();
	in("GET /a HTTP/1.0\r\n\r\n");
	CHECK(track_current() == NULL);
	out("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
	CHECK_STR(happened, "began; finished /a; ");
	close_server();
	close_all();
	profiling = true;
}

static void answer(void)
{
	out("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void start_dormant(void)
{
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\n");
	answer();
	switched_off = true;
	passed = 0;
	happened[0] = '\0';
}

static void end_dormant(void)
{
	switched_off = false;
	close_server();
	close_all();
}

static void switched_off_a_connection_is_passed_over(void)
{
	start_dormant();
	in("GET /b HTTP/1.1\r\n\r\n");
	answer();
	in("POST /c HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
	in("hello");
	answer();
	CHECK_INT(passed, 2);
	CHECK_STR(happened, "");
	switched_off = false;
	in("GET /d HTTP/1.1\r\n\r\n");
	answer();
	CHECK_INT(passed, 2);
	CHECK_STR(happened, "began; resumed /d; paused /d; finished /d; ");
	end_dormant();
}

static void a_request_that_runs_when_it_is_switched_off_is_followed_to_its_end(void)
{
	connect_pair();
	in("GET /a HTTP/1.1\r\n\r\n");
	switched_off = true;
	answer();
	CHECK_STR(happened, "began; resumed /a; paused /a; finished /a; ");
	end_dormant();
}

static void switched_on_in_the_middle_it_waits_for_the_next_head(void)
{
	start_dormant();
	in("POST /b HTTP/1.1\r\nContent-Length: 18\r\n\r\n");
	switched_off = false;
	in("GET /c HTTP/1.1\r\n\r\n"); /* the body */
	answer();
	in("\x82\x05 a frame");
	answer();
	CHECK_STR(happened, "");
	in("GET /d HTTP/1.1\r\n\r\n");
	answer();
	CHECK_STR(happened, "began; resumed /d; paused /d; finished /d; ");
	end_dormant();
}

/* What may be passed over without a look is what would change nothing: not the answer to what was read, nor what is
 * read after an answer, by whichever descriptor. */
static void asleep_only_a_change_of_direction_is_wanted(void)
{
	int copy;

	start_dormant();
	copy = dup(server);
	track_duplicated(server, copy);
	CHECK(track_wants(server) && track_wants_sent(server));
	in("GET /b HTTP/1.1\r\n");
	CHECK(!track_wants(server) && !track_wants(copy));
	CHECK(track_wants_sent(server) && track_wants_sent(copy));
	in("\r\n");
	track_sent(copy, RESPONSE, strlen(RESPONSE));
	CHECK(track_wants(server) && track_wants(copy));
	CHECK(!track_wants_sent(server) && !track_wants_sent(copy));
	in("GET /c HTTP/1.1\r\n\r\n");
	answer();
	CHECK_INT(passed, 2);
	switched_off = false;
	track_received(copy, "GET /d HTTP/1.1\r\n\r\n", 19);
	CHECK(track_wants(server) && track_wants_sent(server));
	answer();
	CHECK_STR(happened, "began; resumed /d; paused /d; finished /d; ");
	track_closed(track_closing(copy));
	close(copy);
	end_dormant();
}

static void a_descriptor_used_again_is_awake(void)
{
	start_dormant();
	in("GET /b HTTP/1.1\r\n\r\n");
	end_dormant();
	connect_pair();
	CHECK(track_wants(server));
	in("GET /c HTTP/1.1\r\n\r\n");
	answer();
	CHECK_STR(happened, "began; resumed /c; paused /c; finished /c; ");
	end_dormant();
}

static long resident_pages(void)
{
	long pages = -1, all;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = -1;
	if (f)
		fclose(f);
	return pages;
}

static void objects_are_used_again(void)
{
	long before = 0;

	for (int i = 0; i < 20000; i++) {
		happened[0] = '\0';
		track_accepted(900, 901);
		track_received(901, "GET /x HTTP/1.1\r\n\r\n", 19);
		track_sent(901, RESPONSE, strlen(RESPONSE));
		track_closed(track_closing(901));
		if (i == 100)
			before = resident_pages();
	}
	CHECK(strstr(happened, "finished /x") != NULL);
	/* 20,000 requests of nearly 3 KiB would be 14,000 pages. */
	CHECK(before > 0 && resident_pages() - before < 1000);
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_keep_alive_request_finishes_with_its_last_byte),
		TAP_TEST(what_comes_after_the_servers_end_is_no_request),
		TAP_TEST(a_client_that_waits_for_the_close_gets_it_first),
		TAP_TEST(a_response_without_length_ends_with_the_connection),
		TAP_TEST(a_close_in_the_middle_aborts),
		TAP_TEST(pipelined_requests_follow_each_other_without_a_read),
		TAP_TEST(two_answers_in_one_write_end_two_requests),
		TAP_TEST(a_deep_pipeline_is_dropped_and_counted),
		TAP_TEST(a_head_is_told_once_when_it_is_whole),
		TAP_TEST(heads_cut_at_every_byte_are_one_request),
		TAP_TEST(a_body_left_unread_is_not_the_next_request),
		TAP_TEST(interim_answers_do_not_end_it),
		TAP_TEST(a_body_withheld_after_the_answer_is_not_waited_for),
		TAP_TEST(other_protocols_are_never_looked_at_again),
		TAP_TEST(files_that_look_like_requests_are_not),
		TAP_TEST(a_socket_never_accepted_is_judged_by_its_first_bytes),
		TAP_TEST(a_number_handed_out_again_is_a_new_connection),
		TAP_TEST(waiting_for_new_work_puts_it_down),
		TAP_TEST(a_relayed_request_makes_a_proxy),
		TAP_TEST(a_front_ends_uwsgi_packet_makes_a_proxy_whatever_its_path),
		TAP_TEST(an_event_loops_turn_does_not_mix_up_upstreams),
		TAP_TEST(pipelined_requests_make_a_thread_that_polls_a_loop),
		TAP_TEST(a_loop_that_works_on_when_it_has_read_connects_for_who_was_read),
		TAP_TEST(pipelined_requests_make_no_loop_of_a_thread_with_one_connection),
		TAP_TEST(a_loop_that_sleeps_in_a_lock_keeps_no_request_from_being_finished),
		TAP_TEST(who_looks_for_connections_in_the_middle_of_a_request_is_a_loop),
		TAP_TEST(a_loops_tasks_are_looked_at_for_a_moment_after_the_last_answer),
		TAP_TEST(pipelined_requests_are_one_thread_s_work_in_their_order),
		TAP_TEST(who_sleeps_in_a_lock_does_not_keep_a_request),
		TAP_TEST(what_a_pools_thread_writes_tells_whose_work_that_was),
		TAP_TEST(a_request_that_nobody_read_for_may_be_another_threads),
		TAP_TEST(who_has_not_read_a_request_whole_may_go_on_with_another),
		TAP_TEST(what_is_given_away_for_a_request_is_its_work),
		TAP_TEST(who_waits_for_one_client_is_no_event_loop),
		TAP_TEST(a_pools_thread_that_turns_to_another_request_is_no_event_loop),
		TAP_TEST(a_thread_that_always_answers_what_it_began_works_for_it),
		TAP_TEST(another_thread_makes_a_pooled_connection_its_requests),
		TAP_TEST(asking_another_service_makes_no_proxy),
		TAP_TEST(a_duplicate_keeps_the_connection_open),
		TAP_TEST(bytes_that_cannot_be_seen_count),
		TAP_TEST(a_forked_child_forgets_its_parents_requests),
		TAP_TEST(a_forked_child_serves_a_connection_it_inherited),
		TAP_TEST(switched_off_nobody_holds_a_request),
		TAP_TEST(switched_off_a_connection_is_passed_over),
		TAP_TEST(a_request_that_runs_when_it_is_switched_off_is_followed_to_its_end),
		TAP_TEST(switched_on_in_the_middle_it_waits_for_the_next_head),
		TAP_TEST(asleep_only_a_change_of_direction_is_wanted),
		TAP_TEST(a_descriptor_used_again_is_awake),
		TAP_TEST(objects_are_used_again),
		TAP_TEST(one_that_comes_right_after_an_answer_has_not_lain_there),
	};

	track_start(&callbacks);
	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
