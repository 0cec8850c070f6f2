/*
 * The request target, RFC 9112 3.2, in its four forms: "/path?query", "http://host/path?query",
 * "host:port" (CONNECT) and "*". What is kept is the path: no scheme, no host, no user name, and
 * never a byte of the query or of a fragment, not even for a moment.
 */
#ifndef REQPROF_WIRE_TARGET_H
#define REQPROF_WIRE_TARGET_H

#include "preload/wire/wire.h"

/* Where in the target we are; internal to target.c but for storing it. */
struct target {
	uint8_t state;
};

/* Also clears the path. */
void target_start(struct target *t, struct wire_facts *facts);

/* No byte of it has been taken yet. */
bool target_is_empty(const struct target *t);

/* Takes bytes into the path up to the first space, tab or control byte; returns how many. */
size_t target_feed(struct target *t, struct wire_facts *facts, const char *bytes, size_t len);

/* Takes bytes at which target_feed stopped, but which are part of the target after all. */
void target_feed_odd(struct target *t, struct wire_facts *facts, const char *bytes, size_t len);

/* The target is whole: "http://host" means "/". */
void target_end(struct target *t, struct wire_facts *facts);

#endif
