/* "Did you mean": the name nearest to what was typed. */
#ifndef REQPROF_TOOLS_BASE_SIMILAR_H
#define REQPROF_TOOLS_BASE_SIMILAR_H

#include <stddef.h>

struct similar {
	const char *typed;
	size_t typed_len;
	const char *text; /* the best so far; NULL while none is near enough to be meant */
	size_t distance;
};

struct similar similar_to(const char *typed, size_t len);
void similar_try(struct similar *s, const char *candidate);

#endif
