/*
 * One input, fed to a push parser in pieces that the input itself decides, each in memory of its
 * own exact size; and a digest of what the parser said, which must not depend on the pieces.
 */
#ifndef REQPROF_TESTS_FUZZ_PIECES_H
#define REQPROF_TESTS_FUZZ_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/wire/wire.h"

#define REQUIRE(condition)                                                                        \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                  \
		}                                                                                 \
	} while (0)

enum pieces_cut { PIECES_WHOLE, PIECES_BYTES, PIECES_MIXED };

/* FNV-1a. Start with 0. */
static inline uint64_t digest(uint64_t sum, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * 0x100000001b3 + 1;
	return sum;
}

static inline uint64_t digest_number(uint64_t sum, uint64_t number)
{
	return digest(sum, &number, sizeof(number));
}

/* How long is the piece that begins at `at`? */
static inline size_t pieces_next(enum pieces_cut cut, uint64_t seed, size_t at, size_t size)
{
	size_t len = size - at;

	if (cut == PIECES_BYTES)
		len = 1;
	if (cut == PIECES_MIXED) {
		uint64_t random = digest_number(seed, at);

		/* Mostly short ones, so that many places are cut. */
		random = (random >> 20) % (random >> 8 & 3 ? 40 : 3000);
		len = random < len ? (size_t)random + (random == 0) : len;
	}
	return len;
}

/* A copy in memory of exactly this size, good until the next call. */
static inline void *pieces_copy(const uint8_t *bytes, size_t len)
{
	static void *room;
	static size_t room_len;

	if (!room || room_len != len) {
		free(room);
		room = malloc(len);
		room_len = len;
		REQUIRE(room);
	}
	memcpy(room, bytes, len);
	return room;
}

/* What holds for the facts of any request, of any protocol. */
static inline uint64_t digest_facts(uint64_t sum, const struct wire_facts *facts)
{
	REQUIRE(strnlen(facts->method, WIRE_METHOD_MAX) < WIRE_METHOD_MAX);
	REQUIRE(facts->path_len < WIRE_PATH_MAX);
	REQUIRE(facts->path[facts->path_len] == '\0');
	REQUIRE(facts->path_full_len >= facts->path_len);
	REQUIRE(facts->path_full_len == facts->path_len || facts->path_len == WIRE_PATH_MAX - 1);
	REQUIRE(strnlen(facts->traceparent, WIRE_TRACEPARENT_MAX) == 0 ||
		strnlen(facts->traceparent, WIRE_TRACEPARENT_MAX) == WIRE_TRACEPARENT_MAX - 1);
	REQUIRE(strnlen(facts->request_id, WIRE_ID_MAX) < WIRE_ID_MAX);
	REQUIRE(facts->http_minor <= 1);
	REQUIRE(!facts->is_head || strcmp(facts->method, "HEAD") == 0);
	REQUIRE(!facts->is_connect || strcmp(facts->method, "CONNECT") == 0);
	sum = digest(sum, facts->method, strlen(facts->method) + 1);
	sum = digest(sum, facts->path, facts->path_len);
	sum = digest_number(sum, facts->path_full_len);
	sum = digest(sum, facts->traceparent, strlen(facts->traceparent) + 1);
	sum = digest(sum, facts->request_id, strlen(facts->request_id) + 1);
	return digest_number(sum, facts->http_minor | facts->keep_alive << 1 |
					  facts->expect_continue << 2 | facts->upgrade << 3 |
					  facts->is_head << 4 | facts->is_connect << 5);
}

/* A verdict, once given, stands; and it is given in time. */
static inline void pieces_sniff(const uint8_t *bytes, size_t size)
{
	enum wire_protocol last = WIRE_UNKNOWN;

	for (size_t len = 0; len <= size && len <= WIRE_SNIFF_MAX + 1; len++) {
		enum wire_protocol now = wire_sniff(pieces_copy(bytes, len), len);

		REQUIRE(last == WIRE_UNKNOWN || now == last);
		REQUIRE(len < WIRE_SNIFF_MAX || now != WIRE_UNKNOWN);
		last = now;
	}
}

#endif
