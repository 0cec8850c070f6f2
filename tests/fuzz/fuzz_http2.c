/* Any bytes as one direction of an HTTP/2 connection: the same is seen, however they are cut. */
#include "preload/wire/http2.h"

#include "preload/wire/facts.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { ENTRIES_MAX = HPACK_TABLE_DEFAULT / HPACK_ENTRY_OVERHEAD };

static struct hpack_entry entries[ENTRIES_MAX];
static char text[HPACK_TABLE_DEFAULT];

static uint64_t digest_event(uint64_t sum, struct http2_flow *f, enum http2_event event,
			     struct wire_facts *facts)
{
	if (event == HTTP2_MORE)
		return sum;
	REQUIRE(f->stream <= INT32_MAX);
	sum = digest_number(sum, event | (unsigned)f->type << 8 | (unsigned)f->flags << 16 |
					 (uint64_t)f->stream << 32);
	if (event == HTTP2_FRAME && f->type == HTTP2_HEADERS && f->stream % 4 == 1) {
		facts_start(facts);
		f->hpack.facts = facts;
	}
	if (event == HTTP2_FRAME_END) {
		REQUIRE(!f->head_ended || f->type == HTTP2_HEADERS ||
			f->type == HTTP2_PUSH_PROMISE || f->type == HTTP2_CONTINUATION);
		REQUIRE(!f->stream_ended || f->type == HTTP2_DATA || f->head_ended);
		sum = digest_number(sum, f->head_ended | f->stream_ended << 1 | f->promise << 2 |
						 (unsigned)f->hpack.status << 8);
		if (f->hpack.facts && f->head_ended)
			sum = digest_facts(sum, facts);
	}
	return sum;
}

/* What cannot be seen is counted as what can be seen. */
static void check_skip(struct http2_flow *before, const struct http2_flow *after, size_t len,
		       ssize_t used, enum http2_event event)
{
	enum http2_event skipped;

	if (before->type != HTTP2_DATA || !http2_in_frame(before) || before->left == 0)
		return;
	if (len > before->left)
		return; /* fed, it goes on with the end of the frame only when asked again */
	REQUIRE(http2_skip(before, len, &skipped) == used);
	REQUIRE(skipped == event);
	REQUIRE(before->left == after->left);
}

static uint64_t run(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	static struct http2_flow f, before;
	static struct wire_facts facts;
	uint64_t sum = 0, seed = digest(0, bytes, size);
	size_t at = 0;

	memset(&f, 0xa5, sizeof(f));
	memset(&facts, 0, sizeof(facts));
	facts_start(&facts);
	http2_start(&f, size == 0 || bytes[0] == 'P', entries, ENTRIES_MAX, text, sizeof(text));
	while (at < size) {
		size_t len = pieces_next(cut, seed, at, size);
		enum http2_event event;

		do {
			ssize_t used;

			before = f;
			used = http2_feed(&f, pieces_copy(bytes + at, len), len, &event);
			if (used == WIRE_NOT) {
				REQUIRE(http2_feed(&f, "", 0, &event) == WIRE_NOT);
				REQUIRE(http2_skip(&f, 0, &event) == WIRE_NOT);
				return 1;
			}
			REQUIRE(used >= 0 && (size_t)used <= len);
			REQUIRE(event != HTTP2_MORE || (size_t)used == len);
			check_skip(&before, &f, len, used, event);
			sum = digest_event(sum, &f, event, &facts);
			at += (size_t)used;
			len -= (size_t)used;
		} while (event != HTTP2_MORE);
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t whole = run(bytes, size, PIECES_WHOLE);

	REQUIRE(run(bytes, size, PIECES_BYTES) == whole);
	REQUIRE(run(bytes, size, PIECES_MIXED) == whole);
	pieces_sniff(bytes, size);
	return 0;
}
