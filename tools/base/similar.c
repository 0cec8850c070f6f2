#include "tools/base/similar.h"

#include <string.h>

enum { LONGEST = 32 };

struct similar similar_to(const char *typed, size_t len)
{
	return (struct similar){ .typed = typed, .typed_len = len };
}

/* Letters to change, add, drop or swap with their neighbour (Damerau's distance), row by row. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][LONGEST + 1];
	size_t *before = rows[0], *last = rows[1], *now = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		now[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < best)
				best = last[j] + 1;
			if (now[j - 1] + 1 < best)
				best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		before = last;
		last = now;
		now = spare;
	}
	return last[b_len];
}

void similar_try(struct similar *s, const char *candidate)
{
	size_t len = strlen(candidate), d;

	if (len > LONGEST || s->typed_len > LONGEST)
		return;
	d = distance(s->typed, s->typed_len, candidate, len);
	/* a beginning of the name is meant, too */
	if (s->typed_len >= 2 && s->typed_len < len && !memcmp(s->typed, candidate, s->typed_len))
		d = 1;
	if (d > (len + 2) / 3 || (s->text && d >= s->distance))
		return;
	s->text = candidate;
	s->distance = d;
}
