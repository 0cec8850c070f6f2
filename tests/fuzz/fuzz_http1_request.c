/* Any bytes as requests on one connection: the same is seen, however the bytes are cut. */
#include "preload/wire/http1.h"

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t digest_request(uint64_t sum, const struct http1_request *r)
{
	REQUIRE(!memchr(r->facts.path, '?', r->facts.path_len));
	REQUIRE(!memchr(r->facts.path, '#', r->facts.path_len));
	REQUIRE(r->stage == WIRE_HEAD || r->started);
	REQUIRE(r->stage == WIRE_HEAD ||
		r->facts.is_head == (strcmp(r->facts.method, "HEAD") == 0));
	sum = digest_facts(sum, &r->facts);
	sum = digest_number(sum, r->stage);
	return digest_number(sum, r->started);
}

/* Bytes not seen move the body on as the same number of bytes seen does, unless they are refused. */
static void check_skip(struct http1_request *before, const struct http1_request *after, size_t len,
		       ssize_t used)
{
	ssize_t skipped;

	if (before->stage != WIRE_BODY)
		return;
	skipped = http1_request_skip(before, len);
	if (skipped == WIRE_NOT)
		return;
	REQUIRE(skipped == used);
	REQUIRE(before->stage == after->stage);
	REQUIRE(before->body.left == after->body.left);
}

/* Feeds one piece, to as many requests as are in it. False: this is no HTTP. */
static bool feed_piece(struct http1_request *r, const char *bytes, size_t len, uint64_t *sum)
{
	static struct http1_request before;

	while (len > 0) {
		ssize_t used;

		before.stage = r->stage;
		if (r->stage == WIRE_BODY)
			before = *r;
		used = http1_request_feed(r, bytes, len);
		if (used == WIRE_NOT) {
			REQUIRE(http1_request_feed(r, bytes, len) == WIRE_NOT);
			return false;
		}
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || r->stage == WIRE_DONE);
		check_skip(&before, r, len, used);
		if (r->stage == WIRE_DONE) {
			*sum = digest_request(*sum, r);
			http1_request_start(r);
		}
		bytes += used;
		len -= (size_t)used;
	}
	return true;
}

static uint64_t run(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	struct http1_request r;
	uint64_t sum = 0, seed = digest(0, bytes, size);
	size_t len;

	memset(&r, 0xa5, sizeof(r));
	http1_request_start(&r);
	for (size_t at = 0; at < size; at += len) {
		len = pieces_next(cut, seed, at, size);
		if (!feed_piece(&r, pieces_copy(bytes + at, len), len, &sum))
			return digest_number(sum, 1);
	}
	return digest_request(sum, &r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t whole = run(bytes, size, PIECES_WHOLE);

	REQUIRE(run(bytes, size, PIECES_BYTES) == whole);
	REQUIRE(run(bytes, size, PIECES_MIXED) == whole);
	pieces_sniff(bytes, size);
	return 0;
}
