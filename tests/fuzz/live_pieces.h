/*
 * A live file (format/live.h) is 450 MB of holes. Here it is made of pieces, as a fuzzer or a unit
 * test has them: where, how long, bytes; all else is zero.
 */
#ifndef REQPROF_TESTS_FUZZ_LIVE_PIECES_H
#define REQPROF_TESTS_FUZZ_LIVE_PIECES_H

#include <stdint.h>
#include <string.h>

#include "format/live_read.h"

enum { PIECES_MAX = 64 };

struct live_pieces {
	struct {
		uint64_t offset;
		const void *bytes;
		size_t len;
	} list[PIECES_MAX];
	size_t n;
	uint64_t size; /* of the file: nothing is behind it */
};

static inline void pieces_add(struct live_pieces *p, uint64_t offset, const void *bytes, size_t len)
{
	if (p->n == PIECES_MAX)
		return;
	p->list[p->n].offset = offset;
	p->list[p->n].bytes = bytes;
	p->list[p->n++].len = len;
}

/* For live_read; later pieces lie over earlier ones. */
static inline int pieces_read(void *arg, void *to, size_t len, uint64_t offset)
{
	const struct live_pieces *p = arg;

	if (offset + len > p->size)
		return -1;
	memset(to, 0, len);
	for (size_t i = 0; i < p->n; i++) {
		uint64_t from = p->list[i].offset, until = from + p->list[i].len;
		uint64_t low = from > offset ? from : offset;
		uint64_t high = until < offset + len ? until : offset + len;

		if (low < high)
			memcpy((char *)to + (low - offset),
			       (const char *)p->list[i].bytes + (low - from), (size_t)(high - low));
	}
	return 0;
}

#endif
