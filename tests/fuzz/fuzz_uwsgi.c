/* Any bytes as a uwsgi request: the same is seen, however the bytes are cut. */
#include "preload/wire/uwsgi.h"

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_skip(struct uwsgi_request *before, const struct uwsgi_request *after, size_t len,
		       ssize_t used)
{
	if (before->stage != WIRE_BODY)
		return;
	REQUIRE(uwsgi_request_skip(before, len) == used);
	REQUIRE(before->stage == after->stage);
	REQUIRE(before->body_left == after->body_left);
}

static uint64_t run(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	static struct uwsgi_request r, before;
	uint64_t sum = 0, seed = digest(0, bytes, size);
	size_t at = 0, len;

	memset(&r, 0xa5, sizeof(r));
	uwsgi_request_start(&r);
	while (at < size && r.stage != WIRE_DONE) {
		ssize_t used;

		len = pieces_next(cut, seed, at, size);
		before.stage = r.stage;
		if (r.stage == WIRE_BODY)
			before = r;
		used = uwsgi_request_feed(&r, pieces_copy(bytes + at, len), len);
		if (used == WIRE_NOT) {
			REQUIRE(uwsgi_request_feed(&r, "", 1) == WIRE_NOT);
			return 1;
		}
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || r.stage == WIRE_DONE);
		check_skip(&before, &r, len, used);
		at += (size_t)used;
	}
	REQUIRE(!r.facts.keep_alive);
	sum = digest_facts(sum, &r.facts);
	sum = digest_number(sum, r.stage);
	sum = digest_number(sum, r.body_left);
	return digest_number(sum, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t whole = run(bytes, size, PIECES_WHOLE);

	REQUIRE(run(bytes, size, PIECES_BYTES) == whole);
	REQUIRE(run(bytes, size, PIECES_MIXED) == whole);
	pieces_sniff(bytes, size);
	return 0;
}
