/* How the parts of a request's time are dealt out to its samples, so that these add up to it exactly. */
#ifndef REQPROF_FORMAT_SHARE_H
#define REQPROF_FORMAT_SHARE_H

#include <stdint.h>

/* Wall values in proportion, so that they add up to wall though the parts are more: one after the other. */
struct share {
	int64_t whole, wall; /* overlapping parts together, and what they become */
	int64_t given;
	__int128 taken;
};
void share_start(struct share *share, int64_t wall, int64_t overlap);
int64_t share_next(struct share *share, int64_t ns);

/*
 * The wall value of the next of n samples of a part, of which `written` have theirs: a period, or, in a
 * short request of which they stand for more, what makes them add up to the part.
 */
int64_t share_of_tick(int64_t part, int64_t n, int64_t period_ns, int64_t written);

#endif
