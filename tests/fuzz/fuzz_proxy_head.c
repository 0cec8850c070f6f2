/* Any bytes as a PROXY protocol head, and as TLS records: the same is seen, however they are cut. */
#include "preload/wire/proxy_head.h"
#include "preload/wire/tls.h"

#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static uint64_t run_head(const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	static struct proxy_head h;
	uint64_t sum, seed = digest(0, bytes, size);
	size_t at = 0;

	memset(&h, 0xa5, sizeof(h));
	proxy_head_start(&h);
	while (at < size && !h.ended) {
		size_t len = pieces_next(cut, seed, at, size);
		ssize_t used = proxy_head_feed(&h, pieces_copy(bytes + at, len), len);

		if (used == WIRE_NOT)
			return 1;
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || h.ended);
		at += (size_t)used;
	}
	if (!h.ended)
		return 2;
	REQUIRE(h.family == 0 || h.family == 4 || h.family == 6);
	sum = digest_number(at, h.family);
	if (!h.family)
		return sum;
	sum = digest_number(sum, h.port);
	return digest(sum, h.address, h.family == 4 ? 4 : 16);
}

static uint64_t run_records(const uint8_t *bytes, size_t size, enum pieces_cut cut, bool holes)
{
	static struct tls_records t;
	uint64_t sum, seed = digest(0, bytes, size);

	memset(&t, 0xa5, sizeof(t));
	tls_start(&t);
	for (size_t at = 0; at < size;) {
		size_t len = pieces_next(cut, seed, at, size);
		bool seen = !holes || digest_number(seed, at) % 5 != 0;

		tls_feed(&t, seen ? pieces_copy(bytes + at, len) : NULL, len);
		at += len;
	}
	sum = digest_number(t.hello, t.handshakes);
	sum = digest_number(sum, t.data | tls_carries_data(&t) << 8);
	return t.hello ? digest(sum, t.random, sizeof(t.random)) : sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint64_t head = run_head(bytes, size, PIECES_WHOLE);
	uint64_t records = run_records(bytes, size, PIECES_WHOLE, false);

	REQUIRE(run_head(bytes, size, PIECES_BYTES) == head);
	REQUIRE(run_head(bytes, size, PIECES_MIXED) == head);
	REQUIRE(run_records(bytes, size, PIECES_BYTES, false) == records);
	REQUIRE(run_records(bytes, size, PIECES_MIXED, false) == records);
	run_records(bytes, size, PIECES_MIXED, true);
	pieces_sniff(bytes, size);
	return 0;
}
