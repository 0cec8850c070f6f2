/* Feeding one HTTP/1 request to a parser, for the tests of its head and of its body. */
#ifndef REQPROF_TESTS_UNIT_HTTP1_REQUEST_H
#define REQPROF_TESTS_UNIT_HTTP1_REQUEST_H

#include "preload/wire/http1.h"
#include "tests/unit/guard.h"
#include "tests/unit/tap.h"

#define ALPHABET "abcdefghijklmnopqrstuvwxyz"
#define LONG_ID ALPHABET ALPHABET ALPHABET ALPHABET ALPHABET ALPHABET

static struct http1_request request;

/* Feeds one message to a fresh parser, all at once; returns what the parser returned. */
static inline ssize_t feed_bytes(struct http1_request *r, const char *bytes, size_t len)
{
	http1_request_start(r);
	return http1_request_feed(r, guard_copy(bytes, len), len);
}

static inline ssize_t feed(const char *text)
{
	return feed_bytes(&request, text, strlen(text));
}

/* Feeds bytes of which the last ones are not this request's; returns how many these are. */
static inline ssize_t feed_and_rest(const char *text)
{
	return (ssize_t)strlen(text) - feed(text);
}

/* The same with bytes that follow those fed before. */
static inline ssize_t more_and_rest(const char *text)
{
	size_t len = strlen(text);

	return (ssize_t)len - http1_request_feed(&request, guard_copy(text, len), len);
}

#endif
