/*
 * Which requests leave a file: the language of REQPROF_KEEP and `ctl set keep=`. Rules with commas
 * between; a request is kept when one of them says so.
 *
 *   always            every request (the default)
 *   slower=200ms      wall time of that or more (us, ms, s, m; without a unit ms)
 *   failed            status 500 or higher, or no response at all
 *   first             the first of its route (method, path with ids folded)
 *   every=100         one in so many
 *   worst=5           among the so many slowest of its route so far (1 to KEEP_WORST_MAX)
 *   asked             the request has a header X-Reqprof, and its value is not 0
 */
#ifndef REQPROF_FORMAT_KEEP_H
#define REQPROF_FORMAT_KEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum keep_rule {
	KEEP_ALWAYS = 1,
	KEEP_SLOWER = 2,
	KEEP_FAILED = 4,
	KEEP_FIRST = 8,
	KEEP_EVERY = 16,
	KEEP_WORST = 32,
	KEEP_ASKED = 64,
};

enum { KEEP_WORST_MAX = 8, KEEP_TEXT_MAX = 192 };

struct keep_rules {
	uint32_t rules; /* enum keep_rule, or'ed */
	uint32_t worst;
	uint64_t every;
	uint64_t slower_ns;
};

/* What is wrong with a text, for a message: where, and in words. */
struct keep_problem {
	size_t at, len; /* the rule in the text */
	const char *text;
};

/* False: *problem (may be NULL) says why, and *rules is as it was. An empty text is `always`. */
bool keep_parse(const char *text, size_t len, struct keep_rules *rules,
		struct keep_problem *problem);

/* The word of one rule ("slower"), NULL for none. */
const char *keep_name(enum keep_rule rule);

#endif
