/* HTTP/2 framing, RFC 9113: cut at every byte, against an unreadable page. */
#include "preload/wire/http2.h"

#include "preload/wire/facts.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"
#include "tests/unit/tap.h"

enum { BYTES_MAX = 4096, LOG_MAX = 8192 };

static struct hpack_entry entries[128];
static char kept[HPACK_TABLE_DEFAULT];
static struct http2_flow flow;
static struct wire_facts facts;
static char said[LOG_MAX];

static void say(const char *text)
{
	strncat(said, text, LOG_MAX - strlen(said) - 1);
}

static void start(bool client)
{
	said[0] = '\0';
	memset(&flow, 0xa5, sizeof(flow));
	http2_start(&flow, client, entries, 128, kept, sizeof(kept));
}

static void note(enum http2_event event)
{
	char text[WIRE_PATH_MAX + 128];

	if (event == HTTP2_FRAME) {
		snprintf(text, sizeof(text), "%u@%u ", flow.type, flow.stream);
		say(text);
		if (flow.type == HTTP2_HEADERS) {
			facts_start(&facts);
			flow.hpack.facts = &facts;
		}
	}
	if (event != HTTP2_FRAME_END)
		return;
	if (flow.head_ended) {
		snprintf(text, sizeof(text), "%s(%s %s %u) ", flow.promise ? "promise" : "head",
			 facts.method, facts.path, flow.hpack.status);
		say(text);
	}
	say(flow.stream_ended ? "end; " : "; ");
}

/* Feeds all of them; WIRE_NOT or 0. */
static int feed(const uint8_t *bytes, size_t len)
{
	enum http2_event event;

	do {
		ssize_t used = http2_feed(&flow, guard_copy(bytes, len), len, &event);

		if (used < 0)
			return WIRE_NOT;
		if ((size_t)used > len)
			return 1;
		note(event);
		bytes += used;
		len -= (size_t)used;
	} while (event != HTTP2_MORE);
	return len ? 2 : 0;
}

static int feed_hex(const char *digits)
{
	uint8_t bytes[BYTES_MAX];
	size_t len = hex_bytes(digits, bytes, sizeof(bytes));

	return feed(bytes, len);
}

#define PREFACE "505249202a20485454502f322e300d0a0d0a534d0d0a0d0a "
#define SETTINGS "000000 04 00 00000000 "

/* What is said of these bytes, however they are cut in two, and byte for byte. */
static void check_said(bool client, const char *digits, const char *want)
{
	uint8_t bytes[BYTES_MAX];
	size_t len = hex_bytes(digits, bytes, sizeof(bytes));

	for (size_t cut = 0; cut <= len; cut++) {
		start(client);
		CHECK_INT(feed(bytes, cut), 0);
		CHECK_INT(feed(bytes + cut, len - cut), 0);
		CHECK_STR(said, want);
		CHECK(!http2_in_frame(&flow));
		CHECK(!http2_in_header(&flow));
		if (tap_failed_checks)
			return;
	}
	start(client);
	for (size_t at = 0; at < len; at++)
		CHECK_INT(feed(bytes + at, 1), 0);
	CHECK_STR(said, want);
}

/* The bytes are refused, at their last one, however they are cut. */
static void check_refused(bool client, const char *digits)
{
	uint8_t bytes[BYTES_MAX];
	size_t len = hex_bytes(digits, bytes, sizeof(bytes));

	for (size_t cut = 0; cut < len; cut++) {
		start(client);
		CHECK_INT(feed(bytes, cut), 0);
		CHECK_INT(feed(bytes + cut, len - cut), WIRE_NOT);
		CHECK_INT(feed(bytes, 0), WIRE_NOT);
		CHECK_INT(feed_hex(SETTINGS), WIRE_NOT);
		if (tap_failed_checks) {
			printf("# %s, cut at %zu\n", digits, cut);
			return;
		}
	}
}

static void a_request_without_a_body_ends_with_its_head(void)
{
	check_said(true, PREFACE SETTINGS "000003 01 05 00000001 828684",
		   "4@0 ; 1@1 head(GET / 0) end; ");
}

static void a_body_ends_with_its_last_frame(void)
{
	check_said(true,
		   PREFACE SETTINGS "000003 01 04 00000003 838685 000003 00 00 00000003 616263"
				    "000000 00 00 00000003 000001 00 01 00000003 64",
		   "4@0 ; 1@3 head(POST /index.html 0) ; 0@3 ; 0@3 ; 0@3 end; ");
}

