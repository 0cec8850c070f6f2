/*
 * Requests and answers of one protocol of preload/wire/protocol.h, cut in every way. The first byte of
 * an input says what the rest is: '<' a request, '>' an answer to one that was read whole.
 */
#ifndef REQPROF_TESTS_FUZZ_MESSAGE_H
#define REQPROF_TESTS_FUZZ_MESSAGE_H

#include "preload/wire/protocol.h"
#include "tests/fuzz/pieces.h"

static inline uint64_t message_request(enum wire_protocol protocol, union wire_request *r,
				       const uint8_t *bytes, size_t size, enum pieces_cut cut)
{
	uint64_t sum, seed = digest(0, bytes, size);
	size_t at = 0;

	memset(r, 0xa5, sizeof(*r));
	wire_request_start(protocol, r);
	while (at < size && r->any.stage != WIRE_DONE) {
		size_t len = pieces_next(cut, seed, at, size);
		ssize_t used = wire_request_feed(protocol, r, pieces_copy(bytes + at, len), len);

		if (used == WIRE_NOT) {
			REQUIRE(wire_request_feed(protocol, r, "", 1) == WIRE_NOT);
			return 1;
		}
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || r->any.stage == WIRE_DONE);
		at += (size_t)used;
	}
	/* Only what is final may be the same for every cut. */
	sum = digest_number(at, r->any.stage);
	sum = digest_number(sum, wire_request_others(protocol, r));
	return r->any.stage == WIRE_HEAD ? sum : digest_facts(sum, &r->any.facts);
}

static inline uint64_t message_answer(enum wire_protocol protocol,
				      const union wire_request *request, const uint8_t *bytes,
				      size_t size, enum pieces_cut cut)
{
	static union wire_response r;
	uint64_t sum, seed = digest(0, bytes, size);
	size_t at = 0;

	memset(&r, 0xa5, sizeof(r));
	wire_response_start(protocol, &r, request);
	while (at < size && r.any.stage != WIRE_DONE) {
		size_t len = pieces_next(cut, seed, at, size);
		ssize_t used = wire_response_feed(protocol, &r, pieces_copy(bytes + at, len), len);

		if (used == WIRE_NOT) {
			wire_response_give_up(&r);
			REQUIRE(r.any.stage != WIRE_DONE);
			return 1;
		}
		REQUIRE(used > 0 && (size_t)used <= len);
		REQUIRE((size_t)used == len || r.any.stage == WIRE_DONE);
		at += (size_t)used;
	}
	sum = digest_number(at, r.any.stage);
	sum = digest_number(sum, r.any.status);
	sum = digest_number(sum, r.any.body_bytes);
	return digest_number(sum, r.any.started | r.any.until_close << 1 | r.any.closes << 2 |
					  r.any.upgraded << 3 | (unsigned)r.any.interim << 4);
}

/* Bytes that cannot be seen, anywhere: no crash, and never more used than there were. */
static inline void message_unseen(enum wire_protocol protocol, const uint8_t *bytes, size_t size)
{
	static union wire_request r;
	size_t at = 0;

	wire_request_start(protocol, &r);
	while (at < size && r.any.stage != WIRE_DONE) {
		size_t len = pieces_next(PIECES_MIXED, size, at, size);
		bool seen = digest_number(size, at) % 5 != 0;
		ssize_t used = wire_request_feed(protocol, &r,
						 seen ? pieces_copy(bytes + at, len) : NULL, len);

		if (used == WIRE_NOT)
			return;
		REQUIRE(used > 0 && (size_t)used <= len);
		at += (size_t)used;
	}
}

static inline void message_withheld(enum wire_protocol protocol, const union wire_request *request,
				    const uint8_t *bytes, size_t size)
{
	static union wire_response answer;

	wire_response_start(protocol, &answer, request);
	for (size_t len = 1; len <= size && len < 64; len++)
		wire_request_withheld(protocol, request, &answer, pieces_copy(bytes, len), len);
}

static inline int message_fuzz(enum wire_protocol protocol, const uint8_t *bytes, size_t size,
			       const char *asked, size_t asked_len)
{
	static union wire_request request, again;
	uint64_t whole;

	if (size == 0)
		return 0;
	bytes++;
	size--;
	if (bytes[-1] == '>') {
		message_request(protocol, &request, (const uint8_t *)asked, asked_len,
				PIECES_WHOLE);
		whole = message_answer(protocol, &request, bytes, size, PIECES_WHOLE);
		REQUIRE(message_answer(protocol, &request, bytes, size, PIECES_BYTES) == whole);
		REQUIRE(message_answer(protocol, &request, bytes, size, PIECES_MIXED) == whole);
		return 0;
	}
	whole = message_request(protocol, &request, bytes, size, PIECES_WHOLE);
	REQUIRE(message_request(protocol, &again, bytes, size, PIECES_BYTES) == whole);
	REQUIRE(message_request(protocol, &again, bytes, size, PIECES_MIXED) == whole);
	if (whole != 1)
		message_withheld(protocol, &request, bytes, size);
	message_unseen(protocol, bytes, size);
	pieces_sniff(bytes, size);
	return 0;
}

#endif
