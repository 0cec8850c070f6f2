/*
 * Any bytes as responses on one connection: the same is seen, however the bytes are cut. The first
 * byte says what they answer.
 */
#include "preload/wire/http1.h"

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t digest_response(uint64_t sum, const struct http1_response *r)
{
	REQUIRE(r->stage == WIRE_HEAD || (r->started && r->status));
	REQUIRE(r->started == (r->status != 0));
	REQUIRE(r->status == 0 || r->status == 101 || (r->status >= 200 && r->status <= 999));
	REQUIRE(!r->until_close || (r->closes && r->stage == WIRE_BODY));
	REQUIRE(!r->upgraded || r->stage == WIRE_DONE);
	sum = digest_number(sum, r->stage);
	sum = digest_number(sum, r->status | r->interim << 16);
	sum = digest_number(sum,
			    r->started | r->until_close << 1 | r->closes << 2 | r->upgraded << 3);
	return digest_number(sum, r->body_bytes);
}

static void check_skip(struct http1_response before, const struct http1_response *after, size_t len,
		       ssize_t used)
{
	ssize_t skipped;

	if (before.stage != WIRE_BODY)
		return;
	skipped = http1_response_skip(&before, len);
	if (skipped == WIRE_NOT)
		return;
	REQUIRE(skipped == used);
	REQUIRE(before.stage == after->stage);
	REQUIRE(before.body.left == after->body.left);
	REQUIRE(before.body_bytes == after->body_bytes);
}

/* Feeds one piece, to as many responses as are in it. False: this is no HTTP. */
static bool feed_piece(struct http1_response *r, const struct wire_facts *request,
		       const char *bytes, size_t len, uint64_t *sum)
{
	while (len > 0) {
		struct http1_response before = *r;
		ssize_t used = http1_response_feed(r, bytes, len);

		if (used == WIRE_NOT) {
			REQUIRE(http1_response_feed(r, bytes, len) == WIRE_NOT);
			return false;
		}
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || r->stage == WIRE_DONE);
		check_skip(before, r, len, used);
		if (r->stage == WIRE_DONE) {
			*sum = digest_response(*sum, r);
			http1_response_start(r, request);
		}
		bytes += used;
		len -= (size_t)used;
	}
	return true;
}

static uint64_t run(const uint8_t *bytes, size_t size, const struct wire_facts *request,
		    enum pieces_cut cut)
{
	struct http1_response r;
	uint64_t sum = 0, seed = digest(0, bytes, size);
	size_t len;

	memset(&r, 0xa5, sizeof(r));
	http1_response_start(&r, request);
	for (size_t at = 0; at < size; at += len) {
		len = pieces_next(cut, seed, at, size);
		if (!feed_piece(&r, request, pieces_copy(bytes + at, len), len, &sum))
			return digest_number(sum, 1);
	}
	return digest_response(sum, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct wire_facts request;
	uint64_t whole;

	if (size == 0)
		return 0;
	memset(&request, 0, sizeof(request));
	request.keep_alive = bytes[0] & 1;
	request.is_head = bytes[0] & 2;
	request.is_connect = bytes[0] & 4;
	bytes++;
	size--;
	whole = run(bytes, size, &request, PIECES_WHOLE);
	REQUIRE(run(bytes, size, &request, PIECES_BYTES) == whole);
	REQUIRE(run(bytes, size, &request, PIECES_MIXED) == whole);
	return 0;
}