static void an_empty_last_frame_ends_at_once(void)
{
	check_said(false, SETTINGS "000001 01 04 00000001 88 000000 00 01 00000001",
		   "4@0 ; 1@1 head(  200) ; 0@1 end; ");
}

static void padding_and_priority_are_no_fields(void)
{
	check_said(true,
		   PREFACE SETTINGS "00000c 01 2d 00000005 03 80000001 10 828684 000000"
				    "000009 01 0d 00000007 05 828684 0000000000"
				    "000008 01 25 00000009 00000003 ff 828684"
				    "000005 00 09 00000001 02 6162 0000",
		   "4@0 ; 1@5 head(GET / 0) end; 1@7 head(GET / 0) end; 1@9 head(GET / 0) end; "
		   "0@1 end; ");
}

static void a_head_may_go_on_in_other_frames(void)
{
	/* Cut in the middle of the path's string; END_STREAM stands on the first frame. */
	check_said(true,
		   PREFACE SETTINGS "000004 01 01 00000001 8286 4404 000002 09 00 00000001 2f61"
				    "000000 09 00 00000001 000002 09 04 00000001 2f62",
		   "4@0 ; 1@1 ; 9@1 ; 9@1 ; 9@1 head(GET /a/b 0) end; ");
	check_said(true,
		   PREFACE SETTINGS "000005 01 08 00000001 02 8284 0000"
				    "000000 09 04 00000001 000001 00 01 00000001 61",
		   "4@0 ; 1@1 ; 9@1 head(GET / 0) ; 0@1 end; ");
}

static void several_streams_stand_in_one_buffer(void)
{
	check_said(true,
		   PREFACE SETTINGS "000003 01 05 00000001 828684 000003 01 05 00000003 828685"
				    "000003 01 04 00000005 838684",
		   "4@0 ; 1@1 head(GET / 0) end; 1@3 head(GET /index.html 0) end; "
		   "1@5 head(POST / 0) ; ");
}

static void interim_answers_and_trailers_are_heads_too(void)
{
	check_said(false,
		   SETTINGS "000005 01 04 00000001 08 03 313030" /* 100, not added */
			    "000001 01 04 00000001 88 000001 00 00 00000001 61"
			    "000007 01 05 00000001 00 01 61 03 313030",
		   "4@0 ; 1@1 head(  100) ; 1@1 head(  200) ; 0@1 ; 1@1 head(  0) end; ");
}

static void trailers_alone_are_an_answer(void)
{
	check_said(false, SETTINGS "00000f 01 05 00000001 88 00 0b 677270632d737461747573 00",
		   "4@0 ; 1@1 head(  200) end; ");
}

static void frames_that_matter_to_nobody_are_passed_over(void)
{
	check_said(true,
		   PREFACE SETTINGS "000005 02 00 00000003 00000001 10"
				    "000008 06 00 00000000 0102030405060708"
				    "000004 08 00 00000000 00010000 000004 08 00 00000001 00010000"
				    "000003 fa ff 7fffffff 010203 000004 03 00 00000001 00000008"
				    "000008 07 00 00000000 00000001 00000000",
		   "4@0 ; 2@3 ; 6@0 ; 8@0 ; 8@1 ; 250@2147483647 ; 3@1 ; 7@0 ; ");
}

static void a_promise_is_a_head_of_its_own(void)
{
	check_said(false,
		   SETTINGS "000007 05 04 00000001 00000002 828684"
			    "00000a 05 08 00000001 02 00000004 828684 0000 000000 09 04 00000001"
			    "000001 01 04 00000001 88",
		   "4@0 ; 5@1 promise(  0) ; 5@1 ; 9@1 promise(  0) ; 1@1 head(  200) ; ");
}

static void the_reserved_bit_of_a_stream_is_no_part_of_it(void)
{
	check_said(true, PREFACE SETTINGS "000003 01 05 80000001 828684",
		   "4@0 ; 1@1 head(GET / 0) end; ");
}

