/*
 * Any bytes in both directions of a connection, and what else may happen to it: what track concludes
 * is the same however the bytes are cut, and each request that began has ended. (Not the order in which
 * requests are over that one write has answered.)
 *
 * An input is a row of events: '<' or '>', a length byte, and that many bytes read or written (in lower
 * case, '(' or ')': bytes that cannot be seen); 'w' new work is waited for, 'd' the writing side is shut down, 'n'
 * a new connection under the same number, 'f' the process forks and this is the child.
 */
#include "preload/track/track.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t seen; /* a sum, for it does not depend on the order */
static unsigned open_requests;
static bool forked, given_up;
/*
 * Some request was answered before it was read, and its client may have asked whether to send the body: whether
 * the next read is that body or another request is told by that read's bytes. Or that was not asked, for the
 * process had forked and forgot about the request.
 */
static bool guessed;

static void began(struct request *r)
{
	r->profiled = true;
	open_requests++;
	seen += digest_number(0, 1);
}

static void resumed(struct request *r)
{
	REQUIRE(r->profiled);
}

static void paused(struct request *r)
{
	REQUIRE(r->profiled);
}

static void head(struct request *r)
{
	REQUIRE(open_requests > 0);
}

static void finished(struct request *r)
{
	REQUIRE(open_requests > 0);
	open_requests--;
	guessed |= r->out_ready && r->out.any.interim == 0 &&
		   (r->in.any.stage == WIRE_HEAD || request_facts(r)->expect_continue);
	seen += digest_number(digest_facts(0, request_facts(r)),
			      r->end | (r->out_ready ? r->out.any.status : 0u) << 8);
}

static void abandoned(void)
{
	given_up = true;
}

static void counted(unsigned n)
{
	seen += digest_number(2, n);
}

static void unseen(void)
{
	seen += digest_number(0, 3);
}

static const struct track_callbacks callbacks = {
	.began = began,
	.head = head,
	.resumed = resumed,
	.paused = paused,
	.finished = finished,
	.connection_abandoned = abandoned,
	.pipeline_dropped = counted,
	.pushed = counted,
	.tls_unseen = unseen,
};

static int listener = -1, server;

static void start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int client;

	if (listener >= 0)
		return;
	track_start(&callbacks);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0);
	REQUIRE(getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	REQUIRE(connect(client, (struct sockaddr *)&a, sizeof(a)) == 0);
	server = accept(listener, NULL, NULL);
	REQUIRE(server >= 0);
}

static void moved(uint8_t kind, const uint8_t *bytes, size_t len, enum pieces_cut cut)
{
	for (size_t at = 0; at < len;) {
		size_t piece = pieces_next(cut, len, at, len);
		bool hidden = kind == '(' || kind == ')';
		const void *copy = hidden ? NULL : pieces_copy(bytes + at, piece);

		if (kind == '<' || kind == '(')
			track_received(server, copy, piece);
		else
			track_sent(server, copy, piece);
		at += piece;
	}
}

static void happens(uint8_t event)
{
	switch (event) {
	case 'w':
		track_wait_accept();
		break;
	case 'd':
		track_shutdown_write(server);
		break;
	case 'n':
		track_closed(track_closing(server));
		track_accepted(listener, server);
		break;
	case 'f':
		guessed |= open_requests > 0;
		track_postfork_child();
		forked = true;
		break;
	default:
		break;
	}
}

static uint64_t run(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	seen = 0;
	open_requests = 0;
	forked = given_up = false;
	track_wait_accept();
	track_accepted(listener, server);
	while (size > 0) {
		uint8_t event = *bytes++;

		size--;
		if (event == '<' || event == '>' || event == '(' || event == ')') {
			size_t len = size > 0 ? *bytes++ : 0;

			size -= size > 0;
			len = len < size ? len : size;
			moved(event, bytes, len, cut);
			bytes += len;
			size -= len;
		} else {
			happens(event);
		}
	}
	track_closed(track_closing(server));
	track_wait_accept();
	track_thread_ends();
	REQUIRE(forked || open_requests == 0);
	/* Bytes that turn out to be no request: whether one had begun depends on how they came. */
	return given_up ? 1 : seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t whole, single, mixed;

	start();
	guessed = false;
	whole = run(bytes, size, PIECES_WHOLE);
	single = run(bytes, size, PIECES_BYTES);
	mixed = run(bytes, size, PIECES_MIXED);
	REQUIRE(guessed || (single == whole && mixed == whole));
	return 0;
}
