#include "format/share.h"

void share_start(struct share *share, int64_t wall, int64_t overlap)
{
	*share = (struct share){ .whole = wall + overlap, .wall = wall };
}

int64_t share_next(struct share *share, int64_t ns)
{
	int64_t until, next;

	if (share->whole <= share->wall)
		return ns;
	share->taken += ns;
	until = (int64_t)(share->taken * share->wall / share->whole);
	next = until - share->given;
	share->given = until;
	return next;
}

int64_t share_of_tick(int64_t part, int64_t n, int64_t period_ns, int64_t written)
{
	return n * period_ns <= part ? period_ns : part / n + (written < part % n);
}