static void what_breaks_the_framing_is_refused(void)
{
	check_refused(true, "505249202a20485454502f322e31");
	check_refused(true, PREFACE SETTINGS "000003 01 05 00000000"); /* stream 0 */
	check_refused(true, PREFACE SETTINGS "000003 00 05 00000000");
	check_refused(true, PREFACE SETTINGS "000004 03 00 00000000");
	check_refused(true, PREFACE SETTINGS "000000 09 04 00000001"); /* goes on with nothing */
	check_refused(true, PREFACE SETTINGS "000001 01 00 00000001 82 000000 00 00 00000001");
	check_refused(true, PREFACE SETTINGS "000001 01 00 00000001 82 000000 09 00 00000003");
	check_refused(true, PREFACE SETTINGS "000001 01 04 00000001 82 000000 09 00 00000001");
	check_refused(true,
		      PREFACE SETTINGS "000004 01 24 00000001"); /* no room for the priority */
	check_refused(true,
		      PREFACE SETTINGS "000000 01 0c 00000001"); /* nor for the padding's length */
	check_refused(true, PREFACE SETTINGS "000003 01 0c 00000001 03"); /* nor for the padding */
	check_refused(true, PREFACE SETTINGS "000003 05 04 00000001");
	check_refused(true, PREFACE SETTINGS "000001 01 04 00000001 80"); /* no HPACK */
	check_refused(true,
		      PREFACE SETTINGS "000002 01 04 00000001 40 01"); /* not the end of a field */
}

static void an_answer_in_http1_is_refused(void)
{
	check_refused(false, "485454502f312e3120"); /* "HTTP/1.1 ", of a frame header's length */
}

static void bytes_unseen_are_counted_off_the_body_only(void)
{
	enum http2_event event;

	start(false);
	CHECK_INT(feed_hex(SETTINGS "00000a 00 01 00000001 6162"), 0);
	CHECK_INT(http2_skip(&flow, 3, &event), 3);
	CHECK_INT(event, HTTP2_MORE);
	CHECK(http2_in_frame(&flow));
	CHECK_INT(http2_skip(&flow, 7, &event), 5);
	CHECK_INT(event, HTTP2_FRAME_END);
	CHECK(flow.stream_ended);
	CHECK_INT(http2_skip(&flow, 0, &event), 0);
	CHECK_INT(event, HTTP2_MORE);
	CHECK_INT(http2_skip(&flow, 2, &event), WIRE_NOT);
	CHECK_INT(feed_hex(SETTINGS), WIRE_NOT);
	start(false);
	CHECK_INT(feed_hex("00000a 01 01 00000001"), 0);
	CHECK_INT(http2_skip(&flow, 1, &event), WIRE_NOT);
	/* An empty frame's end comes first. */
	start(false);
	CHECK_INT(http2_feed(&flow, "\0\0\0\0\1\0\0\0\1", 9, &event), 9);
	CHECK_INT(event, HTTP2_FRAME);
	CHECK_INT(http2_skip(&flow, 5, &event), 0);
	CHECK_INT(event, HTTP2_FRAME_END);
}

static void a_start_forgets_everything(void)
{
	start(false);
	CHECK_INT(feed_hex("000001 01 00 00000001 82 0000"), 0);
	check_said(false, SETTINGS, "4@0 ; ");
}

int main(void)
{
	static const struct tap_test tests[] = {
		TAP_TEST(a_request_without_a_body_ends_with_its_head),
		TAP_TEST(a_body_ends_with_its_last_frame),
		TAP_TEST(an_empty_last_frame_ends_at_once),
		TAP_TEST(padding_and_priority_are_no_fields),
		TAP_TEST(a_head_may_go_on_in_other_frames),
		TAP_TEST(several_streams_stand_in_one_buffer),
		TAP_TEST(interim_answers_and_trailers_are_heads_too),
		TAP_TEST(trailers_alone_are_an_answer),
		TAP_TEST(frames_that_matter_to_nobody_are_passed_over),
		TAP_TEST(a_promise_is_a_head_of_its_own),
		TAP_TEST(the_reserved_bit_of_a_stream_is_no_part_of_it),
		TAP_TEST(what_breaks_the_framing_is_refused),
		TAP_TEST(an_answer_in_http1_is_refused),
		TAP_TEST(bytes_unseen_are_counted_off_the_body_only),
		TAP_TEST(a_start_forgets_everything),
	};

	return tap_run(tests, sizeof(tests) / sizeof(tests[0]));
}
