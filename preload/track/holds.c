#include "preload/track/holds.h"

#include "preload/track/self.h"
#include "preload/track/track.h"

bool holds_take(struct request *r)
{
	uint32_t holds = __atomic_load_n(&r->holds, __ATOMIC_ACQUIRE);

	/* Never from zero: then it has been announced as finished. */
	while (holds > 0)
		if (__atomic_compare_exchange_n(&r->holds, &holds, holds + 1, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return false;
}

void holds_drop(struct request *r)
{
	if (__atomic_sub_fetch(&r->holds, 1, __ATOMIC_ACQ_REL) == 0)
		track_callbacks->finished(r);
}

bool track_keep(struct request *r)
{
	return holds_take(r);
}

void track_let_go(struct request *r)
{
	holds_drop(r);
}

void holds_release(struct request *r)
{
	if (!__atomic_exchange_n(&r->released, 1, __ATOMIC_ACQ_REL))
		holds_drop(r);
}
