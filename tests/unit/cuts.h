/*
 * A message fed whole, cut at every byte, and byte by byte, each time up to an unreadable page: a
 * parser must say the same of it. For any protocol of protocol.h.
 */
#ifndef REQPROF_TESTS_UNIT_CUTS_H
#define REQPROF_TESTS_UNIT_CUTS_H

#include "preload/wire/protocol.h"
#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

static inline ssize_t cuts_feed(enum wire_protocol p, union wire_request *r, const char *bytes,
				size_t len)
{
	return wire_request_feed(p, r, guard_copy(bytes, len), len);
}

static inline ssize_t cuts_answer(enum wire_protocol p, union wire_response *r, const char *bytes,
				  size_t len)
{
	return wire_response_feed(p, r, guard_copy(bytes, len), len);
}

static inline void cuts_same_request(const union wire_request *a, const union wire_request *b)
{
	CHECK_STR(a->any.facts.method, b->any.facts.method);
	CHECK_STR(a->any.facts.path, b->any.facts.path);
	CHECK_INT(a->any.facts.path_len, b->any.facts.path_len);
	CHECK_INT(a->any.facts.path_full_len, b->any.facts.path_full_len);
	CHECK_STR(a->any.facts.traceparent, b->any.facts.traceparent);
	CHECK_STR(a->any.facts.request_id, b->any.facts.request_id);
	CHECK_INT(a->any.facts.http_minor, b->any.facts.http_minor);
	CHECK_INT(a->any.facts.keep_alive, b->any.facts.keep_alive);
	CHECK_INT(a->any.facts.upgrade, b->any.facts.upgrade);
	CHECK_INT(a->any.stage, b->any.stage);
	CHECK_INT(a->any.started, b->any.started);
}

static inline void cuts_same_response(const union wire_response *a, const union wire_response *b)
{
	CHECK_INT(a->any.stage, b->any.stage);
	CHECK_INT(a->any.status, b->any.status);
	CHECK_INT(a->any.interim, b->any.interim);
	CHECK_INT(a->any.started, b->any.started);
	CHECK_INT(a->any.until_close, b->any.until_close);
	CHECK_INT(a->any.closes, b->any.closes);
	CHECK_INT(a->any.body_bytes, b->any.body_bytes);
}

/* All of it belongs to one request: *r holds what was said of it. */
static inline void cuts_request(enum wire_protocol p, union wire_request *r, const char *bytes,
				size_t len)
{
	static union wire_request cut;

	wire_request_start(p, r);
	CHECK_INT(cuts_feed(p, r, bytes, len), len);
	for (size_t at = 0; at <= len; at++) {
		wire_request_start(p, &cut);
		CHECK_INT(cuts_feed(p, &cut, bytes, at), at);
		CHECK_INT(cuts_feed(p, &cut, bytes + at, len - at), len - at);
		cuts_same_request(&cut, r);
	}
	wire_request_start(p, &cut);
	for (size_t at = 0; at < len; at++) {
		CHECK(cut.any.stage != WIRE_DONE);
		CHECK_INT(cuts_feed(p, &cut, bytes + at, 1), 1);
	}
	cuts_same_request(&cut, r);
	/* What follows is not its own, if it has an end. */
	if (cut.any.stage == WIRE_DONE)
		CHECK_INT(cuts_feed(p, &cut, bytes, len), 0);
}

/* The same for the answer to a request of which *to knows. */
static inline void cuts_response(enum wire_protocol p, union wire_response *r,
				 const union wire_request *to, const char *bytes, size_t len)
{
	static union wire_response cut;

	wire_response_start(p, r, to);
	CHECK_INT(cuts_answer(p, r, bytes, len), len);
	for (size_t at = 0; at <= len; at++) {
		wire_response_start(p, &cut, to);
		CHECK_INT(cuts_answer(p, &cut, bytes, at), at);
		CHECK_INT(cuts_answer(p, &cut, bytes + at, len - at), len - at);
		cuts_same_response(&cut, r);
	}
	wire_response_start(p, &cut, to);
	for (size_t at = 0; at < len; at++) {
		CHECK(cut.any.stage != WIRE_DONE);
		CHECK_INT(cuts_answer(p, &cut, bytes + at, 1), 1);
	}
	cuts_same_response(&cut, r);
	if (cut.any.stage == WIRE_DONE)
		CHECK_INT(cuts_answer(p, &cut, bytes, len), 0);
}

/* All but the NUL at the end of a string constant. */
#define BYTES(text) (text), sizeof(text) - 1

#endif
